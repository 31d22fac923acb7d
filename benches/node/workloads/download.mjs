// Rows about the downloading side in memory: the wire requests, a script answers with blocks.
import assert from 'node:assert/strict'
import { closeWires, counter, feed, inTurn, openWires } from '../drive.mjs'
import { settle, stopwatch } from '../drive.mjs'
import {
  blockOf,
  BLOCK_LEN,
  chunksOf,
  numberIn,
  pieceOf,
  placeOf,
  random
} from '../../../testkit/frames.mjs'

const COUNT = 2_048

export const rows = [
  downloadRow('64 KiB chunks', { chunkSize: 64 * 1024, outstanding: 64 }),
  downloadRow('1,448-byte chunks', { chunkSize: 1_448, outstanding: 64 }),
  downloadRow('500 open', {
    chunkSize: 64 * 1024,
    outstanding: 500
  }),
  downloadRow('500 open, shuffled', {
    chunkSize: 64 * 1024,
    outstanding: 500,
    disorder: true
  })
]

function downloadRow(title, { chunkSize, outstanding, disorder = false }) {
  return {
    name: `16 KiB block download, ${title}`,
    metrics: [{ key: 'time', unit: 'ns/block' }],
    prepare({ quick }) {
      const order = disorder ? answerOrder(outstanding) : Array.from({ length: COUNT }, (_, n) => n)
      const tape = Buffer.concat(order.map(pieceOf))
      return { outstanding, chunks: chunksOf(tape, chunkSize), wires: quick ? 2 : 16 }
    },
    run,
    check
  }
}

async function run({ library, warmup }, { outstanding, chunks, wires }) {
  const outcome = { count: 0, sum: 0, wrong: 0 }
  const opened = await openWires(library, wires)
  const elapsed = stopwatch()
  await inTurn(opened, (wire) => download(wire, { outstanding, chunks, warmup, outcome }))
  const seconds = elapsed()
  await settle()
  outcome.downloaded = opened.map((wire) => wire.downloaded)
  outcome.pending = opened.map((wire) => wire.requests.length)
  await closeWires(opened)
  return { ...outcome, values: { time: (seconds * 1e9) / (wires * COUNT) } }
}

/** Every callback sends the next request, so that the number of open requests stays the same. */
async function download(wire, { outstanding, chunks, warmup, outcome }) {
  const answered = counter(COUNT)
  let issued = 0
  while (issued < outstanding) requestNext()
  await feed(wire, chunks)
  await answered.done

  function requestNext() {
    const { piece, offset } = placeOf(issued++)
    wire.request(piece, offset, BLOCK_LEN, onBlock)
  }

  function onBlock(error, block) {
    if (error) throw error
    const n = numberIn(block)
    outcome.count++
    outcome.sum += n
    if (warmup && blockOf(n).compare(block) !== 0) outcome.wrong++
    if (issued < COUNT) requestNext()
    answered.hit()
  }
}

function check(outcome, { wires }) {
  const every = (value) => Array.from({ length: wires }, () => value)
  assert.equal(outcome.count, wires * COUNT, 'blocks')
  assert.equal(outcome.sum, (wires * COUNT * (COUNT - 1)) / 2, 'sum of the block numbers')
  assert.equal(outcome.wrong, 0, 'blocks with wrong content')
  assert.deepEqual(outcome.downloaded, every(COUNT * BLOCK_LEN), 'wire.downloaded')
  assert.deepEqual(outcome.pending, every(0), 'requests left in wire.requests')
}

/** An order in which each block answers one of the `outstanding` requests open at that point. */
function answerOrder(outstanding) {
  const below = random(7)
  const open = Array.from({ length: outstanding }, (_, n) => n)
  let issued = outstanding
  return Array.from({ length: COUNT }, () => {
    const at = below(open.length)
    const [answered] = issued < COUNT ? open.splice(at, 1, issued++) : open.splice(at, 1)
    return answered
  })
}
