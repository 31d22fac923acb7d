// Wrong arguments of the local caller: they throw at once, name the argument and change nothing.
import vm from 'node:vm'

import test from 'ava'

import { encodeHandshake, frame } from '../testkit/messages.mjs'
import { greeted, pwp, unchoked } from '../testkit/wires.mjs'

const hash = Buffer.alloc(20)

const rejects = (title, call, expected) => {
  test(title, (t) => {
    const wire = unchoked()
    t.throws(() => call(wire), expected)
    t.is(wire.requests.length, 0)
    t.is(wire.uploaded, 0)
    t.is(wire.read(), null)
  })
}

const text = 'infoHash and peerId MUST have length 20'
rejects('handshake refuses an info hash of 19 bytes', (w) => w.handshake(Buffer.alloc(19), hash), {
  message: text
})
rejects('handshake refuses text that is not hex as info hash', (w) => w.handshake('zz', hash), {
  message: text
})
rejects('handshake refuses a missing peer id', (w) => w.handshake(hash), {
  instanceOf: TypeError,
  message: /peerId/
})

for (const [value, instanceOf] of [
  [-1, RangeError],
  [0.5, RangeError],
  [NaN, RangeError],
  [2 ** 32, RangeError],
  ['1', TypeError],
  [undefined, TypeError]
]) {
  const named = (message) => ({ instanceOf, message })
  rejects(`have refuses ${value}`, (w) => w.have(value), named(/piece/))
  rejects(`request refuses piece ${value}`, (w) => w.request(value, 0, 1), named(/piece/))
  rejects(`request refuses offset ${value}`, (w) => w.request(0, value, 1), named(/offset/))
  rejects(`request refuses length ${value}`, (w) => w.request(0, 0, value), named(/length/))
  rejects(`cancel refuses piece ${value}`, (w) => w.cancel(value, 0, 1), named(/piece/))
  rejects(`piece refuses offset ${value}`, (w) => w.piece(0, value, hash), named(/offset/))
  rejects(`suggest refuses ${value}`, (w) => w.suggest(value), named(/piece/))
  rejects(`allowedFast refuses ${value}`, (w) => w.allowedFast(value), named(/piece/))
  rejects(`reject refuses piece ${value}`, (w) => w.reject(value, 0, 1), named(/piece/))
  rejects(`reject refuses offset ${value}`, (w) => w.reject(0, value, 1), named(/offset/))
  rejects(`reject refuses length ${value}`, (w) => w.reject(0, 0, value), named(/length/))
  rejects(`setPieces refuses ${value}`, (w) => w.setPieces(value), named(/count/))
  rejects(`port refuses ${value}`, (w) => w.port(value), named(/port/))
  rejects(`extended refuses id ${value}`, (w) => w.extended(value, {}), named(/id/))
  rejects(
    `maxMessageLength refuses ${value ?? 'null'}`,
    () => pwp({ maxMessageLength: value ?? '' }),
    {
      message: /maxMessageLength/
    }
  )
}

for (const count of [0, 2 ** 31, 1.5]) {
  rejects(`setPieces refuses ${count} pieces`, (w) => w.setPieces(count), {
    instanceOf: RangeError,
    message: /^count must be /
  })
}
rejects('port refuses 65536', (w) => w.port(65536), { instanceOf: RangeError })
rejects('extended refuses id 256', (w) => w.extended(256, {}), { instanceOf: RangeError })
rejects('extended refuses a missing message', (w) => w.extended(0), { message: /message/ })
rejects('piece refuses a string as block', (w) => w.piece(0, 0, 'block'), { message: /block/ })
rejects('bitfield refuses an array of numbers', (w) => w.bitfield([1]), { message: /bitfield/ })
rejects('request refuses an object as callback', (w) => w.request(0, 0, 1, {}, {}), {
  message: /callback/
})
rejects('setTimeout refuses a negative duration', (w) => w.setTimeout(-1), { message: /ms/ })

test('accepts bytes of another realm', (t) => {
  const foreign = vm.runInNewContext('new Uint8Array(20)')
  t.false(foreign instanceof Uint8Array)
  const wire = pwp()
  wire.handshake(foreign, foreign)
  wire.bitfield(foreign)
  wire.piece(0, 0, foreign)
  wire.extended(1, foreign)
  t.is(wire.readableLength, 68 + 25 + 33 + 26)
})

test('accepts bitfields as bytes and as objects that wrap bytes', (t) => {
  const wire = pwp()
  const bits = Buffer.from([0xf0])
  for (const bitfield of [bits, new Uint8Array(bits), { buffer: bits }]) {
    wire.bitfield(bitfield)
    t.deepEqual(wire.read(), frame(5, bits))
  }
})

