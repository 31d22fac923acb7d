// What a wire reads of a peer's extended handshakes: cut anywhere, merged, checked, and bounded whatever the
// peer sends.
import { inspect } from 'node:util'
import test from 'ava'

import {
  EXTENDED_HANDSHAKE,
  announce,
  extended,
  extensionOf,
  sentBy
} from '../testkit/extensions.mjs'
import { collectGarbage } from '../testkit/memory/garbage.mjs'
import { cut, frame } from '../testkit/messages.mjs'
import { pwp, record } from '../testkit/wires.mjs'

const KIB = 1024

/** Longest message that is decoded, and most values and keys in it. */
const MAX_LENGTH = 256 * KIB
const MAX_TOKENS = 1_000

const met = (options) => {
  const wire = pwp({ extensions: true, ...options })
  wire.write(EXTENDED_HANDSHAKE)
  return wire
}

/** The handshake that a wire reads of one payload. */
const read = (payload, options) => {
  const wire = met(options)
  wire.write(extended(0, payload))
  return wire.peerExtendedHandshake
}

/** A copy with ordinary prototypes, which deepEqual() compares. */
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain)
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

const string = (text) => `${Buffer.byteLength(text, 'latin1')}:${text}`

// Fields

const FULL = {
  m: { ut_metadata: 3, ut_pex: 1 },
  v: 'Client 1.0',
  p: 6881,
  yourip: Buffer.from([1, 2, 3, 4]),
  ipv4: Buffer.from([5, 6, 7, 8]),
  ipv6: Buffer.from('20010db8000000000000000000000001', 'hex'),
  reqq: 250,
  metadata_size: 31_235,
  e: 0,
  upload_only: 1,
  complete_ago: -1
}

const DECODED = {
  ...FULL,
  yourip: '1.2.3.4',
  ipv4: '5.6.7.8',
  ipv6: '2001:db8::1',
  e: false,
  upload_only: true
}

test('reads all fields', (t) => {
  const wire = met()
  wire.write(announce(FULL))
  const { peerExtendedHandshake, peerExtendedMapping } = wire
  t.deepEqual(plain(peerExtendedHandshake), DECODED)
  t.deepEqual({ ...peerExtendedMapping }, FULL.m)
  t.is(Object.getPrototypeOf(peerExtendedHandshake), null)
  t.is(Object.getPrototypeOf(peerExtendedMapping), null)
  t.is(peerExtendedHandshake.m, peerExtendedMapping)
})

