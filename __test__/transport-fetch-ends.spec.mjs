// How fetches of pieces end without their piece, on native wires and on streams, and how others go on from there.
import { once } from 'node:events'
import test from 'ava'

import { announce, extended } from '../testkit/extensions.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { frame } from '../testkit/messages.mjs'
import { BLOCK, KINDS, bytesAt, failureOf, meet, sha1Of } from '../testkit/piece-peer.mjs'
import { pwp } from '../testkit/wires.mjs'

const COUNT = 6
const LENGTH = (COUNT - 1) * BLOCK + 100
const HASH = sha1Of(1, LENGTH)

const both = (title, body) => {
  for (const kind of KINDS) test(`${kind}: ${title}`, (t) => body(t, kind))
}

/** A fetch whose first two blocks have arrived. */
const begun = async (t, kind, setting, options) => {
  const [wire, peer] = await meet(t, kind, setting)
  const outcome = wire.fetchPiece(1, { length: LENGTH, hash: HASH, ...options })
  outcome.catch(() => {})
  const requests = await peer.take(COUNT)
  let arrived = 0
  const counted = new Promise((resolve) => {
    wire.on('download', (length) => (arrived += length) === 2 * BLOCK && resolve())
  })
  for (const request of requests.slice(0, 2)) peer.answer(request)
  await counted
  return { wire, peer, outcome, open: requests.slice(2) }
}

const closed = (wire) => wire.destroyed || new Promise((resolve) => wire.once('close', resolve))

const hasTwoBlocks = (t, { partial }) => {
  t.is(partial.index, 1)
  t.deepEqual(partial.ranges, [[0, 2 * BLOCK]])
  t.is(partial.bytes.length, LENGTH)
  t.deepEqual(partial.bytes.subarray(0, 2 * BLOCK), bytesAt(1, 0, 2 * BLOCK))
}

// Choke

both('a choke without the fast extension: what is open is asked for again', async (t, kind) => {
  const { wire, peer, outcome, open } = await begun(t, kind)
  peer.choke()
  await once(wire, 'choke')
  t.deepEqual(peer.requests, [])
  peer.unchoke()
  t.deepEqual(await peer.take(open.length), open)
  for (const request of open.toReversed()) peer.answer(request)
  t.deepEqual(await outcome, bytesAt(1, 0, LENGTH))
  t.deepEqual(peer.cancels, [])
})

both('a choke with it: only what is rejected is asked for again', async (t, kind) => {
  const { wire, peer, outcome, open } = await begun(t, kind, { fast: true })
  peer.choke()
  await once(wire, 'choke')
  // One is still answered.
  peer.answer(open[0])
  for (const request of open.slice(1)) peer.reject(request)
  peer.unchoke()
  t.deepEqual(await peer.take(open.length - 1), open.slice(1))
  for (const request of open.slice(1)) peer.answer(request)
  t.deepEqual(await outcome, bytesAt(1, 0, LENGTH))
})

for (const fast of [false, true]) {
  both(`a choke ends a fetch that wants it, fast ${fast}`, async (t, kind) => {
    const { wire, peer, outcome } = await begun(t, kind, { fast }, { endOnChoke: true })
    const waiting = wire.fetchPiece(2, { length: 100 })
    await peer.take(1)
    peer.choke()
    const error = await failureOf(outcome)
    t.is(error.code, 'ERR_PWP_PIECE_CHOKED')
    hasTwoBlocks(t, error)
    const other = await failureOf(wire.fetchPiece(3, { length: 100, endOnChoke: true }))
    t.is(other.code, 'ERR_PWP_PIECE_CHOKED')
    t.deepEqual(other.partial.ranges, [])
    if (fast) peer.reject([2, 0, 100])
    peer.serve()
    peer.unchoke()
    t.deepEqual(await waiting, bytesAt(2, 0, 100))
  })
}

both('a fetch waits until the peer unchokes', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, { isChoking: true, serves: true })
  const piece = wire.fetchPiece(1, { length: LENGTH, hash: HASH })
  peer.send(frame(4, 1))
  await once(wire, 'have')
  t.deepEqual(peer.asked, [])
  peer.unchoke()
  t.deepEqual(await piece, bytesAt(1, 0, LENGTH))
})

