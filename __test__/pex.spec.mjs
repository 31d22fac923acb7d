// Peer exchange as an extension of the package: what it sends and when, and what it makes of a peer's messages.
import { inspect } from 'node:util'
import test from 'ava'
import bencode from 'bencode'

import { EXTENDED_HANDSHAKE, announce, extended, greet, sentBy } from '../testkit/extensions.mjs'
import { inFakeTime } from '../testkit/fake-time.mjs'
import { pwp, record, settled } from '../testkit/wires.mjs'

/** Ms from the first contact to the message, and between two messages. */
const COLLECTING = 1000
const INTERVAL = 65_000

/** What a peer may send on average, in ms. */
const MINUTE = 60_000

const NO_FLAGS = {
  prefersEncryption: false,
  isSender: false,
  supportsUtp: false,
  supportsUtHolepunch: false,
  isReachable: false
}

/** A wire with peer exchange whose peer has it under id 9. */
const met = (options, handshake = {}) => {
  const wire = pwp()
  const pex = wire.use(pwp.extensions.utPex(options))
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  wire.write(announce({ m: { ut_pex: 9 }, ...handshake }))
  sentBy(wire)
  return { wire, pex }
}

/** The messages of peer exchange that a wire has sent, as text. */
const told = (wire) =>
  sentBy(wire).map(([id, payload]) => {
    const message = bencode.decode(Buffer.from(payload, 'latin1'))
    const list = (key, length) => {
      const count = message[key].length / length
      return Array.from({ length: count }, (_, at) =>
        message[key].subarray(at * length, (at + 1) * length).toString('hex')
      )
    }
    return {
      id,
      added: [...list('added', 6), ...list('added6', 18)],
      flags: [...message['added.f'], ...message['added6.f']],
      dropped: [...list('dropped', 6), ...list('dropped6', 18)]
    }
  })

const compact = (number) => `0a0000${number.toString(16).padStart(2, '0')}1ae1`
const contact = (number) => `10.0.0.${number}:6881`
const numbers = (from, count) => Array.from({ length: count }, (_, at) => from + at)

/** A message of a peer, under our id. */
const message = (dictionary) => extended(1, bencode.encode(dictionary))
const adding = (...addresses) => message({ added: Buffer.from(addresses.join(''), 'hex') })

test('is a class for use(), of the name of its extension', (t) => {
  const UtPex = pwp.extensions.utPex()
  t.is(UtPex.prototype.name, 'ut_pex')
  const wire = pwp()
  t.is(wire.use(UtPex), wire.ut_pex)
  t.deepEqual(Object.keys(pwp.extensions).includes('utPex'), true)
})

for (const options of [null, 7, 'x', true, { destroyOnFlood: 1 }]) {
  test(`refuses ${inspect(options)} for its options`, (t) => {
    const make = () => pwp.extensions.utPex(options)
    if (options === null) t.notThrows(make)
    else t.throws(make, { instanceOf: TypeError, message: /^options/ })
  })
}

test.serial('tells of contacts a second after the start, then of changes every 65 s', async (t) => {
  await inFakeTime(async (advance, clock) => {
    const { wire, pex } = met()
    pex.addPeer(contact(1), { isReachable: true, isSender: true, prefersEncryption: false })
    await advance(INTERVAL)
    t.deepEqual(sentBy(wire), [])
    pex.start()
    pex.start()
    t.is(clock.pending, 0)
    await advance(COLLECTING - 1)
    pex.addPeer(contact(2))
    t.deepEqual(sentBy(wire), [])
    await advance(1)
    t.deepEqual(told(wire), [
      { id: 9, added: [compact(1), compact(2)], flags: [0x12, 0], dropped: [] }
    ])
    pex.dropPeer(contact(1))
    pex.addPeer('[2001:db8::1]:258', 0xff)
    await advance(INTERVAL - 1)
    t.deepEqual(sentBy(wire), [])
    await advance(1)
    const v6 = `20010db8${'00'.repeat(11)}010102`
    t.deepEqual(told(wire), [{ id: 9, added: [v6], flags: [0xff], dropped: [compact(1)] }])
    // Nothing has changed, or has come and gone.
    pex.addPeer(contact(3))
    pex.dropPeer(contact(3))
    pex.dropPeer(contact(2))
    pex.addPeer(contact(2))
    pex.dropPeer(contact(4))
    await advance(10 * INTERVAL)
    t.deepEqual(sentBy(wire), [])
    pex.dropPeer6('[2001:db8::1]:258')
    await advance(COLLECTING)
    t.deepEqual(told(wire), [{ id: 9, added: [], flags: [], dropped: [v6] }])
    wire.destroy()
  })
})

