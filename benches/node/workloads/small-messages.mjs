// Rows about small messages received: many per chunk, and one per chunk.
import assert from 'node:assert/strict'
import { closeWires, counter, feed, inTurn, openWire, openWires } from '../drive.mjs'
import { settle, stopwatch } from '../drive.mjs'
import {
  bitfield,
  BLOCK_LEN,
  chunksOf,
  have,
  message,
  request,
  shuffled
} from '../../../testkit/frames.mjs'

const FLOOD_PIECES = 32_768
const metrics = [{ key: 'time', unit: 'ns/message' }]
const refusal = new Error('not now')

const haveFlood = {
  name: 'have flood',
  metrics,
  prepare({ quick }) {
    const frames = Buffer.concat(shuffled(FLOOD_PIECES).map(have))
    return { chunks: chunksOf(frames, 64 * 1024), wires: quick ? 4 : 24 }
  },
  async run({ library }, { chunks, wires }) {
    const opened = await openWires(library, wires)
    await inTurn(opened, expectPieces(FLOOD_PIECES))
    const seen = counter(wires * FLOOD_PIECES)
    let sum = 0
    for (const wire of opened) {
      wire.on('have', (piece) => {
        sum += piece
        seen.hit()
      })
    }
    const elapsed = stopwatch()
    await inTurn(opened, (wire) => feed(wire, chunks))
    await seen.done
    const seconds = elapsed()
    await closeWires(opened)
    return { values: { time: (seconds * 1e9) / seen.count }, count: seen.count, sum }
  },
  check({ count, sum }, { wires }) {
    assert.equal(count, wires * FLOOD_PIECES, 'have events')
    assert.equal(sum, (wires * FLOOD_PIECES * (FLOOD_PIECES - 1)) / 2, 'sum of the piece numbers')
  }
}

/** Each request is declined at once, so that none accumulate. */
const alternating = {
  name: 'request and have in turn, each in its own chunk',
  metrics,
  prepare({ quick }) {
    const pieces = quick ? 16_384 : 98_304
    const chunks = []
    for (let piece = 0; piece < pieces; piece++) {
      chunks.push(request(piece, BLOCK_LEN, BLOCK_LEN), have(piece))
    }
    return { chunks, pieces, requests: pieces }
  },
  run: feedSingly,
  check: checkSingly
}

const havesOnly = {
  name: 'have in its own chunk',
  metrics,
  prepare({ quick }) {
    const pieces = quick ? 32_768 : 196_608
    const chunks = Array.from({ length: pieces }, (_, piece) => have(piece))
    return { chunks, pieces, requests: 0 }
  },
  run: feedSingly,
  check: checkSingly
}

const chokes = {
  name: 'chokes in 64 KiB chunks, a request at each',
  metrics: [{ key: 'time', unit: 'ms/chunk' }],
  prepare({ quick }) {
    const chunks = quick ? 8 : 40
    const pairs = Math.floor((64 * 1024) / (2 * message(0).length))
    const chunk = Buffer.concat(Array(pairs).fill(Buffer.concat([message(1), message(0)])))
    return { chunks: Array(chunks).fill(chunk), requests: chunks * pairs }
  },
  async run({ library }, { chunks, requests }) {
    const wire = await openWire(library)
    wire.resume()
    const failed = counter(requests)
    const texts = new Set()
    const fail = (error) => {
      texts.add(error.message)
      failed.hit()
    }
    wire.on('unchoke', () => wire.request(0, 0, BLOCK_LEN, fail))
    const elapsed = stopwatch()
    await feed(wire, chunks)
    await failed.done
    const seconds = elapsed()
    await settle()
    await closeWires([wire])
    return {
      values: { time: (seconds * 1e3) / chunks.length },
      count: failed.count,
      texts: [...texts].join()
    }
  },
  check({ count, texts }, { requests }) {
    assert.equal(count, requests, 'requests that failed')
    assert.equal(texts, 'peer is choking')
  }
}

export const rows = [haveFlood, alternating, havesOnly, chokes]

async function feedSingly({ library }, { chunks, pieces }) {
  const wire = await openWire(library)
  await expectPieces(pieces)(wire)
  const seen = counter(chunks.length)
  const outcome = { haves: 0, requests: 0 }
  wire.on('have', (piece) => {
    outcome.haves += piece
    seen.hit()
  })
  wire.on('request', (piece, offset, length, respond) => {
    outcome.requests += piece + offset - length + 1
    respond(refusal)
    seen.hit()
  })
  const elapsed = stopwatch()
  await feed(wire, chunks)
  await seen.done
  const seconds = elapsed()
  await settle()
  Object.assign(outcome, { count: seen.count, pending: wire.peerRequests.length })
  await closeWires([wire])
  return { ...outcome, values: { time: (seconds * 1e9) / chunks.length } }
}

function checkSingly(outcome, { chunks, pieces, requests }) {
  const sum = (pieces * (pieces - 1)) / 2
  assert.equal(outcome.count, chunks.length, 'messages')
  assert.equal(outcome.haves, sum, 'sum of the have numbers')
  assert.equal(outcome.requests, requests ? sum + pieces : 0, 'sum of the request fields')
  assert.equal(outcome.pending, 0, 'requests left in peerRequests')
}

/** Starts with an empty bitfield of `pieces` pieces, as a connection does. */
function expectPieces(pieces) {
  return async (wire) => {
    wire.write(bitfield(Buffer.alloc(pieces / 8)))
    await settle()
  }
}