both('a piece that the peer allows is fetched while it chokes', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, { isChoking: true, fast: true, serves: true })
  const later = wire.fetchPiece(2, { length: LENGTH })
  later.catch(() => {})
  const piece = wire.fetchPiece(1, { length: LENGTH, hash: HASH })
  peer.send(frame(17, 1))
  t.deepEqual(await piece, bytesAt(1, 0, LENGTH))
  const again = wire.fetchPiece(1, { length: LENGTH, hash: HASH, endOnChoke: true })
  t.deepEqual(await again, bytesAt(1, 0, LENGTH))
  t.true(peer.asked.every(([index]) => index === 1))
})

// Other ends

both('a reject', async (t, kind) => {
  const { wire, peer, outcome, open } = await begun(t, kind, { fast: true })
  peer.reject(open[1])
  const error = await failureOf(outcome)
  t.is(error.code, 'ERR_PWP_PIECE_REJECTED')
  hasTwoBlocks(t, error)
  await peer.until(() => peer.cancels.length === open.length - 1)
  t.deepEqual(peer.cancels, [open[0], ...open.slice(2)])
  peer.serve()
  t.deepEqual(await wire.fetchPiece(2, { length: 100 }), bytesAt(2, 0, 100))
})

both('a timeout', async (t, kind) => {
  const { wire, outcome } = await begun(t, kind)
  wire.destroy()
  const { partial } = await failureOf(outcome)
  const [second, peer] = await meet(t, kind)
  const options = { length: LENGTH, hash: HASH, resume: partial, timeout: 20 }
  const error = await failureOf(second.fetchPiece(1, options))
  t.is(error.code, 'ERR_PWP_PIECE_TIMEOUT')
  t.is(error.limit, 20)
  hasTwoBlocks(t, error)
  await peer.until(() => peer.cancels.length === COUNT - 2)
  t.deepEqual(peer.cancels, peer.asked)
  t.false(second.destroyed)
})

both('a lost piece', async (t, kind) => {
  const use = [pwp.extensions.ltDonthave()]
  const { peer, outcome } = await begun(t, kind, { use })
  peer.send(announce({ m: { lt_donthave: 7 } }), frame(4, 1))
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(1)
  peer.send(extended(1, payload))
  const error = await failureOf(outcome)
  t.is(error.code, 'ERR_PWP_PIECE_LOST')
  hasTwoBlocks(t, error)
})

both('a lost connection, and another wire that goes on', async (t, kind) => {
  const { wire, peer, outcome } = await begun(t, kind)
  peer.socket.resetAndDestroy()
  const error = await failureOf(outcome)
  t.is(error.code, 'ERR_PWP_CLOSED')
  hasTwoBlocks(t, error)
  await closed(wire)
  await inTurn(KINDS, async (other) => {
    const [second, helper] = await meet(t, other, { serves: true })
    const { partial } = error
    const piece = await second.fetchPiece(1, { length: LENGTH, hash: HASH, resume: partial })
    t.deepEqual(piece, bytesAt(1, 0, LENGTH))
    t.is(helper.asked.length, COUNT - 2)
    t.is(second.downloaded, LENGTH - 2 * BLOCK)
  })
})

both('what another wire has got is checked, too', async (t, kind) => {
  const { wire, outcome } = await begun(t, kind)
  wire.destroy()
  const { partial } = await failureOf(outcome)
  partial.bytes[5] ^= 1
  const [second] = await meet(t, kind, { serves: true })
  const options = { length: LENGTH, hash: HASH, resume: partial }
  const error = await failureOf(second.fetchPiece(1, options))
  t.is(error.code, 'ERR_PWP_PIECE_HASH')
  const whole = { index: 1, ranges: [[0, LENGTH]], bytes: bytesAt(1, 0, LENGTH) }
  t.deepEqual(await second.fetchPiece(1, { ...options, resume: whole }), bytesAt(1, 0, LENGTH))
})

both('a block counts if all of it is there', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, { serves: true })
  const bytes = Buffer.alloc(LENGTH, 9)
  const ranges = [
    [10, 2 * BLOCK + 5],
    [4 * BLOCK, LENGTH]
  ]
  for (const [start, end] of ranges) bytes.set(bytesAt(1, start, end - start), start)
  const resume = { index: 1, ranges, bytes }
  t.deepEqual(
    await wire.fetchPiece(1, { length: LENGTH, hash: HASH, resume }),
    bytesAt(1, 0, LENGTH)
  )
  t.deepEqual(
    peer.asked.map(([, offset]) => offset / BLOCK),
    [0, 2, 3]
  )
})

