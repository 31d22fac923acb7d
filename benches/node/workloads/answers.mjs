// Rows about the serving side in memory: each request received is answered with a prebuilt block.
import assert from 'node:assert/strict'
import {
  closeWires,
  comparing,
  counter,
  feed,
  inTurn,
  openWire,
  settle,
  stopwatch
} from '../drive.mjs'
import { blockOf, BLOCK_LEN, chunksOf, piece, request } from '../../../testkit/frames.mjs'

const DISTINCT_BLOCKS = 64

export const rows = [
  answerRow('64-byte answers in memory', 64, { normal: 200_000, quick: 30_000 }),
  answerRow('16 KiB answers in memory', BLOCK_LEN, {
    normal: 100_000,
    quick: 15_000
  })
]

function answerRow(name, length, requests) {
  return {
    name,
    metrics: [{ key: 'time', unit: 'ns/request' }],
    prepare: ({ quick }) => prepare(length, quick ? requests.quick : requests.normal),
    run,
    check
  }
}

function prepare(length, count) {
  const blocks = Array.from({ length: DISTINCT_BLOCKS }, (_, n) => blockOf(n, length))
  const requests = Array.from({ length: count }, (_, n) => request(n, 0, length))
  return { count, length, blocks, chunks: chunksOf(Buffer.concat(requests), 64 * 1024) }
}

async function run({ library, warmup }, { count, length, blocks, chunks }) {
  const sent = counter(count * (13 + length))
  const frameAt = (n) => piece(n, 0, blocks[n % DISTINCT_BLOCKS])
  const compared = warmup ? comparing(frameAt) : null
  let bytes = 0
  const wire = await openWire(library, { onOutput })
  wire.on('request', (index, _offset, _length, respond) => {
    respond(null, blocks[index % DISTINCT_BLOCKS])
  })
  const elapsed = stopwatch()
  // Each in a turn of its own, as from a socket: until output has left, requests are held back or refused.
  await inTurn(chunks, async (part) => {
    await feed(wire, [part])
    await settle()
  })
  await sent.done
  const seconds = elapsed()
  await settle()
  const { uploaded } = wire
  await closeWires([wire])
  const wrong = compared?.wrong ?? 0
  return { values: { time: (seconds * 1e9) / count }, bytes, uploaded, wrong }

  function onOutput(chunk) {
    bytes += chunk.length
    compared?.write(chunk)
    sent.add(chunk.length)
  }
}

function check({ bytes, uploaded, wrong }, { count, length }) {
  assert.equal(bytes, count * (13 + length), 'bytes sent')
  assert.equal(uploaded, count * length, 'wire.uploaded')
  assert.equal(wrong, 0, 'parts of the output that differ from what is expected')
}
