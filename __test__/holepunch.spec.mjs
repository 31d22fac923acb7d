// Messages of ut_holepunch, sent and received.
import { once } from 'node:events'
import { inspect } from 'node:util'
import test from 'ava'

import { PAIRS, connectPair } from '../testkit/extension-pairs.mjs'
import { EXTENDED_HANDSHAKE, announce, extended, greet, sentBy } from '../testkit/extensions.mjs'
import { pwp } from '../testkit/wires.mjs'

const EVENTS = ['rendezvous', 'connect', 'failed', 'malformed']

/** A wire with the extension, whose peer has announced these. */
const met = (m = { ut_holepunch: 7 }) => {
  const wire = pwp()
  const holepunch = wire.use(pwp.extensions.utHolepunch())
  const events = []
  for (const event of EVENTS) holepunch.on(event, (...args) => events.push([event, ...args]))
  greet(wire)
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m })]))
  sentBy(wire)
  return { wire, holepunch, events }
}

/** The messages that a wire has sent, in hex. */
const hexOf = (wire) =>
  sentBy(wire).map(([id, payload]) => [id, Buffer.from(payload, 'latin1').toString('hex')])

const receive = (wire, hex) => wire.write(extended(1, Buffer.from(hex, 'hex')))

const IP6 = '20010db8000000000000000000000001'

test('is a class for use(), of the name of its extension', (t) => {
  const UtHolepunch = pwp.extensions.utHolepunch()
  t.is(UtHolepunch.prototype.name, 'ut_holepunch')
  t.deepEqual(UtHolepunch.codes, { noSuchPeer: 1, notConnected: 2, noSupport: 3, noSelf: 4 })
  t.true(Object.isFrozen(UtHolepunch.codes))
  const { wire, holepunch } = met()
  t.is(wire.ut_holepunch, holepunch)
  t.true(holepunch.isReady)
})

for (const [address, hex] of [
  ['1.2.3.4:6881', '00010203041ae1'],
  [{ address: '1.2.3.4', port: 6881 }, '00010203041ae1'],
  ['[2001:db8::1]:6881', `01${IP6}1ae1`],
  [{ address: '2001:db8::1', port: 6881 }, `01${IP6}1ae1`],
  ['[::ffff:1.2.3.4]:6881', '00010203041ae1']
]) {
  test(`sends the long form of each message for ${inspect(address)}`, (t) => {
    const { wire, holepunch } = met()
    holepunch.rendezvous(address)
    holepunch.connect(address)
    holepunch.fail(address, 3)
    holepunch.fail(address, 0xffffffff)
    t.deepEqual(hexOf(wire), [
      [7, `00${hex}00000000`],
      [7, `01${hex}00000000`],
      [7, `02${hex}00000003`],
      [7, `02${hex}ffffffff`]
    ])
  })
}

for (const address of [undefined, 7, '', '1.2.3.4', '1.2.3.4:0', '0.0.0.0:1', '[ff02::1]:1', {}]) {
  test(`refuses the address ${inspect(address)}`, (t) => {
    const { wire, holepunch } = met()
    for (const method of ['rendezvous', 'connect', 'fail']) {
      t.throws(() => holepunch[method](address, 1), { message: /^address/ })
    }
    t.deepEqual(sentBy(wire), [])
  })
}

for (const code of [undefined, null, '1', -1, 0x100000000, 1.5]) {
  test(`refuses the code ${inspect(code)}`, (t) => {
    const { wire, holepunch } = met()
    t.throws(() => holepunch.fail('1.2.3.4:5', code), { message: /^code must be/ })
    t.deepEqual(sentBy(wire), [])
  })
}

test('refuses to send to a peer without the extension', (t) => {
  const { wire, holepunch } = met({ x: 1 })
  t.false(holepunch.isReady)
  for (const method of ['rendezvous', 'connect', 'fail']) {
    const send = () => holepunch[method]('1.2.3.4:5', 1)
    t.throws(send, { message: 'Unrecognized extension: ut_holepunch' })
  }
  t.deepEqual(sentBy(wire), [])
})

test('reads messages with and without a code', (t) => {
  const { wire, holepunch, events } = met()
  const v4 = '0a0000011ae1'
  receive(wire, `0000${v4}`)
  receive(wire, `0000${v4}00000001`)
  receive(wire, `0101${IP6}0001`)
  receive(wire, `0101${IP6}000100000000`)
  receive(wire, `0200${v4}00000002`)
  receive(wire, `0201${IP6}0001ffffffff`)
  t.deepEqual(events, [
    ['rendezvous', '10.0.0.1:6881'],
    ['rendezvous', '10.0.0.1:6881'],
    ['connect', '[2001:db8::1]:1'],
    ['connect', '[2001:db8::1]:1'],
    ['failed', '10.0.0.1:6881', 2],
    ['failed', '[2001:db8::1]:1', 0xffffffff]
  ])
  t.is(holepunch.malformedMessages, 0)
})

test('counts messages that are malformed, and ignores them', (t) => {
  const { wire, holepunch, events } = met()
  const malformed = [
    '',
    '00',
    '0000',
    '00000a0000011a',
    '00000a0000011ae100',
    '00000a0000011ae1000000',
    '00000a0000011ae10000000000',
    '02000a0000011ae1',
    '03000a0000011ae100000000',
    '00020a0000011ae1',
    '00000a0000010000',
    '0100000000001ae1',
    `0001${IP6}00`,
    `0101${'ff'.repeat(16)}0001`
  ]
  for (const hex of malformed) receive(wire, hex)
  t.deepEqual(
    events.map(([event, bytes]) => [event, bytes.toString('hex')]),
    malformed.map((hex) => ['malformed', hex])
  )
  t.is(holepunch.malformedMessages, malformed.length)
  t.false(wire.destroyed)
})

test('ignores a peer that has not announced the extension', (t) => {
  const { wire, holepunch, events } = met({ x: 1 })
  receive(wire, '00000a0000011ae1')
  receive(wire, 'ff')
  t.deepEqual(events, [])
  t.is(holepunch.ignoredMessages, 2)
  wire.write(announce({ m: { ut_holepunch: 2 } }))
  receive(wire, '00000a0000011ae1')
  wire.write(announce({ m: { ut_holepunch: 0 } }))
  receive(wire, '00000a0000011ae1')
  t.is(events.length, 1)
  t.is(holepunch.ignoredMessages, 3)
  t.is(holepunch.malformedMessages, 0)
})

const use = (wire) => wire.use(pwp.extensions.utHolepunch())

for (const kinds of PAIRS) {
  test(`sends and receives over TCP: ${kinds.join(' to ')}`, async (t) => {
    const wires = await connectPair(t, kinds, [use, use])
    const [one, other] = wires.map((wire) => wire.ut_holepunch)
    other.on('rendezvous', (address) => other.fail(address, 2))
    one.on('failed', (address, code) => one.connect({ address: '::1', port: code }))
    const connected = once(other, 'connect')
    one.rendezvous('10.0.0.1:5')
    t.deepEqual(await connected, ['[::1]:2'])
    for (const wire of wires) t.false(wire.destroyed)
  })
}
