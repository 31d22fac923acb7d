// makeExtension(): messages of one's own, bencoded or with another codec.
import { once } from 'node:events'
import { inspect } from 'node:util'
import test from 'ava'
import bencode from 'bencode'

import {
  EXTENDED_HANDSHAKE,
  announce,
  extended,
  extensionOf,
  sentBy
} from '../testkit/extensions.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { casesOr, SEED } from '../testkit/settings.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

const INFO_HASH = Buffer.alloc(20, 3)

/** Two wires that are piped into each other and use an extension each. */
const pair = (One, Other = One) => {
  const wires = [pwp(), pwp()]
  const [one, other] = wires
  const extensions = [one.use(One), other.use(Other)]
  one.pipe(other).pipe(one)
  for (const [index, wire] of wires.entries()) wire.handshake(INFO_HASH, Buffer.alloc(20, index))
  return extensions
}

const JSON_CODEC = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(bytes.toString())
}

/** A wire whose peer has the extension under id 9. */
const met = (Extension) => {
  const wire = pwp()
  const extension = wire.use(Extension)
  wire.handshake(INFO_HASH, INFO_HASH)
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { [extension.name]: 9 } })]))
  sentBy(wire)
  return { wire, extension }
}

test('makes a class that use() takes', (t) => {
  const Chat = pwp.makeExtension('x_chat')
  t.is(Chat.prototype.name, 'x_chat')
  const wire = pwp()
  const chat = wire.use(Chat)
  t.true(chat instanceof Chat)
  t.is(wire.x_chat, chat)
  t.false(chat.isReady)
  t.is(pwp().use(Chat).name, 'x_chat')
  class Louder extends Chat {
    shout(text) {
      this.send(text.toUpperCase())
    }
  }
  const { wire: loud, extension } = met(Louder)
  extension.shout('hi')
  t.deepEqual(sentBy(loud), [[9, '2:HI']])
})

for (const name of [undefined, null, '', 7, {}, Symbol('x')]) {
  test(`refuses a name of ${inspect(name)}`, (t) => {
    t.throws(() => pwp.makeExtension(name), { instanceOf: TypeError, message: /^name must be/ })
  })
}

for (const member of ['encode', 'decode']) {
  test(`refuses a codec whose ${member} is no function`, (t) => {
    for (const value of ['x', 1, {}, true]) {
      const make = () => pwp.makeExtension('x', { [member]: value })
      t.throws(make, { instanceOf: TypeError, message: `codec.${member} must be a function` })
    }
    for (const value of [undefined, null]) {
      t.notThrows(() => pwp.makeExtension('x', { [member]: value }))
    }
    for (const codec of [undefined, null, {}]) t.notThrows(() => pwp.makeExtension('x', codec))
  })
}

test('calls the methods of a codec on it, and only reads them', (t) => {
  class Prefixed {
    prefix = 'p:'
    encode(value) {
      return Buffer.from(this.prefix + value)
    }
    decode(bytes) {
      return bytes.toString().slice(this.prefix.length)
    }
  }
  const { wire, extension } = met(pwp.makeExtension('x_test', new Prefixed()))
  const received = []
  extension.on('message', (value) => received.push(value))
  wire.write(Buffer.concat([announce({ m: { x_test: 4 } }), extended(1, 'p:in')]))
  extension.send('out')
  t.deepEqual(received, ['in'])
  t.deepEqual(sentBy(wire), [[4, 'p:out']])
})

test('leaves names that a wire refuses to use()', (t) => {
  for (const name of ['destroy', 'a'.repeat(65), '\ud800']) {
    t.throws(() => pwp().use(pwp.makeExtension(name)), { message: /name/ })
  }
})

for (const [what, codec, values] of [
  ['bencode', undefined, [{ a: [1, { b: 2 }] }, 7, -(2n ** 60n), [], {}]],
  ['JSON', JSON_CODEC, [{ a: [true, null, 1.5] }, 'text', null, 0, false]],
  ['only decode', { decode: (bytes) => bytes.toString() }, []]
]) {
  test(`sends and receives values of ${what}`, async (t) => {
    const [one, other] = pair(pwp.makeExtension('x_test', codec))
    const ready = []
    one.on('ready', () => ready.push('one'))
    await Promise.all([once(other, 'ready'), settled()])
    t.deepEqual(ready, ['one'])
    t.true(one.isReady && other.isReady)
    const received = []
    other.on('message', (value) => received.push(value))
    one.on('message', (value) => received.push(value))
    for (const value of values) {
      one.send(value)
      await settled() // oxlint-disable-line no-await-in-loop
      other.send(value)
      await settled() // oxlint-disable-line no-await-in-loop
    }
    const expected = values.flatMap((value) => [value, value])
    t.deepEqual(received.map(plain), expected)
    if (what === 'only decode') {
      one.send('a')
      await settled()
      t.deepEqual(received, ['1:a'])
    }
  })
}

/** A copy with ordinary prototypes, which deepEqual() compares. */
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain)
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

