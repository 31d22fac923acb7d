// Rows about a peer that announces its pieces one by one to a wire that does not know the torrent: how
// long a chunk of haves blocks the event loop, once `peerPieces` was read.
import assert from 'node:assert/strict'
import { closeWires, feed, inTurn, openWire, stopwatch } from '../drive.mjs'
import { bitfield, chunksOf, shuffled } from '../../../testkit/frames.mjs'

/** Pieces of a large torrent; below the limit of a wire that does not know the torrent. */
const PIECES = 3_850_000
const HAVE_LEN = 9
const CHUNK_LEN = 64 * 1024

const inOrder = (count) => Array.from({ length: count }, (_, piece) => piece)

/** Every 50th piece from 0, then every 50th from 1, and so on. */
const combed = (count) =>
  inOrder(count).map((n) => ((n * 50) % count) + Math.floor((n * 50) / count))

export const rows = [
  row('in order', { order: inOrder }),
  row('at random', { order: shuffled }),
  row('the last piece first', { order: (count) => inOrder(count).toReversed() }),
  row('each 50th', { order: combed }),
  row('at random, a bitfield in between', { order: shuffled, bitfieldAfter: 1 / 8 })
]

function row(name, { order, bitfieldAfter = 1 }) {
  return {
    name: `3,850,000 haves ${name}, peerPieces read: longest stop`,
    metrics: [{ key: 'stop', unit: 'ms' }],
    sides: ['ours', 'original'],
    fresh: true,
    rounds: 3,
    warmups: 0,
    prepare() {
      const pieces = order(PIECES)
      const before = pieces.slice(0, PIECES * bitfieldAfter)
      const after = pieces.slice(PIECES * bitfieldAfter)
      const bits = after.length === 0 ? [] : [bitfield(bitsOf(before))]
      return { chunks: [...chunked(before), ...bits, ...chunked(after)] }
    },
    run,
    check({ delivered, count }) {
      assert.equal(count, PIECES, 'pieces in peerPieces')
      assert.ok(delivered >= PIECES, 'haves')
    }
  }
}

async function run({ library }, { chunks }) {
  const wire = await openWire(library)
  let delivered = wire.peerPieces.length
  wire.on('have', () => delivered++)
  let stop = 0
  await inTurn(chunks, async (chunk) => {
    const elapsed = stopwatch()
    await feed(wire, [chunk])
    stop = Math.max(stop, elapsed())
  })
  const count = wire.peerPieces.filter(Boolean).length
  await closeWires([wire])
  return { values: { stop: stop * 1000 }, delivered, count }
}

function chunked(pieces) {
  const bytes = Buffer.alloc(pieces.length * HAVE_LEN)
  pieces.forEach((piece, n) => {
    bytes.writeUInt32BE(5, n * HAVE_LEN)
    bytes[n * HAVE_LEN + 4] = 4
    bytes.writeUInt32BE(piece, n * HAVE_LEN + 5)
  })
  return chunksOf(bytes, CHUNK_LEN)
}

function bitsOf(pieces) {
  const bits = Buffer.alloc(Math.ceil(PIECES / 8))
  for (const piece of pieces) bits[piece >> 3] |= 0x80 >> (piece & 7)
  return bits
}