for (const [payload, expected] of [
  ['de', {}],
  ['d1:v0:e', { v: '' }],
  [`d1:v${string('\xc3\xa9')}e`, { v: 'é' }],
  [`d1:v${string('\xff')}e`, { v: '\ufffd' }],
  [`d1:v${string('x'.repeat(300))}e`, { v: 'x'.repeat(256) }],
  ['d1:vi5ee', {}],
  ['d1:vlee', {}],
  ['d1:pi0ee', { p: 0 }],
  ['d1:pi65535ee', { p: 65_535 }],
  ['d1:pi65536ee', {}],
  ['d1:pi-1ee', {}],
  ['d1:p4:6881e', {}],
  [`d6:yourip${string('\0'.repeat(16))}e`, { yourip: '::' }],
  ['d6:yourip3:abce', {}],
  ['d4:ipv45:abcdee', {}],
  ['d4:ipv64:abcde', {}],
  ['d4:reqqi0ee', { reqq: 0 }],
  ['d4:reqqi4294967295ee', { reqq: 2 ** 32 - 1 }],
  ['d4:reqqi4294967296ee', {}],
  ['d4:reqqi-5ee', {}],
  ['d4:reqq3:abce', {}],
  ['d13:metadata_sizei9223372036854775807ee', {}],
  ['d13:metadata_sizedee', {}],
  ['d1:ei0ee', { e: false }],
  ['d1:ei7ee', { e: true }],
  ['d1:e1:1e', {}],
  ['d11:upload_onlyi-1ee', { upload_only: true }],
  ['d12:complete_agoi-9007199254740991ee', { complete_ago: -(2 ** 53 - 1) }],
  // Keys that the wire does not know.
  ['d1:xi1ee', { x: 1 }],
  ['d1:x3:abce', { x: Buffer.from('abc') }],
  ['d1:xli1e1:ai-2eee', { x: [1, Buffer.from('a'), -2] }],
  ['d1:xd1:ai1e1:bleee', { x: { a: 1, b: [] } }],
  ['d1:xi9007199254740991ee', { x: 2 ** 53 - 1 }],
  ['d1:xi9007199254740992ee', { x: 2n ** 53n }],
  ['d1:xi-9007199254740992ee', { x: -(2n ** 53n) }],
  ['d1:xi9223372036854775807ee', { x: 2n ** 63n - 1n }],
  ['d1:xi-0ee', { x: 0 }],
  ['d1:xi007ee', { x: 7 }],
  ['d0:i1ee', { '': 1 }],
  [`d${string('\xff')}i1ee`, { '\ufffd': 1 }],
  // Neither sorted, nor each key once, nor alone.
  ['d1:zi1e1:ai2ee', { z: 1, a: 2 }],
  ['d1:xi1e1:xi2ee', { x: 2 }],
  ['d1:v1:a1:v1:be', { v: 'b' }],
  ['d1:v1:aerubbish', { v: 'a' }],
  ['d1:v1:aei5e', { v: 'a' }]
]) {
  test(`reads ${inspect(payload, { maxStringLength: 60 })} (${payload.length})`, (t) => {
    t.deepEqual(plain(read(payload)), { m: {}, ...expected })
  })
}

for (const [m, expected] of [
  ['i5e', {}],
  ['le', {}],
  ['1:a', {}],
  ['d1:ai1ee', { a: 1 }],
  ['d1:ai255ee', { a: 255 }],
  ['d1:ai256e1:bi1ee', { b: 1 }],
  ['d1:ai-1e1:bi1ee', { b: 1 }],
  ['d1:ai0e1:bi1ee', { b: 1 }],
  ['d1:a1:11:bi1ee', { b: 1 }],
  ['d1:alee', {}],
  ['d1:ai1e1:bi1ee', { a: 1, b: 1 }],
  ['d1:ai1e1:ai2ee', { a: 2 }],
  ['d1:bi2e1:ai1ee', { a: 1, b: 2 }],
  ['d0:i1ee', {}],
  [`d${string('a'.repeat(64))}i1ee`, { ['a'.repeat(64)]: 1 }],
  [`d${string('a'.repeat(65))}i1ee`, {}],
  [`d${string('\xff')}i1ee`, {}],
  [`d${string('\xc3\xb6')}i1ee`, { ö: 1 }]
]) {
  test(`reads m of ${inspect(m, { maxStringLength: 60 })} (${m.length})`, (t) => {
    const wire = met()
    wire.write(extended(0, `d1:m${m}e`))
    t.deepEqual({ ...wire.peerExtendedHandshake.m }, expected)
    t.deepEqual({ ...wire.peerExtendedMapping }, expected)
  })
}

const SPECIAL = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']

for (const name of SPECIAL) {
  test(`gives ${name} no meaning, as a key or as a name`, (t) => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    const key = string(name)
    const wire = met()
    wire.write(extended(0, `d${key}d1:xi1ee1:md${key}i7ee1:yd${key}ld${key}i5eeee1:zlee`))
    const { peerExtendedHandshake, peerExtendedMapping } = wire
    for (const object of [peerExtendedHandshake, peerExtendedHandshake.m, peerExtendedMapping]) {
      t.is(Object.getPrototypeOf(object), null)
      t.true(Object.hasOwn(object, name))
    }
    t.is(peerExtendedHandshake[name].x, 1)
    t.is(peerExtendedHandshake.m[name], 7)
    t.is(peerExtendedMapping[name], 7)
    t.is(peerExtendedHandshake.y[name][0][name], 5)
    t.is(Object.getPrototypeOf(peerExtendedHandshake.y), null)
    t.is({}.x, undefined)
    t.deepEqual(Object.getOwnPropertyNames(Object.prototype), before)
    wire.write(extended(0, `d1:md${key}i0eee`))
    t.deepEqual(Object.keys(peerExtendedMapping), [])
    t.is(peerExtendedMapping[name], undefined)
  })
}