for (const [count, sizes] of [
  [100, [100]],
  [101, [100, 1]],
  [150, [100, 50]],
  [151, [100, 50, 1]]
]) {
  test.serial(`tells of ${count} contacts in messages of ${sizes.join(', ')}`, async (t) => {
    await inFakeTime(async (advance) => {
      const { wire, pex } = met()
      pex.start()
      for (const number of numbers(1, count)) pex.addPeer(contact(number))
      await advance(COLLECTING + 5 * INTERVAL)
      const messages = told(wire)
      t.deepEqual(
        messages.map(({ added }) => added.length),
        sizes
      )
      t.deepEqual(
        messages.flatMap(({ added }) => added),
        numbers(1, count).map(compact)
      )
      wire.destroy()
    })
  })
}

test.serial('waits until the peer has announced the extension, and while it has not', async (t) => {
  await inFakeTime(async (advance) => {
    const wire = pwp()
    const pex = wire.use(pwp.extensions.utPex())
    pex.start()
    pex.addPeer(contact(1))
    await advance(INTERVAL)
    greet(wire)
    wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { x: 3 } })]))
    sentBy(wire)
    await advance(INTERVAL)
    t.deepEqual(sentBy(wire), [])
    wire.write(announce({ m: { ut_pex: 4 } }))
    wire.write(announce({ m: { ut_pex: 0 } }))
    await advance(INTERVAL)
    t.deepEqual(sentBy(wire), [])
    wire.write(announce({ m: { ut_pex: 5 } }))
    await advance(COLLECTING)
    t.deepEqual(
      told(wire).map(({ id, added }) => [id, added]),
      [[5, [compact(1)]]]
    )
    wire.destroy()
  })
})

test.serial(
  'has one timer while there is something to tell to a peer, and else none',
  async (t) => {
    await inFakeTime(async (advance, clock) => {
      const wire = pwp()
      const pex = wire.use(pwp.extensions.utPex())
      const none = clock.active
      pex.start()
      pex.addPeer(contact(1))
      greet(wire)
      wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { x: 3 } })]))
      t.is(clock.active, none)
      wire.write(announce({ m: { ut_pex: 3 } }))
      for (const number of numbers(2, 5)) pex.addPeer(contact(number))
      t.is(clock.active, none + 1)
      await advance(COLLECTING)
      t.is(clock.active, none)
      pex.dropPeer(contact(1))
      t.is(clock.active, none + 1)
      t.is(clock.pending, 0)
      pex.stop()
      t.is(clock.active, none)
      pex.start()
      t.is(clock.active, none + 1)
      wire.destroy()
      t.is(clock.active, none)
    })
  }
)

test.serial('sends nothing before our own handshakes', async (t) => {
  await inFakeTime(async (advance) => {
    const wire = pwp()
    const pex = wire.use(pwp.extensions.utPex())
    pex.start()
    pex.addPeer(contact(1))
    wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { ut_pex: 4 } })]))
    await advance(INTERVAL)
    t.deepEqual(sentBy(wire), [])
    greet(wire)
    t.is(sentBy(wire)[0], 'handshake')
    await advance(COLLECTING)
    t.is(told(wire)[0].id, 4)
    wire.destroy()
  })
})

