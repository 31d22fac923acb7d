// Where the pieces of a torrent lie, how long they are and which SHA-1 they have.
'use strict'

const { createHash } = require('node:crypto')

// BEP 3 peers ask for 16 KiB; more than 128 KiB in one request is only used to waste memory.
const BLOCK_LENGTH = 16 * 1024
const MAX_BLOCK_LENGTH = 128 * 1024

/** What both examples know of one torrent. Lengths, offsets and positions are in bytes. */
class Torrent {
  /**
   * @param {object} fields
   * @param {string} fields.name file or folder name, a plain name
   * @param {Buffer} fields.infoHash 20 bytes
   * @param {number} fields.pieceLength of every piece but the last
   * @param {string[]} fields.hashes SHA-1 of each piece, hex
   * @param {{path: string, length: number, offset: number}[]} fields.files `path` is relative,
   *   `offset` is the position of the first byte in the torrent
   */
  constructor({ name, infoHash, pieceLength, hashes, files }) {
    this.name = name
    this.infoHash = infoHash
    this.pieceLength = pieceLength
    this.hashes = hashes
    this.files = files
    this.length = files.reduce((sum, file) => sum + file.length, 0)
  }

  /** @returns {number} number of pieces */
  get pieceCount() {
    return this.hashes.length
  }

  /**
   * @param {number} piece
   * @param {number} offset in the piece
   * @returns {number} position in the torrent
   */
  position(piece, offset) {
    return piece * this.pieceLength + offset
  }

  /**
   * @param {number} piece
   * @returns {number} its length; the last piece is shorter than the others
   */
  lengthOf(piece) {
    return Math.min(this.pieceLength, this.length - this.position(piece, 0))
  }

  /**
   * Cuts a piece into what one request asks for.
   *
   * @param {number} piece
   * @returns {{piece: number, offset: number, length: number}[]}
   */
  blocksOf(piece) {
    const end = this.lengthOf(piece)
    return Array.from({ length: Math.ceil(end / BLOCK_LENGTH) }, (_, number) => {
      const offset = number * BLOCK_LENGTH
      return { piece, offset, length: Math.min(BLOCK_LENGTH, end - offset) }
    })
  }

  /**
   * Whether a peer may ask for this block. The numbers come from the peer and can be anything.
   *
   * @param {number} piece
   * @param {number} offset
   * @param {number} length
   * @returns {boolean}
   */
  allows(piece, offset, length) {
    if (piece >= this.pieceCount || length === 0 || length > MAX_BLOCK_LENGTH) return false
    return offset + length <= this.lengthOf(piece)
  }

  /**
   * @param {number} piece
   * @param {Buffer} bytes the whole piece
   * @returns {boolean} whether its SHA-1 is the one in the torrent
   */
  isGenuine(piece, bytes) {
    return createHash('sha1').update(bytes).digest('hex') === this.hashes[piece]
  }

  /** @returns {Buffer} the bitfield of a peer that has every piece; spare bits at the end are 0 */
  fullBitfield() {
    const bits = Buffer.alloc(Math.ceil(this.pieceCount / 8), 0xff)
    bits[bits.length - 1] <<= bits.length * 8 - this.pieceCount
    return bits
  }
}

module.exports = { Torrent }