// Further handshakes

test('merges further handshakes', (t) => {
  const wire = met()
  const { peerExtendedMapping } = wire
  const given = []
  wire.on('extended-handshake', (handshake) => given.push(handshake))
  const steps = [
    [
      { m: { a: 1, b: 2 }, v: 'one', reqq: 5, x: 1 },
      { m: { a: 1, b: 2 }, v: 'one', reqq: 5, x: 1 }
    ],
    [{ m: { c: 3, a: 9 } }, { m: { a: 9, b: 2, c: 3 }, v: 'one', reqq: 5 }],
    [
      { m: { b: 0 }, reqq: 7 },
      { m: { a: 9, c: 3 }, v: 'one', reqq: 7 }
    ],
    [
      { v: 'two', y: 2 },
      { m: { a: 9, c: 3 }, v: 'two', reqq: 7, y: 2 }
    ],
    [
      { m: { b: 4, none: 0 }, v: 5 },
      { m: { a: 9, b: 4, c: 3 }, v: 'two', reqq: 7 }
    ]
  ]
  for (const [dictionary, expected] of steps) {
    wire.write(announce(dictionary))
    t.deepEqual(plain(wire.peerExtendedHandshake), expected)
    t.deepEqual({ ...peerExtendedMapping }, expected.m)
    t.is(given.at(-1), wire.peerExtendedHandshake)
  }
  t.is(wire.peerExtendedMapping, peerExtendedMapping)
  // What was given out before stays as it was, except `m`, which is live.
  for (const [n, handshake] of given.entries()) {
    t.is(handshake.m, peerExtendedMapping)
    t.deepEqual(plain({ ...handshake, m: steps[n][1].m }), steps[n][1])
  }
})

test('does work in proportion to a further handshake, however many names are known', (t) => {
  const COUNT = 2000
  const timeAfter = (names) => {
    const wire = met()
    const m = Object.fromEntries(Array.from({ length: names }, (_, n) => [`extension ${n}`, n + 1]))
    wire.write(announce({ m }))
    const further = [announce({}), announce({ m: { x: 0 } }), announce({ m: { 'extension 0': 9 } })]
    const chunk = Buffer.concat(Array.from({ length: COUNT }, (_, n) => further[n % 3]))
    const start = performance.now()
    wire.write(chunk)
    return performance.now() - start
  }
  const best = (names) => Math.min(...[1, 2, 3].map(() => timeAfter(names)))
  // Reading all of 255 names takes fifty times as long as reading a few bytes.
  const [few, many] = [best(1), best(255)]
  t.true(many < 10 * few, `${many} ms after ${few} ms`)
})

test('sends under the newest id of the peer', (t) => {
  const wire = met()
  for (const id of [3, 200, 1]) {
    wire.write(announce({ m: { a: id } }))
    wire.extended('a', 'x')
    t.deepEqual(sentBy(wire), [[id, '1:x']])
  }
})

// Cuts

test('reads a handshake that is cut anywhere', (t) => {
  const bytes = Buffer.concat([announce({ ...FULL, x: [1, 'a'] }), extended(1, 'abc'), frame(4, 1)])
  const run = (sizes) => {
    const wire = pwp()
    const log = []
    wire.use(extensionOf('ut_pex', log))
    wire.write(EXTENDED_HANDSHAKE)
    const note = (name) => wire.on(name, (...args) => log.push([name, ...args]))
    for (const name of ['extended', 'extended-handshake', 'have']) note(name)
    for (const chunk of cut(bytes, sizes)) wire.write(Buffer.from(chunk))
    return plain(log.slice(1))
  }
  const whole = run([])
  t.deepEqual(
    whole.map((call) => call.slice(0, 2).filter((part) => typeof part !== 'object')),
    [
      ['ut_pex', 'onExtendedHandshake'],
      ['extended', 0],
      ['extended-handshake'],
      ['ut_pex', 'onMessage'],
      ['extended', 1],
      ['have', 1]
    ]
  )
  for (let at = 1; at < bytes.length; at++) t.deepEqual(run([at, bytes.length]), whole)
  for (const size of [1, 2, 3, 7, 64]) t.deepEqual(run([size]), whole)
})