test.serial('stops when it is told so, and goes on where it was', async (t) => {
  await inFakeTime(async (advance) => {
    const { wire, pex } = met()
    pex.start()
    pex.addPeer(contact(1))
    await advance(COLLECTING)
    t.is(told(wire).length, 1)
    pex.stop()
    pex.addPeer(contact(2))
    await advance(10 * INTERVAL)
    t.deepEqual(sentBy(wire), [])
    pex.start()
    await advance(COLLECTING)
    t.deepEqual(told(wire)[0].added, [compact(2)])
    pex.dropPeer(contact(2))
    pex.reset()
    pex.addPeer(contact(3))
    await advance(10 * INTERVAL)
    t.deepEqual(sentBy(wire), [])
    pex.start()
    await advance(COLLECTING)
    t.deepEqual(told(wire)[0].added, [compact(3)])
    // After a reset it starts from nothing, but not at once: the peer counts the time.
    pex.reset()
    pex.addPeer(contact(1))
    await advance(10_000)
    pex.start()
    await advance(INTERVAL - 10_001)
    t.deepEqual(sentBy(wire), [])
    await advance(1)
    t.deepEqual(told(wire)[0].added, [compact(1)])
    wire.destroy()
  })
})

for (const how of ['destroy', 'end']) {
  test.serial(`sends nothing more after ${how}()`, async (t) => {
    await inFakeTime(async (advance) => {
      const { wire, pex } = met()
      pex.start()
      pex.addPeer(contact(1))
      wire[how]()
      wire.resume()
      await settled()
      const timers = []
      const { setTimeout } = globalThis
      globalThis.setTimeout = (...args) => timers.push(args)
      pex.addPeer(contact(2))
      pex.start()
      globalThis.setTimeout = setTimeout
      t.deepEqual(timers, [])
      await advance(2 * INTERVAL)
      t.deepEqual(sentBy(wire), [])
    })
  })
}

for (const [what, properties, handshake] of [
  ['peerAddress', { peerAddress: contact(1) }],
  ['peerAddress of IPv6', { peerAddress: '[::ffff:10.0.0.1]:6881' }],
  ['remoteAddress and remotePort', { remoteAddress: '10.0.0.1', remotePort: 6881 }],
  ['remoteAddress of IPv6', { remoteAddress: '::ffff:10.0.0.1', remotePort: 6881 }],
  ['peerAddress and the port in its handshake', { peerAddress: '10.0.0.1:4' }, { p: 6881 }],
  ['peerAddress without a port', { peerAddress: '10.0.0.1' }, { p: 6881 }],
  ['remoteAddress and the port in its handshake', { remoteAddress: '10.0.0.1' }, { p: 6881 }]
]) {
  test.serial(`does not tell the peer of itself, known by ${what}`, async (t) => {
    await inFakeTime(async (advance) => {
      const { wire, pex } = met(undefined, handshake)
      Object.assign(wire, properties)
      pex.start()
      pex.addPeer(contact(1))
      await advance(COLLECTING)
      t.deepEqual(sentBy(wire), [])
      pex.addPeer(contact(1))
      pex.addPeer(contact(2))
      await advance(COLLECTING)
      t.deepEqual(told(wire)[0].added, [compact(2)])
      wire.destroy()
    })
  })
}

test.serial('goes by whatever a wire has as addresses of its peer', async (t) => {
  await inFakeTime(async (advance) => {
    for (const value of ['', ':', 'x', '1.2.3.4:x', 7, {}, null, '::1', '[::1]']) {
      const { wire, pex } = met()
      Object.assign(wire, { peerAddress: value, remoteAddress: value, remotePort: value })
      pex.start()
      pex.addPeer(contact(1))
      await advance(COLLECTING) // oxlint-disable-line no-await-in-loop
      t.is(told(wire).length, 1)
      wire.destroy()
    }
  })
})

for (const [address, bytes] of [
  ['1.2.3.4:5', '010203040005'],
  ['1.2.3.4:65535', '01020304ffff'],
  ['[1.2.3.4]:5', '010203040005'],
  ['[::1]:6881', `${'00'.repeat(15)}011ae1`],
  ['::1:6881', `${'00'.repeat(15)}011ae1`],
  ['[2001:DB8:0::1]:1', `20010db8${'00'.repeat(11)}010001`],
  ['[fe80::1%eth0]:1', `fe80${'00'.repeat(13)}010001`],
  ['[::ffff:1.2.3.4]:5', '010203040005'],
  [{ address: '1.2.3.4', port: 5 }, '010203040005'],
  [{ address: '::1', port: 6881, family: 'IPv6' }, `${'00'.repeat(15)}011ae1`]
]) {
  test.serial(`takes the address ${inspect(address)}`, async (t) => {
    await inFakeTime(async (advance) => {
      const { wire, pex } = met()
      pex.start()
      t.true(pex.addPeer(address))
      await advance(COLLECTING)
      pex.dropPeer(address)
      pex.addPeer6(contact(1))
      await advance(INTERVAL)
      const [first, second] = told(wire)
      t.deepEqual(first.added, [bytes])
      t.deepEqual(second.dropped, [bytes])
      wire.destroy()
    })
  })
}