// Signals and ends of ours

both('a signal that is aborted before, meanwhile, and after', async (t, kind) => {
  const { wire, peer, outcome, open } = await begun(t, kind)
  const options = { length: 100, signal: AbortSignal.abort('early') }
  const early = await failureOf(wire.fetchPiece(2, options))
  t.is(early.name, 'AbortError')
  t.is(early.code, 'ABORT_ERR')
  t.is(early.cause, 'early')
  t.deepEqual(early.partial.ranges, [])
  const controller = new AbortController()
  const { signal } = controller
  const other = wire.fetchPiece(3, { length: 100, signal })
  t.deepEqual(await peer.take(1), [[3, 0, 100]])
  controller.abort('meanwhile')
  const error = await failureOf(other)
  t.is(error.cause, 'meanwhile')
  await peer.until(() => peer.cancels.length === 1)
  t.deepEqual(peer.cancels, [[3, 0, 100]])
  for (const request of open) peer.answer(request)
  await outcome
  const late = new AbortController()
  const last = wire.fetchPiece(4, { length: 100, signal: late.signal })
  peer.serve()
  t.deepEqual(await last, bytesAt(4, 0, 100))
  late.abort()
  t.deepEqual(await wire.fetchPiece(5, { length: 100 }), bytesAt(5, 0, 100))
})

both('a signal gives what has arrived', async (t, kind) => {
  const controller = new AbortController()
  const { outcome } = await begun(t, kind, {}, { signal: controller.signal })
  controller.abort()
  hasTwoBlocks(t, await failureOf(outcome))
})

both('a wire that is destroyed, or was before', async (t, kind) => {
  const { wire, outcome } = await begun(t, kind)
  const cause = new Error('of the user')
  wire.destroy(cause)
  const error = await failureOf(outcome)
  t.is(error.code, 'ERR_PWP_CLOSED')
  t.is(error.cause, cause)
  hasTwoBlocks(t, error)
  const resume = error.partial
  const later = await failureOf(wire.fetchPiece(1, { length: LENGTH, resume }))
  t.is(later.code, 'ERR_PWP_CLOSED')
  t.deepEqual(later.partial.ranges, [[0, 2 * BLOCK]])
})

// Memory

const MEMORY = {
  'an ArrayBuffer': (length) => new Uint8Array(length),
  'a pool': (length) => Buffer.alloc(length + 50).subarray(20, 20 + length),
  'shared memory': (length) => new Uint8Array(new SharedArrayBuffer(length)),
  'memory with more room': (length) => Buffer.alloc(length + 7)
}

for (const [name, allocate] of Object.entries(MEMORY)) {
  both(`a piece in ${name}`, async (t, kind) => {
    const [wire] = await meet(t, kind, { serves: true })
    const into = allocate(LENGTH)
    const piece = await wire.fetchPiece(1, { length: LENGTH, hash: HASH, into })
    t.is(piece.buffer, into.buffer)
    t.is(piece.byteOffset, into.byteOffset)
    t.is(piece.length, LENGTH)
    t.deepEqual(Buffer.from(piece), bytesAt(1, 0, LENGTH))
  })
}

const LOSSES = {
  transferred: (into) => structuredClone(into.buffer, { transfer: [into.buffer] }),
  resized: (into) => into.buffer.resize(LENGTH - 1)
}

for (const [name, lose] of Object.entries(LOSSES)) {
  both(`memory that is ${name} meanwhile`, async (t, kind) => {
    const into = new Uint8Array(new ArrayBuffer(LENGTH, { maxByteLength: 2 * LENGTH }))
    const { wire, peer, outcome, open } = await begun(t, kind, {}, { into })
    lose(into)
    for (const request of open) peer.answer(request)
    const error = await failureOf(outcome)
    t.is(error.code, 'ERR_PWP_MEMORY_CHANGED')
    t.deepEqual(error.partial.ranges, [[0, LENGTH]])
    t.deepEqual(error.partial.bytes, bytesAt(1, 0, LENGTH))
    t.false(wire.destroyed)
  })
}
