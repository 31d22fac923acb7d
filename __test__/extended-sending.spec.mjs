// What a wire sends by the extension protocol: its handshakes, merged with those by hand, and messages by name.
import test from 'ava'

import {
  EXTENDED_HANDSHAKE,
  INFO_HASH,
  PEER_ID,
  PLAIN_HANDSHAKE,
  announce,
  announced,
  extended,
  extensionOf,
  greet,
  met,
  named,
  sentBy
} from '../testkit/extensions.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

test('sends the extended handshake after listeners and extensions if the peer comes second', (t) => {
  const wire = pwp({ extensions: true })
  greet(wire)
  t.deepEqual(sentBy(wire), ['handshake'])
  const sent = []
  wire.on('handshake', () => {
    wire.extendedHandshake.v = 'by the listener'
    wire.use(
      extensionOf('b', [], {
        onHandshake: () => {
          wire.extendedHandshake.metadata_size = 7
          sent.push(...sentBy(wire))
        }
      })
    )
    wire.use(extensionOf('a'))
    sent.push(...sentBy(wire))
  })
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(sent, [])
  t.deepEqual(sentBy(wire), [announced({ b: 1, a: 2 }, { v: 'by the listener', metadata_size: 7 })])
})

test('sends it in the call of handshake() if the peer comes first', (t) => {
  for (const inListener of [false, true]) {
    const wire = pwp({ extensions: true, maxPeerRequests: 0 })
    wire.use(extensionOf('a'))
    if (inListener) wire.on('handshake', () => greet(wire))
    wire.write(EXTENDED_HANDSHAKE)
    if (!inListener) {
      t.deepEqual(sentBy(wire), [])
      greet(wire)
    }
    t.deepEqual(sentBy(wire), ['handshake', [0, { m: { a: 1 }, reqq: 0 }]])
  }
})

test('sends it in the call of handshake() even if the reader throws at our handshake', async (t) => {
  const wire = pwp({ extensions: true })
  wire.write(EXTENDED_HANDSHAKE)
  wire.once('data', () => {
    throw new Error('by the reader')
  })
  await settled()
  t.throws(() => greet(wire), { message: 'by the reader' })
  t.deepEqual(sentBy(wire), [announced({})])
})

test('sends it also if it is announced by the reserved bytes', (t) => {
  for (const flags of [0x10, 0]) {
    const wire = pwp({ extensions: true })
    const reserved = Buffer.of(0, 0, 0, 0, 0, flags, 0, 0)
    wire.handshake(INFO_HASH, PEER_ID, { extended: false, reserved })
    wire.write(EXTENDED_HANDSHAKE)
    t.deepEqual(sentBy(wire), flags ? ['handshake', announced({})] : ['handshake'])
  }
})

test('sends it when the first extension is used after both handshakes', (t) => {
  const wire = met()
  wire.use(extensionOf('a'))
  t.deepEqual(sentBy(wire), [announced({ a: 1 })])
  wire.use(extensionOf('b'))
  t.deepEqual(sentBy(wire), [announced({ a: 1, b: 2 })])
})

test('sends none where not both handshakes announce the extension protocol', (t) => {
  const quiet = pwp({ extensions: true })
  quiet.handshake(INFO_HASH, PEER_ID, { extended: false })
  quiet.write(EXTENDED_HANDSHAKE)
  quiet.use(extensionOf('a'))
  t.deepEqual(sentBy(quiet), ['handshake'])
  const plain = pwp({ extensions: true })
  greet(plain)
  plain.write(PLAIN_HANDSHAKE)
  plain.use(extensionOf('a'))
  t.deepEqual(sentBy(plain), ['handshake'])
})

for (const [what, message, sent] of [
  ['an object', { v: 'own' }, announced({ a: 1 }, { v: 'own' })],
  ['null', null, announced({ a: 1 })],
  ['an object without a prototype', Object.create(null), announced({ a: 1 })],
  ['a reqq of its own', { reqq: 5 }, [0, { m: { a: 1 }, reqq: 5 }]],
  ['ids of its own', { m: { b: 7, a: 9 } }, announced({ a: 9, b: 7 })],
  ['bytes', Buffer.from('d1:md1:ci3eee'), [0, { m: { c: 3 } }]]
]) {
  test(`sends no handshake by itself after one by hand, of ${what}`, (t) => {
    const wire = pwp()
    wire.use(extensionOf('a'))
    greet(wire)
    wire.extended(0, message)
    wire.write(EXTENDED_HANDSHAKE)
    t.deepEqual(sentBy(wire), ['handshake', sent])
  })
}

test('adds to a handshake by hand what is in extendedHandshake, also when that is assigned', (t) => {
  const wire = met({ extensions: true }, [extensionOf('a')])
  wire.extendedHandshake = { v: 'usual', p: 6881, m: { b: 5 } }
  wire.extended(0, { v: 'own', m: { c: 6 } })
  t.deepEqual(sentBy(wire), [announced({ a: 1, b: 5, c: 6 }, { v: 'own', p: 6881 })])
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'a', 5: 'b', 6: 'c' })
  t.deepEqual(wire.extendedHandshake, { v: 'usual', p: 6881, m: { b: 5 } })
})