test('copies a bitfield, so that its owner may change it afterwards', (t) => {
  const wire = pwp()
  const bits = Buffer.from([0xf0])
  wire.bitfield(bits)
  bits[0] = 0
  t.deepEqual(wire.read(), frame(5, Buffer.from([0xf0])))
})

test('sends bytes as they are and bencodes anything else', (t) => {
  const wire = pwp()
  wire.extended(3, Buffer.from('abc'))
  t.deepEqual(wire.read(), frame(20, Buffer.from('\x03abc')))
  wire.extended(0, { v: 'x', m: { ut_pex: 2, ut_metadata: 1 } })
  t.deepEqual(wire.read(), frame(20, Buffer.from('\0d1:md11:ut_metadatai1e6:ut_pexi2ee1:v1:xe')))
})

const mustBe = (name) => ({ instanceOf: TypeError, message: new RegExp(`^${name} must be `) })

/** A value whose methods must not be called: its type is enough to refuse it. */
const untouchable = {
  valueOf() {
    throw new Error('valueOf was called')
  },
  toString() {
    throw new Error('toString was called')
  },
  [Symbol.toPrimitive]() {
    throw new Error('toPrimitive was called')
  }
}

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** One of each kind of value that is not a number. */
const NO_NUMBERS = {
  'a BigInt': 1n,
  'a symbol': Symbol('1'),
  'an object without a prototype': Object.create(null),
  'an object whose methods throw': untouchable,
  'an object that gives a number': { valueOf: () => 1 },
  'a boxed number': Object(1),
  'a revoked proxy': revoked(),
  'a function': () => 1,
  null: null,
  true: true,
  'an array': [1]
}

const NUMBERS = [
  ['have', 'piece', (w, value) => w.have(value)],
  ['request', 'piece', (w, value) => w.request(value, 0, 1)],
  ['request', 'offset', (w, value) => w.request(0, value, 1)],
  ['request', 'length', (w, value) => w.request(0, 0, value)],
  ['cancel', 'piece', (w, value) => w.cancel(value, 0, 1)],
  ['cancel', 'offset', (w, value) => w.cancel(0, value, 1)],
  ['cancel', 'length', (w, value) => w.cancel(0, 0, value)],
  ['piece', 'piece', (w, value) => w.piece(value, 0, hash)],
  ['piece', 'offset', (w, value) => w.piece(0, value, hash)],
  ['suggest', 'piece', (w, value) => w.suggest(value)],
  ['allowedFast', 'piece', (w, value) => w.allowedFast(value)],
  ['reject', 'piece', (w, value) => w.reject(value, 0, 1)],
  ['reject', 'offset', (w, value) => w.reject(0, value, 1)],
  ['reject', 'length', (w, value) => w.reject(0, 0, value)],
  ['setPieces', 'count', (w, value) => w.setPieces(value)],
  ['port', 'port', (w, value) => w.port(value)],
  ['extended', 'id', (w, value) => w.extended(value, {})],
  ['setTimeout', 'ms', (w, value) => w.setTimeout(value)],
  ...[
    'speed',
    'maxMessageLength',
    'maxRequestLength',
    'maxPeerRequests',
    'pieces',
    'uploadBacklog',
    'handshakeTimeout',
    'inactivityTimeout',
    'rejectTimeout',
    'transcript'
  ].map((name) => ['pwp', name, (w, value) => pwp({ [name]: value })])
]

