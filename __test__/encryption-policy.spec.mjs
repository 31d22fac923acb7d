// What exchanges may cost a listener: time, bytes, how many at once, and failed ones. Values at, below and above.
import test from 'ava'

import { networkOf } from '../lib/encryption/address.js'
import {
  INFO_HASH,
  INITIATOR,
  RESPONDER,
  agreed,
  closed,
  encryption,
  pair,
  pipe
} from '../testkit/encryption.mjs'
import { FakeClock } from '../testkit/fake-clock.mjs'
import { bytesOf } from '../testkit/messages.mjs'
import { HANDSHAKE, pwp } from '../testkit/wires.mjs'

const { Policy } = encryption

const KIB = 1024

/** Bytes of a key that anybody may send. */
const KEY = Buffer.alloc(96, 0x55)

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** A connection of a peer at this address. */
const incoming = (policy, address, options) => {
  const [left, right] = pipe()
  left.remoteAddress = address
  right.resume()
  const stream = encryption.wrap(left, { ...RESPONDER, policy, ...options })
  return { stream, peer: right }
}

const codeOf = async (stream) => (await closed(stream))?.code

const clock = new FakeClock()
test.beforeEach(() => clock.install())
test.afterEach.always(() => clock.restore())

// Time

for (const [name, options] of [
  ['of the policy', { policy: new Policy({ timeout: 3000 }) }],
  ['of the stream', { timeout: 3000 }]
]) {
  for (const role of [INITIATOR, RESPONDER]) {
    test.serial(`an exchange may take the timeout ${name}, role ${role.role}`, async (t) => {
      const [left, right] = pipe()
      right.resume()
      const stream = encryption.wrap(left, { ...role, ...options })
      await clock.advance(2999, settled)
      t.false(stream.destroyed)
      await clock.advance(1, settled)
      const error = await closed(stream)
      t.is(error.code, 'ERR_PWP_ENCRYPTION_TIMEOUT')
      t.is(error.limit, 3000)
      t.is(error.cause.code, 'ERR_PWP_ENCRYPTION_REFUSED')
      t.true(error instanceof pwp.ProtocolError)
      t.true(left.destroyed)
    })
  }
}

test.serial('a timeout after a key says so', async (t) => {
  const { stream, peer } = incoming(new Policy({ timeout: 100 }))
  peer.write(KEY)
  await settled()
  await clock.advance(100, settled)
  t.is((await closed(stream)).cause.code, 'ERR_PWP_ENCRYPTION_TRUNCATED')
})

test.serial('a peer that trickles bytes has no more time', async (t) => {
  const { stream, peer } = incoming(new Policy())
  for (let n = 0; n < 100; n++) {
    peer.write(Buffer.alloc(1, 0x55))
    // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
    await clock.advance(101, settled)
  }
  t.is(await codeOf(stream), 'ERR_PWP_ENCRYPTION_TIMEOUT')
})

test.serial('looking up a torrent counts as time of the exchange', async (t) => {
  const [a, b] = pair({}, { infoHashes: () => new Promise(() => {}), timeout: 50 })
  await settled()
  await clock.advance(50, settled)
  t.is(await codeOf(b), 'ERR_PWP_ENCRYPTION_TIMEOUT')
  t.is(await codeOf(a), 'ERR_PWP_ENCRYPTION_TRUNCATED')
})

test.serial(
  '0 is no limit, the time ends with the exchange, and no timer keeps a process alive',
  async (t) => {
    const { stream } = incoming(new Policy(), undefined, { timeout: 0 })
    await clock.advance(1e6, settled)
    t.false(stream.destroyed)
    stream.destroy()
    const streams = pair()
    t.is(clock.pending, 0)
    await agreed(streams)
    await clock.advance(1e6, settled)
    for (const one of streams) {
      t.false(one.destroyed)
      one.destroy()
    }
  }
)

// Bytes

