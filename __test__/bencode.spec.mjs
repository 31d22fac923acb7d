// The bencoding of extended(): exactly the given value, or nothing and an error that names the place.
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import vm from 'node:vm'

import test from 'ava'
import bencode from 'bencode'

import { randomFrom } from '../testkit/random.mjs'
import { SEED } from '../testkit/settings.mjs'
import { pwp } from '../testkit/wires.mjs'

const original = createRequire(import.meta.url)('peer-wire-protocol')

/** The bytes that a wire sends as a message of an extension, without the head of the frame. */
const encoded = (message, make = pwp) => {
  const wire = make()
  wire.extended(3, message)
  const chunks = []
  for (let chunk = wire.read(); chunk !== null; chunk = wire.read()) chunks.push(chunk)
  return Buffer.concat(chunks).subarray(6)
}

const nested = (depth, wrap, inner) => {
  let value = inner
  for (let level = 0; level < depth; level++) value = wrap(value)
  return value
}

const inList = (value) => [value]

for (const [message, bytes] of [
  ['text', '4:text'],
  ['', '0:'],
  ['d\u00e9j\u00e0 vu', '9:d\u00e9j\u00e0 vu'],
  [0, 'i0e'],
  [-0, 'i0e'],
  [-7, 'i-7e'],
  [2 ** 31, 'i2147483648e'],
  [-(2 ** 40) - 5, 'i-1099511627781e'],
  [Number.MAX_SAFE_INTEGER, 'i9007199254740991e'],
  [Number.MIN_SAFE_INTEGER, 'i-9007199254740991e'],
  [0n, 'i0e'],
  [-1n, 'i-1e'],
  [2n ** 53n, 'i9007199254740992e'],
  [2n ** 64n - 1n, 'i18446744073709551615e'],
  [-(10n ** 40n), `i-1${'0'.repeat(40)}e`],
  [[], 'le'],
  [[1, 'a', [2n], { b: 3 }], 'li1e1:ali2eed1:bi3eee'],
  [{}, 'de'],
  [{ b: 1, a: { d: 2, c: 3 } }, 'd1:ad1:ci3e1:di2ee1:bi1ee'],
  [{ 10: 1, 9: 2, '': 3, a: 4 }, 'd0:i3e2:10i1e1:9i2e1:ai4ee'],
  [{ a: Buffer.from('AB') }, 'd1:a2:ABe'],
  [{ a: new Uint8Array([65, 66]) }, 'd1:a2:ABe'],
  [
    [vm.runInNewContext('new Uint8Array([65])'), vm.runInNewContext('({ a: [1] })')],
    'l1:Ad1:ali1eeee'
  ],
  [Object.assign(Object.create(null), { z: 1, a: 2 }), 'd1:ai2e1:zi1ee'],
  [null, 'de'],
  [{ a: null, b: [null] }, 'd1:ade1:bldeee'],
  [JSON.parse('{"__proto__": 1}'), 'd9:__proto__i1ee'],
  [{ a: 1, [Symbol('b')]: 2 }, 'd1:ai1ee'],
  [Object.defineProperty({ a: 1 }, 'hidden', { value: () => {} }), 'd1:ai1ee'],
  [new Proxy({ b: new Proxy([1], {}), a: 2 }, {}), 'd1:ai2e1:bli1eee'],
  [nested(100, inList, 1), `${'l'.repeat(100)}i1e${'e'.repeat(100)}`]
]) {
  test(`bencodes ${inspect(message, { depth: 5 })}`, (t) => {
    t.is(encoded(message).toString(), bytes)
  })
}

test('bencodes an object that occurs in several places', (t) => {
  const shared = { x: [1] }
  t.is(encoded([shared, { a: shared }, shared.x]).toString(), 'ld1:xli1eeed1:ad1:xli1eeeeli1eee')
})

test('reads each value once, and is not affected by later changes', (t) => {
  const bytes = new Uint8Array([65, 66])
  let reads = 0
  const message = {
    a: bytes,
    get b() {
      structuredClone(bytes, { transfer: [bytes.buffer] })
      return ++reads
    }
  }
  t.is(encoded(message).toString(), 'd1:a2:AB1:bi1ee')
})

test('counts the real bytes, whatever the length property says', (t) => {
  const bytes = Object.defineProperty(Buffer.from('AB'), 'length', { value: 7 })
  t.is(encoded({ a: bytes }).toString(), 'd1:a2:ABe')
})

