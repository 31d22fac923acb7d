// The pieces of the peer as users see them: an array, made when it is first read. Until then the bits of
// the core are the only copy: an eighth of a byte for each piece instead of eight bytes.
'use strict'

const { native, PANICKED } = require('../native.js')
const { allocate } = require('../own-memory.js')
const { PieceArray } = require('./piece-array.js')

/** A peer that has announced nothing. */
const NO_PIECES = { bits: Buffer.alloc(0), inBitfields: 0 }

class Pieces {
  /**
   * @param {import('./core.js').Core} core
   * @param {number} count - pieces of the torrent, 0 while unknown
   */
  constructor(core, count) {
    this.core = core
    this.count = count
    /** Keeps the array up to date; null while nobody has read it. */
    this.filler = null
    /** What the core knew at the end, for later readers. */
    this.last = null
  }

  /** @returns {boolean[]} the pieces that listeners have seen announced; kept up to date from now on */
  toArray() {
    const { bits, inBitfields } = this.last ?? this.#snapshot()
    this.last = null
    this.filler = new PieceArray()
    return this.filler.fill(bits, inBitfields)
  }

  /**
   * @param {number} piece - index
   * @param {object} wire - of the session
   * @returns {boolean} whether the peer has announced it
   */
  has(piece, wire) {
    // The user may have assigned an array.
    if (this.filler !== null) return wire.peerPieces?.[piece] === true
    const { bits } = this.last ?? this.#snapshot()
    return (bits[piece >> 3] & (0x80 >> (piece & 7))) !== 0
  }

  /**
   * @param {number} count - of the torrent
   * @throws {RangeError} when another one is known: what the peer has announced fits that one
   */
  setCount(count) {
    if (this.count !== 0 && count !== this.count)
      throw new RangeError(`count must be ${this.count}, as it was set before, got ${count}`)
    this.count = count
  }

  /** The user has assigned an array, which is kept up to date from now on. */
  adopt() {
    this.last = null
    this.filler = new PieceArray()
  }

  /**
   * Puts into the array what the core knows, when that is not from a bitfield.
   *
   * @param {boolean[]} array - of the wire now
   */
  refill(array) {
    this.filler.addBits(array, this.#snapshot().bits)
  }

  /**
   * The peer has all pieces: puts in those that the core knows of. Once is enough: a peer could repeat its
   * message of five bytes for an array of millions.
   *
   * @param {boolean[]} array - of the wire now
   */
  addAll(array) {
    if (this.filler.full === array) return
    this.refill(array)
    this.filler.full = array
  }

  /** Copies the bits of the core, which are about to be freed. */
  keep() {
    if (this.filler === null) this.last = this.#snapshot()
  }

  /** What the core knows; `inBitfields`: how many bits the bitfield messages covered. */
  #snapshot() {
    const { slot } = this.core
    const length = native.pieceBytes(slot)
    if (length === 0) return NO_PIECES
    const inBitfields = native.piecesAnnounced(slot)
    const bits = allocate(length)
    if (native.readPieces(slot, bits) === PANICKED) bits.fill(0)
    return { bits, inBitfields }
  }
}

module.exports = { Pieces }