/** Bytes of the initiator's part of an exchange in which all that is random is as short as possible. */
const exchangeLength = async (initialPayload) => {
  const [left, right] = pipe()
  const streams = pair({ initialPayload }, {}, [left, right])
  await agreed(streams)
  const { received } = streams[1]._link.exchange
  for (const one of streams) one.destroy()
  return received
}

test.serial('maxBytes counts the bytes of the exchange and not those behind it', async (t) => {
  const initialPayload = bytesOf({ size: 68, fill: 1 })
  t.true((await exchangeLength(initialPayload)) >= 96 + 40 + 16 + 68)
  // The longest exchange has two pads of 512 bytes and 16 KiB of payload.
  const streams = pair(
    { initialPayload: bytesOf({ size: 16 * KIB, fill: 1 }) },
    { policy: new Policy({ maxBytes: 96 + 512 + 40 + 14 + 512 + 2 + 16 * KIB }) }
  )
  streams[0].write(Buffer.alloc(5000))
  t.deepEqual(await agreed(streams), ['rc4', 'rc4'])
  for (const one of streams) one.destroy()
})

for (const [received, isRefused] of [
  [199, false],
  [200, false],
  [201, true]
]) {
  for (const size of [1, 300]) {
    test.serial(
      `of at most 200 bytes ${received} are ${isRefused ? 'too many' : 'read'}, in chunks of ${size}`,
      async (t) => {
        const { stream, peer } = incoming(new Policy({ maxBytes: 200 }))
        const bytes = Buffer.concat([KEY, Buffer.alloc(received - KEY.length)])
        for (let at = 0; at < bytes.length; at += size) peer.write(bytes.subarray(at, at + size))
        await settled()
        t.is(stream.destroyed, isRefused)
        stream.destroy()
        const error = await closed(stream)
        if (isRefused) t.like(error, { code: 'ERR_PWP_ENCRYPTION_TOO_LONG', limit: 200 })
        else t.is(error, null)
      }
    )
  }
}

// How many

test.serial('maxUnfinished exchanges go on at once, over all addresses', async (t) => {
  const policy = new Policy({ maxUnfinished: 3 })
  const open = [1, 2, 3].map((n) => incoming(policy, `10.0.0.${n}`))
  t.is(policy.unfinished, 3)
  const { stream } = incoming(policy, '10.0.0.4')
  const events = []
  stream.on('error', (error) => events.push(error.code))
  t.like(await closed(stream), { code: 'ERR_PWP_ENCRYPTION_TOO_MANY', limit: 3 })
  t.deepEqual(events, ['ERR_PWP_ENCRYPTION_TOO_MANY'])
  t.true(stream.stream.destroyed)
  t.is(policy.unfinished, 3)
  // A place is free when an exchange is over, whatever its outcome.
  open[0].stream.destroy()
  open[1].peer.write(HANDSHAKE)
  await settled()
  t.is(open[1].stream.encryption.method, 'none')
  t.is(policy.unfinished, 1)
  const later = [5, 6].map((n) => incoming(policy, `10.0.0.${n}`))
  t.is(policy.unfinished, 3)
  for (const { stream: one } of [...open, ...later]) one.destroy()
  t.is(policy.unfinished, 0)
})

test.serial('a finished exchange has no place any more', async (t) => {
  const policy = new Policy({ maxUnfinished: 1, maxUnfinishedPerAddress: 1 })
  for (let n = 0; n < 3; n++) {
    const streams = pair({}, { policy, address: '10.0.0.1' })
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.deepEqual(await agreed(streams), ['rc4', 'rc4'])
    t.is(policy.unfinished, 0)
    t.teardown(() => streams.map((stream) => stream.destroy()))
  }
})