for (const address of [
  undefined,
  null,
  7,
  '',
  ':',
  '1.2.3.4',
  '1.2.3.4:',
  '1.2.3.4:x',
  '1.2.3.4:+5',
  '1.2.3.4:0',
  '1.2.3.4:65536',
  '1.2.3.256:5',
  'localhost:5',
  '::1',
  '[::1]',
  '[::1:5',
  '0.0.0.0:5',
  '224.0.0.1:5',
  '255.255.255.255:5',
  '[::]:5',
  '[ff02::1]:5',
  `1.2.3.4:5${' '.repeat(1000)}`,
  { address: '1.2.3.4:5', port: 5 },
  {},
  { address: '1.2.3.4' },
  { address: 7, port: 5 },
  { address: '1.2.3.4', port: '5' },
  { address: '1.2.3.4', port: 65_536 },
  { address: '1.2.3.4', port: 0 }
]) {
  test(`refuses the address ${inspect(address).slice(0, 40)}`, (t) => {
    const { wire, pex } = met()
    for (const method of ['addPeer', 'addPeer6', 'dropPeer', 'dropPeer6']) {
      const error = t.throws(() => pex[method](address), { message: /^address/ })
      t.true(error instanceof TypeError || error instanceof RangeError)
    }
    wire.destroy()
  })
}

for (const flags of ['x', true, -1, 256, 1.5, { isSender: 1 }, { isReachable: 'yes' }]) {
  test(`refuses the flags ${inspect(flags)}`, (t) => {
    const { wire, pex } = met()
    t.throws(() => pex.addPeer(contact(1), flags), { message: /^flags/ })
    wire.destroy()
  })
}

test('keeps up to 1,000 contacts for a peer', (t) => {
  const { wire, pex } = met()
  const kept = numbers(0, 1002).map((number) =>
    pex.addPeer(`10.0.${number >> 8}.${number & 0xff}:1`)
  )
  t.is(kept.indexOf(false), 1000)
  t.is(kept.lastIndexOf(true), 999)
  wire.destroy()
})

test('emits the contacts that a peer adds and drops, once each', (t) => {
  const { wire, pex } = met()
  const events = []
  pex.on('peer', (...args) => events.push(['peer', ...args]))
  pex.on('dropped', (...args) => events.push(['dropped', ...args]))
  const v6 = Buffer.alloc(18, 1)
  const added = Buffer.from([10, 0, 0, 1, 0, 5, 10, 0, 0, 2, 0, 5, 10, 0, 0, 1, 0, 5, 9, 9])
  wire.write(
    Buffer.concat([
      message({
        added,
        'added.f': Buffer.from([0x32]),
        added6: v6,
        'added6.f': Buffer.from([0x0d])
      }),
      message({ dropped: added.subarray(6, 12), dropped6: Buffer.alloc(18, 2) })
    ])
  )
  t.deepEqual(events, [
    ['peer', '10.0.0.1:5', { ...NO_FLAGS, isSender: true, isReachable: true }, 0x32],
    ['peer', '10.0.0.2:5', NO_FLAGS, 0],
    [
      'peer',
      '[101:101:101:101:101:101:101:101]:257',
      { ...NO_FLAGS, prefersEncryption: true, supportsUtp: true, supportsUtHolepunch: true },
      0x0d
    ],
    ['dropped', '10.0.0.2:5']
  ])
  // The peer need not hear of what it has told.
  t.false(pex.addPeer('10.0.0.1:5'))
  t.true(pex.addPeer('10.0.0.2:5'))
  wire.destroy()
})

test('counts messages that are malformed, and goes on', (t) => {
  const { wire, pex } = met()
  const malformed = []
  pex.on('malformed', (bytes, error) => malformed.push([bytes.toString(), error.message]))
  wire.write(Buffer.concat([extended(1, 'le'), extended(1, 'x')]))
  t.deepEqual(malformed, [
    ['le', 'bencoded message is malformed'],
    ['x', 'bencoded message is malformed']
  ])
  t.is(pex.malformedMessages, 2)
  t.false(wire.destroyed)
  wire.destroy()
})

