// The frames of a made-up torrent for benchmarks and long checks, each addressed by its number.
import { cut, encodeHandshake, frame } from './messages.mjs'
import { randomFrom } from './random.mjs'

/** Bytes in a block, as clients request them. */
export const BLOCK_LEN = 16 * 1024
/** Bytes in the frame of a piece message around a block of BLOCK_LEN. */
export const PIECE_FRAME_LEN = 13 + BLOCK_LEN
/** Bytes in the frame of a request message. */
export const REQUEST_FRAME_LEN = 17
/** Bytes in a handshake. */
export const HANDSHAKE_LEN = 68

/** Info hash and peer id of all handshakes. */
export const INFO_HASH = Buffer.alloc(20, 0x2a)
export const PEER_ID = Buffer.from('-BE0001-012345678901')

/** @returns {Buffer} a handshake without any extension bit, so that no library adds messages. */
export function handshake() {
  const reserved = Array(8).fill(0)
  return encodeHandshake({ reserved, infoHash: INFO_HASH, peerId: PEER_ID })
}

/**
 * @param {number} id message number
 * @param {number[]} numbers 32-bit fields after the id
 * @param {Uint8Array} [payload] bytes after the fields
 * @returns {Buffer} the whole frame, length prefix included
 */
export function message(id, numbers = [], payload = new Uint8Array(0)) {
  return frame(id, ...numbers, payload)
}

export const unchoke = () => message(1)
export const interested = () => message(2)
export const have = (piece) => message(4, [piece])
export const bitfield = (bits) => message(5, [], bits)
export const request = (piece, offset, length) => message(6, [piece, offset, length])
export const piece = (index, offset, block) => message(7, [index, offset], block)
export const extended = (id, payload) =>
  message(20, [], Buffer.concat([Buffer.from([id]), payload]))

/**
 * Position of block number `n` of the made-up torrent: 16 blocks per piece.
 * @param {number} n
 * @returns {{ piece: number, offset: number }}
 */
export const placeOf = (n) => ({ piece: n >>> 4, offset: (n & 15) * BLOCK_LEN })

/** The inverse of `placeOf`. */
export const numberAt = (pieceIndex, offset) => (pieceIndex << 4) | (offset / BLOCK_LEN)

/**
 * A block whose first four bytes are its number, so that a receiver can identify it.
 * @param {number} n
 * @param {number} [length] bytes
 */
export function blockOf(n, length = BLOCK_LEN) {
  const block = Buffer.alloc(length, (n * 7 + 1) & 0xff)
  block.writeUInt32LE(n, 0)
  return block
}

/** The number in the first four bytes of a block. */
export const numberIn = (block) => block[0] | (block[1] << 8) | (block[2] << 16) | (block[3] << 24)

/** @returns {Buffer} the request message for block number `n` */
export function requestOf(n) {
  const { piece: index, offset } = placeOf(n)
  return request(index, offset, BLOCK_LEN)
}

/** @returns {Buffer} the piece message that carries block number `n` */
export function pieceOf(n) {
  const { piece: index, offset } = placeOf(n)
  return piece(index, offset, blockOf(n))
}

/**
 * @param {Buffer} bytes
 * @param {number} size bytes in a chunk
 * @returns {Buffer[]} views of `bytes`, the last one possibly shorter
 */
export function chunksOf(bytes, size) {
  return cut(bytes, [size])
}

/** @returns {(limit: number) => number} the same pseudo-random whole numbers on every run */
export function random(seed = 1) {
  const source = randomFrom(seed)
  return (limit) => source.below(limit)
}

/** @returns {number[]} the numbers 0 to `count - 1` in a fixed random order */
export function shuffled(count, seed = 1) {
  const below = random(seed)
  const numbers = Array.from({ length: count }, (_, index) => index)
  for (let at = count - 1; at > 0; at--) {
    const other = below(at + 1)
    ;[numbers[at], numbers[other]] = [numbers[other], numbers[at]]
  }
  return numbers
}
