// The content that peers of the scripts exchange: any block can be recreated from its piece and offset.
import { randomFrom } from './random.mjs'

/** Longest block, in bytes: the longest that a wire allows its peer to request. */
const MAX_LENGTH = 128 * 1024

const POOL_LENGTH = 1024 * 1024
const pool = Buffer.alloc(POOL_LENGTH + MAX_LENGTH)
const random = randomFrom(1, 'blocks')
for (let at = 0; at < pool.length; at += 4) pool.writeUInt32LE(random.below(2 ** 32), at)

/**
 * @param {number} piece
 * @param {number} offset in bytes
 * @param {number} length in bytes, up to {@link MAX_LENGTH}
 * @returns {Buffer} a view; do not modify it
 */
export function blockAt(piece, offset, length) {
  const start = (Math.imul(piece, 0x9e3779b1) ^ Math.imul(offset + 1, 0x85ebca6b)) >>> 0
  return pool.subarray(start % POOL_LENGTH, (start % POOL_LENGTH) + length)
}