test.serial('maxUnfinishedPerAddress exchanges of one address go on at once', async (t) => {
  const policy = new Policy({ maxUnfinishedPerAddress: 2 })
  const open = [incoming(policy, '10.0.0.1'), incoming(policy, '::ffff:10.0.0.1')]
  const refused = incoming(policy, '10.0.0.1').stream
  t.like(await closed(refused), { code: 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS', limit: 2 })
  const others = [
    incoming(policy, '10.0.0.2'),
    incoming(policy),
    incoming(policy),
    incoming(policy)
  ]
  await settled()
  for (const { stream } of [...open, ...others]) {
    t.false(stream.destroyed)
    stream.destroy()
  }
  const again = incoming(policy, '10.0.0.1').stream
  await settled()
  t.false(again.destroyed)
  again.destroy()
})

test.serial('the option address stands for that of the stream', async (t) => {
  const policy = new Policy({ maxUnfinishedPerAddress: 1 })
  const first = incoming(policy, '10.0.0.1', { address: '10.0.0.9' }).stream
  const second = incoming(policy, '10.0.0.1').stream
  t.is(
    await codeOf(incoming(policy, undefined, { address: '10.0.0.9' }).stream),
    'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS'
  )
  first.destroy()
  second.destroy()
})

test.serial('initiators and streams that do not encrypt are not counted', async (t) => {
  const policy = new Policy({ maxUnfinished: 0 })
  const [left, right] = pipe()
  const streams = [
    encryption.wrap(left, { ...INITIATOR, policy }),
    encryption.wrap(right, { role: 'responder', mode: 'off', policy })
  ]
  await settled()
  for (const stream of streams) {
    t.false(stream.destroyed)
    stream.destroy()
  }
})

// What failed exchanges cost

/** A peer that has made us compute its keys, and then fails. */
const waste = async (policy, address) => {
  const { stream, peer } = incoming(policy, address)
  peer.end(KEY)
  return codeOf(stream)
}

test.serial(
  'a failed exchange keeps the place of its address for the time of the penalty',
  async (t) => {
    const policy = new Policy({ maxUnfinishedPerAddress: 2, penalty: 1000 })
    const wasted = 'ERR_PWP_ENCRYPTION_TRUNCATED'
    const refused = 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS'
    t.is(await waste(policy, '10.0.0.1'), wasted)
    await clock.advance(500, settled)
    t.is(await waste(policy, '10.0.0.1'), wasted)
    t.is(policy.unfinished, 0)
    t.is(await waste(policy, '10.0.0.1'), refused)
    t.is(await waste(policy, '10.0.0.2'), wasted)
    await clock.advance(499, settled)
    t.is(await waste(policy, '10.0.0.1'), refused)
    await clock.advance(1, settled)
    t.is(await waste(policy, '10.0.0.1'), wasted)
    t.is(await waste(policy, '10.0.0.1'), refused)
    t.is(clock.pending, 0)
  }
)

test.serial('what costs no key has no penalty, and 0 is none', async (t) => {
  const policy = new Policy({ maxUnfinishedPerAddress: 1 })
  for (let n = 0; n < 3; n++) {
    const { stream, peer } = incoming(policy, '10.0.0.1')
    peer.end(KEY.subarray(0, 95))
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.is(await codeOf(stream), 'ERR_PWP_ENCRYPTION_REFUSED')
  }
  const { stream, peer } = incoming(policy, '10.0.0.1')
  peer.write(Buffer.alloc(96))
  t.is(await codeOf(stream), 'ERR_PWP_ENCRYPTION_KEY')
  // Our own user ends these.
  for (let n = 0; n < 3; n++) {
    const one = incoming(policy, '10.0.0.1')
    one.peer.write(KEY)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await settled()
    one.stream.destroy()
  }
  const mild = new Policy({ maxUnfinishedPerAddress: 1, penalty: 0 })
  t.is(await waste(mild, '10.0.0.1'), 'ERR_PWP_ENCRYPTION_TRUNCATED')
  t.is(await waste(mild, '10.0.0.1'), 'ERR_PWP_ENCRYPTION_TRUNCATED')
})

test.serial('addresses of one host are one', (t) => {
  for (const [address, network] of [
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0DB8:1:2::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:1:2:3:4:1.2.3.4', '2001:db8:1:2'],
    ['1::2:3:4:1.2.3.4', '1:0:0:2'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['/run/socket', '/run/socket'],
    ['', '']
  ]) {
    t.is(networkOf(address), network, address)
  }
})

for (const [name, options, expected] of [
  ['what is no object', 7, /^options must be/],
  ['a negative timeout', { timeout: -1 }, /^timeout must be/],
  ['text for a count', { maxUnfinished: '7' }, /^maxUnfinished must be/],
  ['a fraction', { maxBytes: 1.5 }, /^maxBytes must be/],
  [
    'a count above 2^31 - 1',
    { maxUnfinishedPerAddress: 2 ** 31 },
    /^maxUnfinishedPerAddress must be/
  ],
  ['an infinite penalty', { penalty: Infinity }, /^penalty must be/]
]) {
  test.serial(`a policy refuses ${name}`, (t) => {
    t.throws(() => new Policy(options), { message: expected })
  })
}

test.serial('a policy shows its limits, which stay as they are', (t) => {
  const policy = new Policy({ maxBytes: 4 * KIB, timeout: undefined })
  t.deepEqual(
    { ...policy },
    {
      timeout: 10_000,
      maxBytes: 4 * KIB,
      maxUnfinished: 1_000,
      maxUnfinishedPerAddress: 50,
      penalty: 10_000
    }
  )
  t.throws(() => {
    policy.timeout = 0
  })
})

// Hostile peers

for (const role of [INITIATOR, RESPONDER]) {
  for (const [name, bytes, code] of [
    ['96 zero bytes', Buffer.alloc(96), 'ERR_PWP_ENCRYPTION_KEY'],
    ['a key above the prime', Buffer.alloc(96, 0xff), 'ERR_PWP_ENCRYPTION_KEY'],
    [
      'an endless pad',
      Buffer.concat([KEY, Buffer.alloc(100 * KIB, 0x11)]),
      'ERR_PWP_ENCRYPTION_SYNC'
    ],
    ['a plain web page', Buffer.alloc(100 * KIB, 'HTTP/1.1 200 OK\r\n'), 'ERR_PWP_ENCRYPTION_SYNC']
  ]) {
    test.serial(`${name} ends an ${role.role} at once`, async (t) => {
      const [left, right] = pipe()
      const stream = encryption.wrap(left, role)
      right.resume()
      right.write(bytes)
      const error = await closed(stream)
      t.is(error.code, code)
      t.is(stream.encryption, null)
      t.is(stream.readableLength, 0)
    })
  }

  test.serial(
    `what a peer sends of an endless pad does not matter, role ${role.role}`,
    async (t) => {
      const length = 96 + 512 + (role === RESPONDER ? 20 : 8)
      for (const [size, isOver] of [
        [length - 1, false],
        [length, true]
      ]) {
        const [left, right] = pipe()
        const stream = encryption.wrap(left, role)
        right.resume()
        right.write(Buffer.concat([KEY, Buffer.alloc(size - KEY.length, 0x22)]))
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await settled()
        t.is(stream.destroyed, isOver, `${size} bytes`)
        stream.destroy()
      }
    }
  )
}

test.serial('a peer that sends much while its torrent is looked up is not read', async (t) => {
  const streams = pipe()
  let answer
  const [a, b] = pair(
    {},
    { infoHashes: () => new Promise((resolve) => (answer = resolve)), timeout: 0 },
    streams
  )
  await settled()
  const { held } = b._link
  // The initiator goes on as if it had an answer: after its own part comes payload.
  for (let n = 0; n < 100; n++) streams[0].write(Buffer.alloc(8 * KIB))
  await settled()
  const bytes = held.reduce((sum, { length }) => sum + length, 0)
  t.true(bytes <= 128 * KIB, `${bytes} bytes are held`)
  t.true(streams[0].writableLength > 500 * KIB)
  answer(INFO_HASH)
  await settled()
  t.is(b.encryption.method, 'rc4')
  a.destroy()
  b.destroy()
})