for (const [kind, value] of Object.entries(NO_NUMBERS)) {
  for (const [method, name, call] of NUMBERS) {
    // A missing option has its default.
    if (method === 'pwp' && value === null) continue
    rejects(`${method} refuses ${kind} as ${name}`, (w) => call(w, value), {
      instanceOf: TypeError,
      message: `${name} must be a number`
    })
  }
  rejects(`piece refuses ${kind} as block`, (w) => w.piece(0, 0, value), mustBe('block'))
  rejects(`bitfield refuses ${kind}`, (w) => w.bitfield(value), mustBe('bitfield'))
  rejects(
    `handshake refuses ${kind} as info hash`,
    (w) => w.handshake(value, hash),
    mustBe('infoHash')
  )
  rejects(`handshake refuses ${kind} as peer id`, (w) => w.handshake(hash, value), mustBe('peerId'))
  // A missing field or option has its default.
  const given = value ?? 0
  for (const name of ['extended', 'fast', 'v2']) {
    if (kind === 'true') continue
    rejects(
      `handshake refuses ${kind} as ${name}`,
      (w) => w.handshake(hash, hash, { [name]: given }),
      mustBe(`extensions\\.${name}`)
    )
  }
  rejects(
    `handshake refuses ${kind} as reserved`,
    (w) => w.handshake(hash, hash, { reserved: value ?? 7 }),
    mustBe('extensions\\.reserved')
  )
  rejects(`notPeerId refuses ${kind}`, () => pwp({ notPeerId: given }), mustBe('notPeerId'))
  if (typeof value !== 'function') {
    rejects(`infoHashes refuses ${kind}`, () => pwp({ infoHashes: given }), mustBe('infoHashes'))
    rejects(
      `infoHashes refuses an array with ${kind}`,
      () => pwp({ infoHashes: [hash, value] }),
      mustBe('infoHashes')
    )
    rejects(`infoHashes refuses a Set with ${kind}`, () => pwp({ infoHashes: new Set([value]) }), {
      instanceOf: TypeError,
      message: 'infoHashes must have strings of 40 lower-case hex digits'
    })
  }
  rejects(`policy refuses ${kind}`, () => pwp({ policy: value ?? 0 }), mustBe('policy'))
  if (kind !== 'true') {
    rejects(
      `copyBlocks refuses ${kind}`,
      () => pwp({ copyBlocks: value ?? 0 }),
      mustBe('copyBlocks')
    )
  }
  if (typeof value !== 'function' && value !== null) {
    rejects(
      `request refuses ${kind} as callback`,
      // An object in the place before the callback has options.
      (w) => w.request(0, 0, 1, ...(typeof value === 'object' ? [null, value] : [value])),
      mustBe('callback')
    )
    rejects(
      `setTimeout refuses ${kind} as listener`,
      (w) => w.setTimeout(1, value),
      mustBe('listener')
    )
  }
}

const digits = 'a1B2'.repeat(10)

for (const [what, infoHash] of [
  ['41 hex digits', `${digits}0`],
  ['40 hex digits and more text', `${digits} and more`],
  ['40 hex digits and a new line', `${digits}\n`],
  ['40 hex digits after a blank', ` ${digits}`],
  ['42 hex digits', `${digits}00`],
  ['39 hex digits', digits.slice(1)],
  ['40 characters that are not hex digits', 'g'.repeat(40)],
  ['40 full-width digits', '\uff11'.repeat(40)],
  ['20 characters', 'x'.repeat(20)],
  ['nothing', '']
]) {
  rejects(`handshake refuses ${what} as info hash`, (w) => w.handshake(infoHash, hash), {
    message: text
  })
}

for (const [what, infoHash] of [
  ['41 hex digits', `${digits}0`],
  ['20 characters', 'x'.repeat(20)],
  ['nothing', ''],
  ['19 bytes', Buffer.alloc(19)],
  ['21 bytes', Buffer.alloc(21)],
  ['bytes that say they are 20', Object.defineProperty(Buffer.alloc(5), 'length', { value: 20 })]
]) {
  rejects(`infoHashes refuses ${what}`, () => pwp({ infoHashes: infoHash }), { message: text })
  rejects(`infoHashes refuses ${what} in an array`, () => pwp({ infoHashes: [infoHash] }), {
    message: text
  })
  if (typeof infoHash === 'string') {
    rejects(`infoHashes refuses ${what} in a Set`, () => pwp({ infoHashes: new Set([infoHash]) }), {
      message: text
    })
  }
}

rejects(
  'infoHashes refuses upper-case digits in a Set',
  () => pwp({ infoHashes: new Set([digits]) }),
  {
    instanceOf: TypeError,
    message: /lower-case/
  }
)

for (const [what, reserved] of [
  ['7 bytes', Buffer.alloc(7)],
  ['9 bytes', new Uint8Array(9)],
  ['no bytes', Buffer.alloc(0)],
  ['bytes that say they are 8', Object.defineProperty(Buffer.alloc(5), 'length', { value: 8 })]
]) {
  rejects(`handshake refuses ${what} as reserved`, (w) => w.handshake(hash, hash, { reserved }), {
    instanceOf: RangeError,
    message: 'extensions.reserved must have 8 bytes'
  })
}

for (const [what, peerId] of [
  ['19 bytes', Buffer.alloc(19)],
  ['21 characters', 'x'.repeat(21)],
  ['40 hex digits', digits],
  ['nothing', '']
]) {
  rejects(`notPeerId refuses ${what}`, () => pwp({ notPeerId: peerId }), { message: text })
}

for (const reserved of [0, '', false, NaN, 0n]) {
  rejects(
    `handshake refuses ${typeof reserved} ${String(reserved)} as reserved`,
    (w) => w.handshake(hash, hash, { reserved }),
    mustBe('extensions\\.reserved')
  )
}

