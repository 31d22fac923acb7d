// The class of bittorrent-protocol: the contract of extensions, and extended handshakes.
import { createHash } from 'node:crypto'
import test from 'ava'

import {
  EXTENDED_HANDSHAKE,
  INFO_HASH,
  PEER_ID,
  Wire,
  met,
  outputOf,
  record,
  settled,
  turn
} from '../testkit/bp-wires.mjs'
import { encodeBencode } from '../testkit/bencode.mjs'
import { frame } from '../testkit/messages.mjs'

const extended = (id, payload) => frame(20, Buffer.concat([Buffer.from([id]), payload]))
const announce = (handshake) => extended(0, encodeBencode(handshake))

/** A class with this name that logs its calls. */
const extensionOf = (name, calls = []) => {
  class Extension {
    constructor(wire) {
      this.wire = wire
      this.calls = calls
    }

    onHandshake(...args) {
      calls.push([`${name} handshake`, ...args])
    }

    onExtendedHandshake(handshake) {
      calls.push([`${name} extended`, handshake])
    }

    onMessage(message) {
      calls.push([`${name} message`, message.toString()])
    }
  }
  Extension.prototype.name = name
  return Extension
}

test('an extension is a property of the wire, under ids from 1 on', (t) => {
  const wire = new Wire()
  const First = extensionOf('first')
  wire.use(First)
  wire.use(extensionOf('second'))
  t.true(wire.first instanceof First)
  t.is(wire.first.wire, wire)
  t.deepEqual(wire.extendedMapping, { 1: 'first', 2: 'second' })
})

test('a class without a name is refused, and one without methods gets them', (t) => {
  const wire = new Wire()
  const message = 'Extension class requires a "name" property on the prototype'
  t.throws(() => wire.use(function () {}), { message })
  t.throws(() => wire.use(undefined), { message })
  class Getter {
    get name() {
      return 'getter'
    }
  }
  wire.use(Getter)
  for (const method of ['onHandshake', 'onExtendedHandshake', 'onMessage'])
    t.is(typeof wire.getter[method], 'function')
  t.is(Getter.prototype.onMessage, undefined)
})

test('listeners of the handshake come first, then extensions, then ours leaves', async (t) => {
  const wire = new Wire()
  const output = outputOf(wire)
  const calls = []
  wire.handshake(INFO_HASH, PEER_ID)
  await settled()
  output.take()
  wire.on('handshake', () => {
    calls.push(['event'])
    wire.use(extensionOf('late', calls))
    wire.extendedHandshake.v = 'me'
  })
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(
    calls.map(([name]) => name),
    ['event', 'late handshake']
  )
  t.is(calls[1][1], EXTENDED_HANDSHAKE.toString('hex', 28, 48))
  await settled()
  const ours = encodeBencode({ m: { late: 1 }, reqq: 2000, v: 'me' })
  t.is(output.take(), extended(0, ours).toString('hex'))
})

test('ours leaves with our handshake if that of the peer has come', async (t) => {
  const wire = new Wire()
  const output = outputOf(wire)
  wire.write(EXTENDED_HANDSHAKE)
  await settled()
  t.is(output.take(), '')
  wire.extendedHandshake = { reqq: 5 }
  wire.handshake(INFO_HASH, PEER_ID)
  wire.handshake(INFO_HASH, PEER_ID)
  await settled()
  t.deepEqual(
    output.chunks.map(({ length }) => length),
    [68, 6 + 'd1:mde4:reqqi5ee'.length, 68]
  )
})

test('extended handshakes of the peer are stored, add up, and reach whoever they name', async (t) => {
  const { wire } = await met(EXTENDED_HANDSHAKE)
  const calls = []
  wire.use(extensionOf('one', calls))
  wire.use(extensionOf('two', calls))
  const seen = []
  wire.on('extended', (...args) => seen.push(args))
  wire.write(announce({ m: { one: 3, other: 9 }, reqq: 250, v: 'abc', big: 2n ** 60n }))
  t.deepEqual(calls, [['one extended', wire.peerExtendedHandshake]])
  t.deepEqual(seen, [['handshake', wire.peerExtendedHandshake]])
  t.deepEqual(wire.peerExtendedHandshake, {
    m: { one: 3, other: 9 },
    reqq: 250,
    v: Buffer.from('abc'),
    big: 2 ** 60
  })
  wire.write(announce({ m: { two: 4, other: 0 } }))
  t.deepEqual(wire.peerExtendedMapping, { one: 3, two: 4, other: 0 })
  t.deepEqual(
    calls.map(([name]) => name),
    ['one extended', 'one extended', 'two extended']
  )
  t.throws(() => wire.extended('other', {}), { message: 'Unrecognized extension: other' })
})

test('messages go to the extension, then to listeners, by name or by id', async (t) => {
  const calls = []
  const { wire } = await met(EXTENDED_HANDSHAKE)
  wire.use(extensionOf('one', calls))
  wire.on('extended', (...args) => calls.push(['event', args[0], args[1].toString()]))
  wire.write(Buffer.concat([extended(1, Buffer.from('x')), extended(7, Buffer.from('y'))]))
  t.deepEqual(calls, [
    ['one message', 'x'],
    ['event', 'one', 'x'],
    ['event', 7, 'y']
  ])
})