test('is ready once, when the peer lists the extension, and as long as it does', (t) => {
  const wire = pwp()
  const chat = wire.use(pwp.makeExtension('x_chat'))
  let readies = 0
  chat.on('ready', () => {
    readies++
    t.true(chat.isReady)
  })
  const refused = { message: 'Unrecognized extension: x_chat' }
  t.throws(() => chat.send(1), refused)
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { other: 1 } })]))
  t.false(chat.isReady)
  t.is(readies, 0)
  wire.write(announce({ m: { x_chat: 2 } }))
  t.true(chat.isReady)
  wire.write(announce({ m: { y: 3 } }))
  wire.write(announce({ m: { x_chat: 0 } }))
  t.false(chat.isReady)
  t.throws(() => chat.send(1), refused)
  wire.write(announce({ m: { x_chat: 5 } }))
  t.true(chat.isReady)
  t.is(readies, 1)
  chat.send(1)
  t.deepEqual(sentBy(wire), [[5, 'i1e']])
})

test('is ready at once when the peer has listed it before', (t) => {
  const { wire } = met(pwp.makeExtension('x_chat'))
  wire.write(announce({ m: { x_late: 4 } }))
  t.true(wire.use(pwp.makeExtension('x_late')).isReady)
})

for (const [what, codec, bytes, message] of [
  ['no bencode', undefined, 'rubbish', 'message is not bencoded'],
  ['nothing', undefined, '', 'message is not bencoded'],
  ['too deep', undefined, 'l'.repeat(101) + 'e'.repeat(101), 'message is not bencoded'],
  ['no JSON', JSON_CODEC, '{', /JSON/]
]) {
  test(`tells of a malformed message: ${what}`, (t) => {
    const { wire, extension } = met(pwp.makeExtension('x_test', codec))
    const seen = []
    extension.on('message', (value) => seen.push(value))
    wire.on('extended', (id) => seen.push(`raw ${id}`))
    wire.write(extended(1, bytes))
    t.deepEqual(seen, ['raw 1'])
    extension.on('malformed', (...args) => seen.push(args))
    wire.write(extended(1, bytes))
    const [payload, error] = seen[1]
    t.deepEqual(payload, Buffer.from(bytes))
    t.true(error instanceof Error)
    if (typeof message === 'string') t.is(error.message, message)
    else t.regex(error.message, message)
    t.is(wire.stats().violations, 0)
    t.false(wire.destroyed)
  })
}

test('sends nothing that cannot be encoded', (t) => {
  const bencoded = met(pwp.makeExtension('x'))
  for (const value of [undefined, true, 1.5, new Map()]) {
    t.throws(() => bencoded.extension.send(value), { instanceOf: TypeError })
  }
  t.deepEqual(sentBy(bencoded.wire), [])
  for (const result of ['text', undefined, null, {}, [1], 5, new ArrayBuffer(1)]) {
    const { wire, extension } = met(pwp.makeExtension('x', { encode: () => result }))
    t.throws(() => extension.send(1), {
      instanceOf: TypeError,
      message: /^encoded message must be/
    })
    t.deepEqual(sentBy(wire), [])
  }
  const { wire, extension } = met(pwp.makeExtension('x', { encode: (value) => value }))
  extension.send(Uint8Array.of(1, 2))
  t.deepEqual(sentBy(wire), [[9, '\x01\x02']])
})

test('decodes whatever can be bencoded, and every cut of it is malformed', (t) => {
  const random = randomFrom(SEED, 'values')
  const { wire, extension } = met(pwp.makeExtension('x'))
  const make = (depth) => {
    const kind = random.below(depth > 3 ? 2 : 4)
    if (kind === 0) return random.below(2 ** 30) - 2 ** 29
    if (kind === 1) return Buffer.from(random.times(random.below(6), () => random.below(256)))
    if (kind === 2) return random.times(random.below(4), () => make(depth + 1))
    return Object.fromEntries(
      random.times(random.below(4), () => [`k${random.below(9)}`, make(depth + 1)])
    )
  }
  let value
  let malformed = 0
  extension.on('message', (decoded) => (value = decoded))
  extension.on('malformed', () => malformed++)
  for (let round = 0; round < casesOr(300); round++) {
    const original = make(0)
    const bytes = bencode.encode(original)
    wire.write(extended(1, bytes))
    t.deepEqual(plain(value), original)
    value = undefined
    malformed = 0
    for (let at = 0; at < bytes.length; at++) wire.write(extended(1, bytes.subarray(0, at)))
    t.is(malformed, bytes.length)
    t.is(value, undefined)
  }
})

test('gives what it decodes memory of its own', (t) => {
  const { wire, extension } = met(pwp.makeExtension('x'))
  let value
  extension.on('message', (decoded) => (value = decoded))
  const chunk = extended(1, 'd1:a3:abce')
  wire.write(chunk)
  chunk.fill(0)
  t.deepEqual({ ...value }, { a: Buffer.from('abc') })
  t.is(value.a.buffer.byteLength, 3)
})

test('an extension by hand talks to one that was made', async (t) => {
  const log = []
  const [made] = pair(pwp.makeExtension('x_test'), extensionOf('x_test', log))
  await settled()
  made.send({ a: 1 })
  await settled()
  t.is(log.at(-1)[2].toString(), 'd1:ai1ee')
})