test('takes an extendedHandshake that was assigned before the first use()', (t) => {
  const wire = pwp()
  wire.extendedHandshake = { v: 'early' }
  t.throws(() => wire.use(named('destroy')))
  t.deepEqual(wire.extendedHandshake, { v: 'early' })
  wire.use(extensionOf('a', [], { onUse: () => (wire.extendedHandshake.p = 1) }))
  t.false(Object.hasOwn(wire, 'extendedHandshake'))
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(sentBy(wire), ['handshake', announced({ a: 1 }, { v: 'early', p: 1 })])
})

test('learns ids that are given by hand, and gives messages under them to the extension', (t) => {
  const log = []
  const wire = met({}, [extensionOf('a', log)])
  log.length = 0
  wire.extended(0, { m: { b: 2, a: 9, none: 0, far: 256, text: 'x' } })
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'a', 2: 'b', 9: 'a' })
  wire.use(extensionOf('c', log))
  t.is(wire.extendedMapping[3], 'c')
  for (const id of [9, 2, 3, 1]) wire.write(extended(id, 'x'))
  t.deepEqual(
    log.map(([name]) => name),
    ['a', 'c', 'a']
  )
  sentBy(wire)
  wire.use(extensionOf('d', log))
  t.deepEqual(sentBy(wire), [announced({ a: 9, b: 2, c: 3, d: 4 })])
})

test('keeps names that mean something to JavaScript apart', (t) => {
  const wire = met({ extensions: true })
  const m = JSON.parse('{"__proto__": 3, "constructor": 4, "toString": 5}')
  wire.extended(0, { m })
  const again = () => {
    const [[, sent]] = sentBy(wire)
    return Object.entries(sent.m)
  }
  // The decoder of the test loses __proto__, so the bytes are compared.
  t.deepEqual(Object.entries({ ...wire.extendedMapping }), [
    ['3', '__proto__'],
    ['4', 'constructor'],
    ['5', 'toString']
  ])
  t.deepEqual(again().slice(-2), [
    ['constructor', 4],
    ['toString', 5]
  ])
  wire.use(extensionOf('a'))
  t.true(wire.read().includes('9:__proto__i3e'))
})

test('sends and learns nothing of a handshake that cannot be bencoded', (t) => {
  for (const message of [
    { m: { b: 2 }, v: true },
    { m: { b: 1.5 } },
    new Map(),
    [undefined],
    1.5
  ]) {
    const wire = met({ extensions: true }, [extensionOf('a')])
    t.throws(() => wire.extended(0, message), { instanceOf: TypeError })
    t.deepEqual(sentBy(wire), [])
    t.deepEqual({ ...wire.extendedMapping }, { 1: 'a' })
  }
})

test('reads each property of a handshake by hand once', (t) => {
  const wire = met({ extensions: true })
  let reads = 0
  const message = {
    get m() {
      return { a: ++reads }
    }
  }
  wire.extended(0, message)
  t.deepEqual(sentBy(wire), [announced({ a: 1 })])
  t.is(reads, 1)
})

for (const name of ['ut_pex', 'toString', '__proto__', 'constructor', '']) {
  test(`sends under the id of the peer for '${name}', and refuses it before`, (t) => {
    const wire = met({ extensions: true })
    const refusal = { instanceOf: Error, message: `Unrecognized extension: ${name}` }
    t.throws(() => wire.extended(name, 'x'), refusal)
    if (name === '') return
    wire.write(extended(0, `d1:md${name.length}:${name}i7eee`))
    wire.extended(name, { a: 1 })
    wire.extended(name, Buffer.from('raw'))
    wire.extended(name, 'text')
    wire.extended(7, 'by id')
    t.deepEqual(sentBy(wire), [
      [7, 'd1:ai1ee'],
      [7, 'raw'],
      [7, '4:text'],
      [7, '5:by id']
    ])
    wire.write(extended(0, `d1:md${name.length}:${name}i0eee`))
    t.throws(() => wire.extended(name, 'x'), refusal)
    t.deepEqual(sentBy(wire), [])
  })
}

test('checks ids and messages as without extensions', (t) => {
  const wire = met({ extensions: true })
  for (const id of [undefined, null, {}, 1n]) {
    t.throws(() => wire.extended(id, 'x'), { instanceOf: TypeError })
  }
  for (const id of [-1, 256, 0.5, NaN]) {
    t.throws(() => wire.extended(id, 'x'), { instanceOf: RangeError })
  }
  wire.write(announce({ m: { a: 1 } }))
  for (const message of [undefined, true, 1.5, new Map()]) {
    t.throws(() => wire.extended('a', message), { instanceOf: TypeError })
  }
  t.deepEqual(sentBy(wire), [])
})