test('extended() takes names and ids, bytes and values', async (t) => {
  const { wire, output } = await met(EXTENDED_HANDSHAKE)
  wire.write(announce({ m: { one: 3 } }))
  const sends = async (args, id, text) => {
    wire.extended(...args)
    await turn()
    t.is(output.take(), extended(id, Buffer.from(text, 'latin1')).toString('hex'))
  }
  await settled()
  output.take()
  await sends(['one', Buffer.from('x')], 3, 'x')
  await sends([9, new Uint16Array([0x4141])], 9, 'AA')
  await sends(['one', { b: 1, a: [true, null, 2.7, undefined, 'é'] }], 3, 'd1:ali1ei2e2:Ã©e1:bi1ee')
  await sends(['one', new Map([['k', new Set(['v'])]])], 3, 'd1:kl1:vee')
  await sends(['one', { f() {}, n: Number.NaN, s: Symbol.iterator }], 3, 'd1:ni0ee')
  await sends(
    ['one', { b: new Uint8Array([65]).buffer, n: 2 ** 53 }],
    3,
    'd1:b1:A1:ni9007199254740992ee'
  )
  await sends([5, undefined], 5, '')
})

test('hostile extended handshakes change nothing but what they may', async (t) => {
  const { wire } = await met(EXTENDED_HANDSHAKE)
  wire.use(extensionOf('toString'))
  const seen = record(wire, ['extended'])
  for (const text of ['', 'x', 'd', 'i5e', 'le', 'd1:m', `${'l'.repeat(5000)}${'e'.repeat(5000)}`])
    wire.write(extended(0, Buffer.from(text)))
  t.deepEqual(seen, [])
  t.deepEqual(wire.peerExtendedHandshake, {})
  wire.write(announce({ m: { __proto__x: 1, a: -1, b: 256, c: 'x', d: [], e: 7 } }))
  wire.write(extended(0, Buffer.from('d1:md9:__proto__i5e1:fi6ee9:__proto__d1:xi1eee')))
  wire.write(announce({ m: [1, 2] }))
  wire.write(announce({ m: 5 }))
  t.deepEqual(wire.peerExtendedMapping, { __proto__x: 1, e: 7, f: 6 })
  t.is(wire.peerExtendedHandshake.x, undefined)
  t.is(Object.getPrototypeOf(wire.peerExtendedMapping), Object.prototype)
  t.is(wire.error, null)
})

test('a peer announces a thousand names at most', async (t) => {
  const { wire } = await met(EXTENDED_HANDSHAKE)
  for (let round = 0; round < 20; round++) {
    const names = Array.from({ length: 100 }, (_, at) => [`${round} ${at}`, 1])
    wire.write(announce({ m: Object.fromEntries(names) }))
  }
  t.is(Object.keys(wire.peerExtendedMapping).length, 1000)
  wire.write(announce({ m: { '0 0': 9, more: 3 } }))
  t.is(wire.peerExtendedMapping['0 0'], 9)
  t.is(wire.peerExtendedMapping.more, undefined)
  wire.peerExtendedMapping = Object.fromEntries(Array.from({ length: 999 }, (_, at) => [at, 1]))
  wire.write(announce({ m: { more: 3, most: 4 } }))
  t.is(wire.peerExtendedMapping.more, 3)
  t.is(wire.peerExtendedMapping.most, undefined)
})

test('the extensions of this package run on it', async (t) => {
  const { pwp } = await import('../testkit/wires.mjs')
  const one = new Wire('tcpOutgoing')
  const other = new Wire('tcpIncoming')
  one.pipe(other).pipe(one)
  const seen = []
  const info = Buffer.from(
    'd6:lengthi5e4:name5:hello12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae'
  )
  const infoHash = createHash('sha1').update(info).digest()
  const fetched = new Promise((resolve) => {
    one.use(Wire.extensions.utMetadata())
    one.ut_metadata.on('metadata', resolve)
    one.ut_metadata.fetch()
  })
  other.use(Wire.extensions.utMetadata(info))
  const Chat = pwp.makeExtension('chat')
  for (const wire of [one, other]) {
    wire.use(Wire.extensions.ltDonthave())
    wire.use(Wire.extensions.utPex())
    wire.use(Chat)
  }
  one.lt_donthave.on('donthave', (piece) => seen.push(piece))
  one.chat.on('message', (message) => seen.push(message))
  other.on('handshake', () => {
    other.handshake(infoHash, PEER_ID, { fast: true })
    queueMicrotask(() => other.haveAll())
  })
  one.handshake(infoHash, PEER_ID, { fast: true })
  t.deepEqual(await fetched, Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]))
  other.lt_donthave.donthave(5)
  other.chat.send('hello')
  await settled()
  t.deepEqual(seen, [5, Buffer.from('hello')])
  t.deepEqual(
    [5, 6].map((piece) => one.peerPieces.get(piece)),
    [false, true]
  )
  one.destroy()
})

test('a message of an id whose extension was removed is an event', async (t) => {
  const { wire } = await met(EXTENDED_HANDSHAKE)
  wire.extendedMapping[4] = 'mine'
  const seen = record(wire, ['extended'])
  wire.write(extended(4, Buffer.from('x')))
  t.deepEqual(seen, [['extended', 'mine', '78']])
})

test('names of more than 64 bytes are not kept', async (t) => {
  const { wire } = await met(EXTENDED_HANDSHAKE)
  const m = { ['a'.repeat(64)]: 1, ['b'.repeat(65)]: 2, ['é'.repeat(32)]: 3, ['ü'.repeat(33)]: 4 }
  wire.write(announce({ m, reqq: 5 }))
  t.deepEqual(wire.peerExtendedMapping, { ['a'.repeat(64)]: 1, ['é'.repeat(32)]: 3 })
  t.is(wire.peerExtendedHandshake.reqq, 5)
})