const KEYS = ['\uffff', '\u{10000}', '\ue000', '\ud7ff', '\u{10ffff}', '\u00e9', 'z', 'za', '', '~']

test('sorts keys by their bytes, also above U+FFFF', (t) => {
  const random = randomFrom(SEED, 'keys')
  for (let round = 0; round < 100; round++) {
    const keys = random.times(8, () => random.pick(KEYS) + random.pick(KEYS))
    const message = Object.fromEntries(keys.map((key) => [key, key]))
    const bytes = encoded(message)
    const found = Object.values(bencode.decode(bytes))
    t.deepEqual(found, found.toSorted(Buffer.compare))
    t.deepEqual(found.map(String).toSorted(), Object.keys(message).toSorted())
  }
})

test('sends the same bytes as peer-wire-protocol, except for the order of keys', (t) => {
  for (const message of [
    { m: { ut_metadata: 3, ut_pex: 1 }, metadata_size: 31235, p: 6881, v: 'wire 1' },
    { a: null, b: [null, 'x', { c: Buffer.from([255, 0]) }], c: -(2 ** 45) },
    [[], {}, '', -0, '\ud800'],
    'text',
    1234567,
    null
  ]) {
    t.deepEqual(encoded(message), encoded(message, original))
  }
})

class Handshake {
  m = {}
}

const cyclic = { list: [1] }
cyclic.list.push({ again: cyclic })

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return proxy
}

const thrower = () => {
  throw new Error('not now')
}

let titles = 0

const inKey = (value) => ({ m: { ut_pex: value } })
const KEY = 'message.m.ut_pex'

for (const [message, place] of [
  [undefined, 'message'],
  [true, 'message'],
  [() => {}, 'message'],
  [Symbol('x'), 'message'],
  [0.5, 'message'],
  ...[
    undefined,
    true,
    false,
    NaN,
    Infinity,
    -Infinity,
    1.5,
    Number.MIN_VALUE,
    2 ** 53,
    -(2 ** 53),
    1e21,
    () => {},
    Handshake,
    Symbol('x'),
    new Map([['a', 1]]),
    new Set([1]),
    new Date(0),
    /x/,
    new URL('http://localhost'),
    new Number(5),
    new String('x'),
    new Boolean(true),
    Object(1n),
    Object(Symbol('x')),
    new ArrayBuffer(2),
    new Uint16Array(1),
    new Int8Array(1),
    new DataView(new ArrayBuffer(1)),
    Promise.resolve(),
    new Handshake(),
    Object.create({ inherited: 1 }),
    new Proxy(new Map(), {}),
    new Proxy(Buffer.from('AB'), {}),
    new Proxy(new Uint8Array(2), {}),
    revoked(),
    new Proxy({}, { getPrototypeOf: thrower }),
    new Proxy({}, { ownKeys: thrower }),
    new Proxy([], { get: thrower })
  ].map((value) => [inKey(value), KEY]),
  [{ m: { toJSON: () => 1 } }, 'message.m.toJSON'],
  [{ a: [1, , 2] }, 'message.a[1]'], // oxlint-disable-line no-sparse-arrays
  [{ a: Object.assign([], { length: 4e9 }) }, 'message.a[0]'],
  [{ 'a "b"': [{ 7: undefined }] }, 'message["a \\"b\\""][0]["7"]'],
  [{ a: { '\ud800': 1 } }, 'message.a["\\ud800"]'],
  [
    {
      get a() {
        return thrower()
      }
    },
    'message.a'
  ],
  [{ a: new Proxy({ b: 1 }, { get: thrower }) }, 'message.a.b'],
  [cyclic, 'message.list[1].again'],
  [nested(101, inList, 1), `message${'[0]'.repeat(100)}`],
  [nested(1e5, (a) => ({ a }), 1), `message${'.a'.repeat(100)}`]
]) {
  test(`refuses ${describe(message)}`, (t) => {
    const wire = pwp()
    const error = t.throws(() => wire.extended(0, message), { instanceOf: TypeError })
    t.true(error.message.startsWith(`${place} `), error.message)
    t.is(wire.read(), null)
    t.is(wire.bufferedAmount, 0)
  })
}

function describe(message) {
  return `${inspect(message, { customInspect: false, breakLength: Infinity }).slice(0, 100)} ${titles++}`
}