test('copies the ids of options, whatever length they say', (t) => {
  const infoHashes = Object.defineProperty(Buffer.alloc(20, 1), 'length', { value: 3 })
  const notPeerId = Object.defineProperty(Buffer.alloc(20, 2), 'length', { value: 3 })
  const wires = [2, 3].map(() => pwp({ infoHashes, notPeerId }))
  infoHashes.fill(9)
  notPeerId.fill(9)
  for (const [index, wire] of wires.entries()) {
    const ids = { infoHash: Buffer.alloc(20, 1), peerId: Buffer.alloc(20, 2 + index) }
    const greeting = encodeHandshake({ reserved: Array(8).fill(0), ...ids })
    wire.write(Buffer.concat([greeting, frame(4, 1)]))
    t.is(wire.error?.code, ['ERR_PWP_PEER_ID', undefined][index])
  }
})

test('reads reserved bytes of another realm, and copies them', (t) => {
  const reserved = vm.runInNewContext('new Uint8Array(8).fill(0x81)')
  const wire = pwp()
  wire.handshake(hash, hash, { reserved })
  reserved.fill(0)
  t.deepEqual(wire.read().subarray(20, 28), Buffer.from('8181818181918181', 'hex'))
})

for (const [what, peerId] of [
  ['19 characters', 'x'.repeat(19)],
  ['20 characters of 40 bytes', '\u00e9'.repeat(20)],
  ['40 hex digits', digits],
  ['nothing', '']
]) {
  rejects(`handshake refuses ${what} as peer id`, (w) => w.handshake(hash, peerId), {
    message: text
  })
}

test('accepts an info hash of 40 hex digits in either case, and a peer id of 20 bytes in UTF-8', (t) => {
  const wire = pwp()
  wire.handshake(digits, '\u00e9'.repeat(10))
  const sent = wire.read()
  t.is(sent.toString('hex', 28, 48), digits.toLowerCase())
  t.is(sent.toString('utf8', 48), '\u00e9'.repeat(10))
})

const announced = (extensions) => {
  const wire = pwp()
  wire.handshake(hash, hash, extensions)
  return wire.read()[27] === 1
}

test('accepts every value for extensions that peer-wire-protocol accepts', (t) => {
  for (const dht of [true, 1, 'yes', {}, Symbol('dht'), 1n, untouchable]) t.true(announced({ dht }))
  for (const dht of [false, 0, '', null, undefined, NaN, 0n]) t.false(announced({ dht }))
  for (const none of [undefined, null, 0, '', 'dht', 7, 1n, Symbol('dht'), [], untouchable]) {
    t.false(announced(none))
  }
})

test('setKeepAlive accepts any value, and stops only for false', (t) => {
  const wire = pwp()
  for (const enable of [undefined, null, 0, '', 1n, Symbol('on'), untouchable, revoked()]) {
    t.notThrows(() => wire.setKeepAlive(enable))
  }
  wire.setKeepAlive(false)
  wire.destroy()
})

test('destroy() closes the wire whatever its argument is, and keeps a truthy one as the error', (t) => {
  const thrower = new Proxy({}, { get: untouchable.valueOf, getPrototypeOf: untouchable.valueOf })
  for (const reason of [1n, Symbol('why'), untouchable, Object.create(null), revoked(), thrower]) {
    const wire = unchoked({ transcript: 3 })
    wire.on('close', () => t.true(wire.error === reason))
    wire.destroy(reason)
    t.true(wire.destroyed)
  }
  for (const nothing of [false, 0, '', null, undefined, NaN, 0n]) {
    t.is(greeted().destroy(nothing).error, null)
  }
  t.plan(2 * 6 + 7)
})

const boom = () => {
  throw new Error('boom')
}

test('infoHashes of an array that cannot be read are refused, with the reason', (t) => {
  for (const infoHashes of [
    Object.defineProperty([], 0, { get: boom }),
    new Proxy([hash], { get: boom })
  ]) {
    const { cause } = t.throws(() => pwp({ infoHashes }), {
      instanceOf: TypeError,
      message: 'infoHashes cannot be read'
    })
    t.is(cause.message, 'boom')
  }
})

test('infoHashes are the elements of an array, whatever methods it has, and without holes', (t) => {
  const own = Object.assign([hash], { map: boom, [Symbol.iterator]: boom })
  t.notThrows(() => pwp({ infoHashes: own }))
  const holes = Array(2)
  holes[1] = hash
  t.throws(() => pwp({ infoHashes: holes }), { instanceOf: TypeError, message: /^infoHashes must/ })
})

test('setPieces refuses another count than is known, and changes nothing', (t) => {
  const first = pwp({ pieces: 9 })
  const later = greeted()
  later.setPieces(9)
  for (const wire of [first, later]) {
    t.throws(() => wire.setPieces(8), {
      instanceOf: RangeError,
      message: 'count must be 9, as it was set before, got 8'
    })
    t.notThrows(() => wire.setPieces(9))
  }
  later.write(frame(5, Buffer.from([0xff, 0x80])))
  t.is(later.error, null)
})