test('keeps nothing of the chunk, which may change afterwards', (t) => {
  const wire = met()
  const raw = []
  wire.on('extended', (_, message) => raw.push(message))
  const chunk = announce({ x: 'abc', v: 'one', m: { a: 1 } })
  const payload = Buffer.from(chunk.subarray(6))
  wire.write(chunk)
  chunk.fill(0)
  t.deepEqual(raw, [payload])
  t.deepEqual(plain(wire.peerExtendedHandshake), { x: Buffer.from('abc'), v: 'one', m: { a: 1 } })
  t.is(wire.peerExtendedHandshake.x.buffer.byteLength, 3)
})

// What cannot be decoded

const nested = (depth) => `d1:x${'l'.repeat(depth - 1)}${'e'.repeat(depth - 1)}e`

/** A dictionary with a list, with so many values and keys in all. */
const manyTokens = (count) => `d1:xl${'0:'.repeat(count - 3)}ee`

/** A dictionary of so many bytes. */
const ofLength = (length) => {
  const room = length - `d1:x${length}:e`.length
  return `d1:x${string('a'.repeat(room))}e`
}

const VALID = {
  'a depth of 100': nested(100),
  '1,000 values and keys': manyTokens(MAX_TOKENS),
  '256 KiB': ofLength(MAX_LENGTH)
}

const INVALID = {
  nothing: '',
  'a number': 'i5e',
  'a list': 'le',
  'a string': '2:de',
  'a dictionary without its end': 'd1:v1:a',
  'a key without a value': 'd1:ve',
  'a key that is a number': 'di1ei1ee',
  'a string that is cut off': 'd1:v5:ae',
  'a number that is none': 'd1:xi1x2ee',
  'no digits': 'd1:xiee',
  'a minus alone': 'd1:xi-ee',
  'an integer of 64 bits': 'd1:xi9223372036854775808ee',
  'an integer of 1,000 digits': `d1:xi${'9'.repeat(1000)}ee`,
  'a length near 2^64': 'd1:x18446744073709551610:ae',
  'a length of 100 digits': `d1:x${'9'.repeat(100)}:ae`,
  'a negative length': 'd1:x-1:ae',
  rubbish: '\xff\0\xfe',
  'a depth of 101': nested(101),
  'a depth of 100,000': 'l'.repeat(100_000),
  '1,001 values and keys': manyTokens(MAX_TOKENS + 1),
  'a byte more than 256 KiB': ofLength(MAX_LENGTH + 1),
  'a megabyte': 'l'.repeat(1024 * KIB - 2)
}

for (const [what, payload] of Object.entries(VALID)) {
  test(`reads ${what}`, (t) => {
    if (what === '256 KiB') t.is(payload.length, MAX_LENGTH)
    for (const policy of ['lenient', 'strict']) {
      const wire = met({ policy })
      const seen = record(wire, ['extended', 'extended-handshake'])
      wire.write(extended(0, payload))
      t.deepEqual(seen, ['extended', 'extended-handshake'])
      t.true('x' in wire.peerExtendedHandshake)
      t.is(wire.stats().violations, 0)
    }
  })
}

