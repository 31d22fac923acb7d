// What the rows about native sockets share: how a wire gets its connection, and pieces that are fetched whole.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { blockOf, BLOCK_LEN, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { connect, join, TAPE_BLOCKS } from './blocks.mjs'

const { allocate } = createRequire(import.meta.url)('../../..')

/** Blocks in a piece of the made-up torrent. */
export const PIECE_BLOCKS = 16
export const PIECE_LEN = PIECE_BLOCKS * BLOCK_LEN
/** Distinct pieces, after which they repeat. */
export const TAPE_PIECES = TAPE_BLOCKS / PIECE_BLOCKS

/**
 * @param {import('../libraries.mjs').Library} library
 * @param {number} port of the far end
 * @param {boolean} isNative
 * @returns {{ wire: import('node:stream').Duplex, close: () => void }}
 */
export function open(library, port, isNative) {
  if (isNative) {
    const wire = library.connect(port)
    return { wire, close: () => wire.destroy() }
  }
  const socket = connect(port)
  // As native sockets have it, and as clients do.
  socket.setNoDelay(true)
  const wire = library.create()
  join(socket, wire)
  return { wire, close: () => socket.destroy() }
}

/** What a wire that downloads sends first. */
export function showInterest(wire) {
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
}

/** @returns {{ bytes: Buffer, hash: Buffer }[]} the pieces of the tape, by their indexes */
export function tapeWholePieces() {
  const blocks = Array.from({ length: TAPE_BLOCKS }, (_, n) => blockOf(n))
  return Array.from({ length: TAPE_PIECES }, (_, index) => {
    const from = index * PIECE_BLOCKS
    const bytes = Buffer.concat(blocks.slice(from, from + PIECE_BLOCKS))
    return { bytes, hash: sha1(bytes) }
  })
}

export const sha1 = (bytes) => createHash('sha1').update(bytes).digest()

/** Keeps the keys of `ways` with the side of each, as rows name them. */
export const sidesOf = (ways) =>
  Object.fromEntries(Object.entries(ways).map(([way, { side }]) => [way, side]))

/**
 * Fetches pieces whole; each that arrives is followed by the next one.
 * @param {object} wire
 * @param {object} task
 * @param {number} task.count blocks
 * @param {number} task.ahead pieces to keep in the queue
 * @param {{ bytes: Buffer, hash: Buffer }[]} task.pieces of the tape
 * @param {boolean} [task.repeats] indexes too, for a far end that repeats its tape
 * @param {boolean} task.compare every byte, instead of only the number of its first block
 * @param {boolean} task.reuses memory of `pwp.allocate()`, instead of new memory for each piece
 * @param {boolean} [task.isChecked] with SHA-1
 * @param {{ count: number, wrong: number }} [task.outcome] to be kept up to date
 * @param {(count: number) => void} [task.onCount] called with the number of blocks received
 * @returns {Promise<{ count: number, wrong: number }>} settles at the last piece
 */
export async function takePieces(
  wire,
  {
    count,
    ahead,
    pieces,
    repeats = false,
    compare,
    reuses,
    isChecked = true,
    onCount = ignore,
    ...task
  }
) {
  const { outcome = { count: 0, wrong: 0 } } = task
  const total = count / PIECE_BLOCKS
  let issued = 0
  await Promise.all(Array.from({ length: Math.min(ahead, total) }, lane))
  return outcome

  async function lane() {
    const into = reuses ? allocate(PIECE_LEN) : undefined
    while (issued < total) {
      const n = issued++
      const { bytes, ...known } = pieces[n % TAPE_PIECES]
      const hash = isChecked ? known.hash : undefined
      const index = repeats ? n % TAPE_PIECES : n
      // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
      const piece = await wire.fetchPiece(index, { length: PIECE_LEN, hash, into })
      const isRight = compare ? piece.equals(bytes) : piece.readInt32LE() === bytes.readInt32LE()
      if (!isRight || piece.length !== PIECE_LEN) outcome.wrong++
      if (reuses && piece.buffer !== into.buffer) outcome.wrong++
      outcome.count += PIECE_BLOCKS
      onCount(outcome.count)
    }
  }
}

function ignore() {}
