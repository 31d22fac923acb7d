// Limits of speed of native wires. A machine may be slow, so what is checked is how long a transfer takes at least.
import test from 'ava'

import { bytesAt, meet } from '../testkit/piece-peer.mjs'
import { pwp } from '../testkit/wires.mjs'

const KIB = 1024
const RATE = 512 * KIB

/** Seconds that this takes. */
const secondsOf = async (work) => {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** A tenth of a second may come at once, and each socket may get ahead by its share. */
const leastFor = (length, rate, sockets = 1) => (length - rate / 10 - sockets * 64 * KIB) / rate

const fetching = async (t) => {
  const [wire] = await meet(t, 'native', { serves: true })
  return wire
}

/** Sends blocks to the peer, and waits until all have arrived. */
const upload = async (wire, peer, length) => {
  let received = 0
  const all = new Promise((resolve) => {
    peer.socket.on('data', (chunk) => (received += chunk.length) >= length && resolve())
  })
  for (let at = 0; at < length; at += 16 * KIB) wire.piece(0, at, bytesAt(0, at, 16 * KIB))
  await all
}

test('a limit of what is read', async (t) => {
  const wire = await fetching(t)
  const length = 384 * KIB
  wire.setRateLimits({ download: RATE })
  t.true((await secondsOf(() => wire.fetchPiece(0, { length }))) >= leastFor(length, RATE))
  wire.setRateLimits({ download: 0 })
  t.true((await wire.fetchPiece(1, { length })).equals(bytesAt(1, 0, length)))
})

test('blocks that are requested one by one are limited, too', async (t) => {
  const wire = await fetching(t)
  wire.setRateLimits({ download: RATE })
  const seconds = await secondsOf(() =>
    Promise.all(Array.from({ length: 24 }, (_, at) => wire.requestBlock(at, 0, 16 * KIB)))
  )
  t.true(seconds >= leastFor(384 * KIB, RATE))
})

test('a limit of what is written', async (t) => {
  const [wire, peer] = await meet(t, 'native')
  wire.setRateLimits({ upload: RATE })
  const length = 384 * KIB
  t.true((await secondsOf(() => upload(wire, peer, length))) >= leastFor(length, RATE))
  // The other direction is free.
  peer.serve()
  await wire.fetchPiece(0, { length: 4 * KIB * KIB })
})

test('wires of a group share its limit', async (t) => {
  const group = new pwp.RateGroup({ download: RATE })
  const wires = await Promise.all([fetching(t), fetching(t), fetching(t)])
  for (const wire of wires) wire.setRateGroup(group)
  const length = 192 * KIB
  const seconds = await secondsOf(() =>
    Promise.all(wires.map((wire) => wire.fetchPiece(0, { length })))
  )
  t.true(seconds >= leastFor(3 * length, RATE, 3))
})

test('the lower limit of a wire and its group counts', async (t) => {
  const wire = await fetching(t)
  const group = new pwp.RateGroup({ download: RATE })
  wire.setRateGroup(group)
  wire.setRateLimits({ download: 64 * RATE })
  const length = 256 * KIB
  const slow = await secondsOf(() => wire.fetchPiece(0, { length }))
  t.true(slow >= leastFor(length, RATE))
  wire.setRateLimits({ download: RATE })
  group.setLimits({ download: 0 })
  const own = await secondsOf(() => wire.fetchPiece(1, { length }))
  t.true(own >= leastFor(length, RATE))
  wire.setRateLimits({ download: 0 })
  wire.setRateGroup(null)
  await wire.fetchPiece(2, { length: 8 * KIB * KIB })
})

test('a limit that is raised frees those that wait', async (t) => {
  const wire = await fetching(t)
  const group = new pwp.RateGroup({ download: 1 })
  wire.setRateGroup(group)
  const length = 512 * KIB
  const piece = wire.fetchPiece(0, { length })
  // At a byte a second the second half of this would take days.
  await new Promise((resolve) => setTimeout(resolve, 50))
  group.setLimits({ download: 0 })
  t.true((await piece).equals(bytesAt(0, 0, length)))
})

test('limits that are set before there is a socket', async (t) => {
  const server = pwp.createServer((wire) => {
    wire.handshake(Buffer.alloc(20, 1), Buffer.alloc(20, 2))
    wire.unchoke()
    wire.on('request', (piece, offset, length, respond) =>
      respond(null, bytesAt(piece, offset, length))
    )
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const wire = pwp.connect({ host: '127.0.0.1', port: server.address().port })
  t.teardown(() => wire.destroy())
  wire.setRateLimits({ download: RATE })
  wire.handshake(Buffer.alloc(20, 1), Buffer.alloc(20, 3))
  const length = 256 * KIB
  t.true((await secondsOf(() => wire.fetchPiece(0, { length }))) >= leastFor(length, RATE))
})

test('a group shows its limits, and keeps those that are left out', (t) => {
  const group = new pwp.RateGroup()
  t.deepEqual([group.download, group.upload], [0, 0])
  group.setLimits({ upload: 5 })
  group.setLimits({ download: 7 })
  t.deepEqual([group.download, group.upload], [7, 5])
  group.setLimits({ upload: 0 })
  t.deepEqual([group.download, group.upload], [7, 0])
})

test('mistakes throw at once, and change nothing', async (t) => {
  const wire = await fetching(t)
  const group = new pwp.RateGroup({ download: 3 })
  const setters = [
    (limits) => new pwp.RateGroup(limits),
    (limits) => group.setLimits(limits),
    (limits) => wire.setRateLimits(limits)
  ]
  for (const set of setters) {
    t.throws(() => set(5), { instanceOf: TypeError, message: 'limits must be an object' })
    t.throws(() => set({ download: '1' }), { message: 'limits.download must be a number' })
    for (const wrong of [-1, 0.5, 2 ** 32, NaN]) {
      t.throws(() => set({ download: 9, upload: wrong }), { instanceOf: RangeError })
    }
  }
  t.is(group.download, 3)
  for (const wrong of [{}, undefined, 5, pwp.RateGroup]) {
    t.throws(() => wire.setRateGroup(wrong), { message: 'group must be a RateGroup' })
  }
})

test('wires that are streams have no limits of their own', (t) => {
  const wire = pwp()
  t.throws(() => wire.setRateLimits({ download: 1 }), { code: 'ERR_PWP_NO_NATIVE' })
  t.throws(() => wire.setRateGroup(null), { code: 'ERR_PWP_NO_NATIVE' })
})
