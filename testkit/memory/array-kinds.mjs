// Sends haves to wires and prints how V8 stores their arrays. Needs --allow-natives-syntax.
import { chunksOf, shuffled } from '../frames.mjs'
import { frame } from '../messages.mjs'
import { greeted } from '../wires.mjs'

/** Piece counts of the torrents, up to the limit of a wire that does not know its torrent. */
const MOST = 4 * 1024 * 1024
/** Haves per chunk. */
const STEP = 1000

// Only V8 parses this syntax.
const isSparse = new Function('array', 'return %HasDictionaryElements(array)')

const inOrder = (count) => Array.from({ length: count }, (_, piece) => piece)
const spread = (count, pieces) => shuffled(count).map((n) => Math.floor((n * pieces) / count))

/**
 * The haves received, and what happens before them.
 *
 * @type {Record<string, {pieces: number[], before?: (wire: object) => void}>}
 */
const CASES = {
  'at random': { pieces: spread(60_000, MOST) },
  'at random, of 3.85 million': { pieces: spread(60_000, 3_850_000) },
  'the last piece first': { pieces: inOrder(60_000).map((n) => MOST - 1 - n * 3) },
  'each 100th': { pieces: inOrder(40_000).map((n) => n * 100) },
  'the first pieces in order, after the last one': { pieces: [MOST - 1, ...inOrder(60_000)] },
  'all of 100,000 in order': { pieces: inOrder(100_000) },
  'all of 100,000 at random': { pieces: shuffled(100_000) },
  'at random, behind a bitfield': {
    pieces: spread(60_000, MOST),
    before: (wire) => wire.write(frame(5, Buffer.alloc(5000, 0x55)))
  },
  'at random, before a large bitfield': {
    pieces: [MOST - 1],
    before: (wire) => wire.once('have', () => wire.write(frame(5, Buffer.alloc(300_000, 0x55))))
  },
  'at random, into an array of the user': {
    pieces: spread(60_000, MOST),
    before(wire) {
      wire.peerPieces = [true, 'theirs']
      wire.peerPieces.note = 'theirs'
    }
  },
  'at random, not read before': { pieces: spread(60_000, MOST), isReadLate: true },
  'once, far up': { pieces: [MOST - 1] }
}

const results = Object.entries(CASES).map(([name, one]) => [name, run(one)])
console.log(JSON.stringify(Object.fromEntries(results)))

function run({ pieces, before = () => {}, isReadLate = false }) {
  const wire = greeted()
  if (!isReadLate) void wire.peerPieces
  before(wire)
  const array = isReadLate ? null : wire.peerPieces
  const expected = new Map(isReadLate ? [] : Object.entries(array))
  wire.on('bitfield', (bits) => {
    for (let n = 0; n < bits.length * 8; n++) expected.set(`${n}`, n % 2 === 1)
  })
  wire.on('have', (piece) => expected.set(`${piece}`, true))
  const sparse = []
  for (const chunk of chunksOf(Buffer.concat(pieces.map((piece) => frame(4, piece))), 9 * STEP)) {
    wire.write(chunk)
    if (!isReadLate) sparse.push(isSparse(wire.peerPieces))
  }
  if (isReadLate) sparse.push(isSparse(wire.peerPieces))
  return {
    isSame: isReadLate || wire.peerPieces === array,
    isRight: isEqual(wire.peerPieces, expected),
    length: wire.peerPieces.length - (Math.max(...pieces) + 1),
    // Chunks after which V8 stored a hash table, and switches to or from one.
    sparse: sparse.filter(Boolean).length,
    changes: sparse.filter((is, n) => n > 0 && is !== sparse[n - 1]).length
  }
}

function isEqual(array, expected) {
  const entries = Object.entries(array)
  return (
    entries.length === expected.size && entries.every(([key, value]) => expected.get(key) === value)
  )
}