for (const [what, payload] of Object.entries(INVALID)) {
  test(`counts ${what}, and delivers only the raw message`, (t) => {
    const log = []
    const wire = met()
    wire.use(extensionOf('a', log))
    wire.write(announce({ m: { a: 4 }, v: 'before' }))
    const { peerExtendedHandshake } = wire
    log.length = 0
    const seen = record(wire, ['extended', 'extended-handshake', 'have', 'close'])
    wire.once('extended', (id, message) => {
      t.is(id, 0)
      t.is(message.toString('latin1'), payload)
    })
    wire.write(Buffer.concat([extended(0, payload), frame(4, 1)]))
    t.deepEqual(seen, ['extended', 'have'])
    t.deepEqual(log, [])
    t.is(wire.stats().violations, 1)
    t.is(wire.peerExtendedHandshake, peerExtendedHandshake)
    t.is(wire.peerExtendedMapping.a, 4)
    wire.write(announce({ v: 'after' }))
    t.is(wire.peerExtendedHandshake.v, 'after')
  })

  test(`a strict wire closes at ${what}`, (t) => {
    const log = []
    const wire = met({ policy: 'strict' })
    wire.use(extensionOf('a', log))
    const seen = record(wire, ['extended', 'extended-handshake', 'have', 'error', 'close'])
    wire.write(Buffer.concat([extended(0, payload), frame(4, 1)]))
    t.deepEqual(seen, ['error', 'close'])
    t.deepEqual(log, [])
    t.true(wire.error instanceof pwp.ProtocolError)
    t.is(wire.error.code, 'ERR_PWP_EXTENDED_HANDSHAKE')
    t.is(wire.peerExtendedHandshake, null)
  })

  test(`a strict wire that uses no extension does not look at ${what}`, (t) => {
    const wire = pwp({ policy: 'strict' })
    const seen = record(wire, ['extended', 'have', 'error'])
    wire.write(Buffer.concat([EXTENDED_HANDSHAKE, extended(0, payload), frame(4, 1)]))
    t.deepEqual(seen, ['extended', 'have'])
    t.is(wire.stats().violations, 0)
  })
}

// What a peer may cost

/** A dictionary of names and ids, so many of them. */
const list = (from, count) => {
  const names = Array.from({ length: count }, (_, index) => `n${from + index}`)
  return Object.fromEntries(names.map((name, index) => [name, (index % 255) + 1]))
}

test('keeps at most 255 names, however many the peer lists', (t) => {
  const wire = met()
  wire.write(announce({ m: list(0, 300) }))
  t.is(Object.keys(wire.peerExtendedMapping).length, 255)
  t.is(Object.keys(wire.peerExtendedHandshake.m).length, 255)
  wire.write(announce({ m: list(1000, 300) }))
  t.is(Object.keys(wire.peerExtendedMapping).length, 255)
  const off = Object.fromEntries(Object.keys(wire.peerExtendedMapping).map((name) => [name, 0]))
  wire.write(announce({ m: off }))
  t.is(Object.keys(wire.peerExtendedMapping).length, 0)
  wire.write(announce({ m: list(2000, 10) }))
  t.is(Object.keys(wire.peerExtendedMapping).length, 10)
})

/** In bytes, a fifth of what the handshakes of the test have in keys and values. */
const MOST_GROWTH = 4 * 1024 * KIB

/** Bytes without garbage. */
const held = () => {
  // What a finalizer releases is garbage only for the next collection.
  for (let collection = 0; collection < 3; collection++) collectGarbage()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

test.serial('holds no more after thousands of handshakes than after one', (t) => {
  const wire = met()
  const ROUNDS = 5000
  let handshakes = 0
  wire.on('extended-handshake', () => handshakes++)
  const round = (number) => {
    const m = { [`first ${number}`]: 1, [`second ${number}`]: 2 }
    wire.write(announce({ m, v: `version ${number}`, [`key ${number}`]: Buffer.alloc(4 * KIB) }))
  }
  for (let number = 0; number < 300; number++) round(number)
  const before = held()
  for (let number = 0; number < ROUNDS; number++) round(number)
  const growth = held() - before
  t.is(handshakes, 300 + ROUNDS)
  t.is(Object.keys(wire.peerExtendedMapping).length, 255)
  t.is(Object.keys(wire.peerExtendedHandshake).length, 3)
  t.true(growth < MOST_GROWTH, `${growth} bytes more`)
  t.deepEqual(sentBy(wire), [])
})
