// Run as a process with --allow-natives-syntax: feeds haves to wires, and prints how V8 keeps their arrays.
import { chunksOf, shuffled } from '../frames.mjs'
import { frame } from '../messages.mjs'
import { greeted } from '../wires.mjs'

/** Pieces of the torrents, up to what a wire takes that does not know its torrent. */
const MOST = 4 * 1024 * 1024
/** Told at a time. */
const STEP = 1000

// The syntax is one of V8 alone.
const isSparse = new Function('array', 'return %HasDictionaryElements(array)')

const inOrder = (count) => Array.from({ length: count }, (_, piece) => piece)
const spread = (count, pieces) => shuffled(count).map((n) => Math.floor((n * pieces) / count))

/**
 * What is told, after what else has happened.
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
  const told = new Map(isReadLate ? [] : Object.entries(array))
  wire.on('bitfield', (bits) => {
    for (let n = 0; n < bits.length * 8; n++) told.set(`${n}`, n % 2 === 1)
  })
  wire.on('have', (piece) => told.set(`${piece}`, true))
  const sparse = []
  for (const chunk of chunksOf(Buffer.concat(pieces.map((piece) => frame(4, piece))), 9 * STEP)) {
    wire.write(chunk)
    if (!isReadLate) sparse.push(isSparse(wire.peerPieces))
  }
  if (isReadLate) sparse.push(isSparse(wire.peerPieces))
  return {
    isSame: isReadLate || wire.peerPieces === array,
    isRight: isEqual(wire.peerPieces, told),
    length: wire.peerPieces.length - (Math.max(...pieces) + 1),
    // Steps during which V8 has kept a hash table, and changes of that.
    sparse: sparse.filter(Boolean).length,
    changes: sparse.filter((is, n) => n > 0 && is !== sparse[n - 1]).length
  }
}

function isEqual(array, told) {
  const entries = Object.entries(array)
  return entries.length === told.size && entries.every(([key, value]) => told.get(key) === value)
}