test.serial('ignores and counts messages that come too early', async (t) => {
  await inFakeTime(async (advance) => {
    const { wire, pex } = met()
    const seen = record(pex, ['peer', 'warning'])
    const send = (number) => wire.write(adding(compact(number)))
    send(1)
    send(2)
    send(3)
    t.deepEqual(seen, ['peer', 'peer', 'warning'])
    await advance(MINUTE - 1)
    send(4)
    await advance(1)
    send(5)
    t.deepEqual(seen.slice(3), ['warning', 'peer'])
    t.is(pex.earlyMessages, 2)
    t.false(wire.destroyed)
    wire.destroy()
  })
})

test.serial('bears a peer that sends twice as often as it should', async (t) => {
  await inFakeTime(async (advance) => {
    const { wire, pex } = met()
    for (const number of numbers(0, 200)) {
      wire.write(adding(compact(number)))
      await advance(MINUTE / 2) // oxlint-disable-line no-await-in-loop
    }
    t.false(wire.destroyed)
    t.is(pex.earlyMessages, 99)
    wire.destroy()
  })
})

test('destroys the wire of a peer that floods', (t) => {
  const { wire, pex } = met()
  const warnings = []
  pex.on('warning', ({ message: text }) => warnings.push(text))
  // Two in time and nine early ones are none.
  wire.write(Buffer.concat(numbers(1, 11).map((number) => adding(compact(number)))))
  t.false(wire.destroyed)
  t.deepEqual(new Set(warnings), new Set(['Peer sends PEX messages too frequently']))
  t.is(warnings.length, 9)
  wire.write(adding(compact(12)))
  t.true(wire.destroyed)
  t.is(warnings.length, 10)
  t.is(warnings.at(-1), 'Peer disconnected for sending PEX messages too frequently')
})

test('keeps the wire of a peer that floods if it is told to', (t) => {
  const { wire, pex } = met({ destroyOnFlood: false })
  const seen = record(pex, ['peer', 'warning'])
  const flood = Buffer.concat(numbers(1, 1000).map((number) => adding(compact(number & 0xff))))
  wire.write(flood)
  t.false(wire.destroyed)
  t.is(pex.earlyMessages, 998)
  // One for each of those before it is a flood, and one for the flood.
  t.deepEqual(seen, ['peer', 'peer', ...Array.from({ length: 10 }, () => 'warning')])
  wire.destroy()
})

test.serial('warns of a flood once, until the peer has calmed down', async (t) => {
  await inFakeTime(async (advance) => {
    const { wire, pex } = met({ destroyOnFlood: false })
    const floods = []
    pex.on('warning', ({ message: text }) => floods.push(text.includes('floods')))
    const flood = Buffer.concat(numbers(1, 20).map((number) => adding(compact(number))))
    for (const count of [1, 2]) {
      wire.write(flood)
      t.is(floods.filter(Boolean).length, count)
      await advance(2 * MINUTE) // oxlint-disable-line no-await-in-loop
    }
    wire.destroy()
  })
})

test('tells no more of a message after a listener has destroyed the wire', (t) => {
  for (const last of ['peer', 'dropped']) {
    const { wire, pex } = met()
    const seen = record(pex, ['peer', 'dropped'])
    wire.write(adding(...numbers(1, 3).map(compact)))
    pex.once(last, () => wire.destroy())
    wire.write(
      message({
        added: Buffer.from(numbers(4, 3).map(compact).join(''), 'hex'),
        dropped: Buffer.from(numbers(1, 3).map(compact).join(''), 'hex')
      })
    )
    const all = ['peer', 'peer', 'peer', 'dropped']
    t.deepEqual(seen.slice(3), last === 'peer' ? ['peer'] : all)
  }
})

test('gives memory of its own to what it emits', (t) => {
  const { wire, pex } = met()
  const peers = []
  pex.on('peer', (address) => peers.push(address))
  const bytes = adding(compact(1))
  wire.write(bytes)
  bytes.fill(0)
  t.deepEqual(peers, [contact(1)])
  wire.destroy()
})
