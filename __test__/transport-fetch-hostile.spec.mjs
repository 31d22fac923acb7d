// Peers that answer fetches with what nobody asked for, on native wires and on streams.
import { once } from 'node:events'
import test from 'ava'

import { announce } from '../testkit/extensions.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { cut, frame } from '../testkit/messages.mjs'
import { BLOCK, KINDS, bytesAt, failureOf, meet, sha1Of } from '../testkit/piece-peer.mjs'

const LENGTH = 3 * BLOCK + 100
const HASH = sha1Of(1, LENGTH)
const HAVE = frame(4, 9)

const both = (title, body) => {
  for (const kind of KINDS) test(`${kind}: ${title}`, (t) => body(t, kind))
}

const block = (piece, offset, length) => frame(7, piece, offset, bytesAt(piece, offset, length))

both('blocks that were not asked for are those of nobody', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const others = []
  wire.on('piece', (piece, offset, bytes) => {
    if (piece !== 1 || offset % BLOCK !== 0 || bytes.length !== Math.min(BLOCK, LENGTH - offset))
      others.push([piece, offset, bytes.length])
  })
  const outcome = wire.fetchPiece(1, { length: LENGTH, hash: HASH })
  await peer.take(4)
  const wrong = [
    [2, 0, BLOCK],
    [1, 1, BLOCK],
    [1, 0, BLOCK - 1],
    [1, 0, BLOCK + 1],
    [1, 3 * BLOCK, BLOCK],
    [1, 4 * BLOCK, 1],
    [1, 0xffffffff, 100],
    [0xffffffff, 0, 100],
    [1, 0, 0]
  ]
  for (const [piece, offset, length] of wrong)
    peer.send(frame(7, piece, offset, Buffer.alloc(length, 0xee)))
  for (const at of [3, 1, 0, 2])
    peer.send(block(1, at * BLOCK, Math.min(BLOCK, LENGTH - at * BLOCK)))
  t.deepEqual(await outcome, bytesAt(1, 0, LENGTH))
  t.deepEqual(others, wrong)
  t.is(wire.stats().violations, wrong.length)
})

both('the first of two equal blocks counts', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const outcome = wire.fetchPiece(1, { length: LENGTH, hash: HASH })
  const requests = await peer.take(4)
  peer.answer(requests[0])
  peer.answer(requests[0], Buffer.alloc(BLOCK, 0xee))
  for (const request of requests.slice(1)) peer.answer(request)
  t.deepEqual(await outcome, bytesAt(1, 0, LENGTH))
})

both('blocks that come after the end of their fetch change nothing', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const controller = new AbortController()
  const outcome = wire.fetchPiece(1, { length: LENGTH, signal: controller.signal })
  const requests = await peer.take(4)
  controller.abort()
  await failureOf(outcome)
  await peer.until(() => peer.cancels.length === 4)
  for (const request of requests.slice(0, 2)) peer.answer(request)
  peer.send(HAVE)
  await once(wire, 'have')
  t.false(wire.destroyed)
  peer.serve()
  t.deepEqual(await wire.fetchPiece(1, { length: LENGTH, hash: HASH }), bytesAt(1, 0, LENGTH))
})

both('wrong bytes end one fetch, and not the others', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const bad = failureOf(wire.fetchPiece(1, { length: LENGTH, hash: HASH }))
  const good = wire.fetchPiece(2, { length: LENGTH, hash: sha1Of(2, LENGTH) })
  const requests = await peer.take(8)
  peer.answer(requests[2], Buffer.alloc(BLOCK, 0xee))
  for (const request of requests) if (request !== requests[2]) peer.answer(request)
  t.is((await bad).code, 'ERR_PWP_PIECE_HASH')
  t.deepEqual(await good, bytesAt(2, 0, LENGTH))
})

both('messages cut anywhere', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const piece = wire.fetchPiece(1, { length: 300, blockLength: 100, hash: sha1Of(1, 300) })
  await peer.take(3)
  const stream = Buffer.concat([
    HAVE,
    block(1, 100, 100),
    Buffer.alloc(4),
    block(1, 0, 100),
    HAVE,
    block(1, 200, 100),
    HAVE
  ])
  let haves = 0
  const all = new Promise((resolve) => {
    wire.on('have', () => ++haves === 3 && resolve())
  })
  await inTurn(cut(stream, [7, 1, 13, 2, 31]), (part) => {
    peer.send(part)
    return new Promise((resolve) => setTimeout(resolve, 1))
  })
  t.deepEqual(await piece, bytesAt(1, 0, 300))
  await all
})

both('an end in the middle of a block', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const outcome = failureOf(wire.fetchPiece(1, { length: LENGTH, hash: HASH }))
  const [first, second] = await peer.take(4)
  peer.answer(first)
  peer.send(block(...second).subarray(0, 1000))
  peer.socket.end()
  const error = await outcome
  t.is(error.code, 'ERR_PWP_CLOSED')
  t.deepEqual(error.partial.ranges, [[0, BLOCK]])
  if (!wire.destroyed) await new Promise((resolve) => wire.once('close', resolve))
  t.is(wire.error?.code, 'ERR_PWP_TRUNCATED')
})

both('a violation ends all fetches', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const outcomes = [1, 2].map((index) => failureOf(wire.fetchPiece(index, { length: LENGTH })))
  await peer.take(8)
  peer.send(Buffer.from('ffffffff00', 'hex'))
  for (const error of await Promise.all(outcomes)) {
    t.is(error.code, 'ERR_PWP_CLOSED')
    t.is(error.cause.code, 'ERR_PWP_MESSAGE_TOO_LONG')
  }
  t.is(wire.error.code, 'ERR_PWP_MESSAGE_TOO_LONG')
})

both('a peer that chokes and unchokes without end', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const outcome = wire.fetchPiece(1, { length: LENGTH, hash: HASH })
  await peer.take(4)
  for (let round = 0; round < 200; round++) {
    peer.choke()
    peer.unchoke()
  }
  peer.serve()
  t.deepEqual(await outcome, bytesAt(1, 0, LENGTH))
  t.false(wire.destroyed)
})

both('a piece with thousands of gaps', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, {}, { extensions: true })
  peer.send(announce({ reqq: 10_000 }))
  await once(wire, 'extended-handshake')
  const [length, blockLength] = [400_000, 100]
  const outcome = failureOf(wire.fetchPiece(1, { length, blockLength }))
  const requests = await peer.take(4000)
  for (let at = 0; at < requests.length; at += 2) peer.answer(requests[at])
  peer.socket.end()
  const { partial } = await outcome
  t.is(partial.ranges.length, 2000)
  t.true(partial.ranges.every(([start, end], at) => start === at * 200 && end === start + 100))
  const [second] = await meet(t, kind, { serves: true })
  const options = { length, blockLength, resume: partial, hash: sha1Of(1, length) }
  t.deepEqual(await second.fetchPiece(1, options), bytesAt(1, 0, length))
  t.is(second.downloaded, length / 2)
})
