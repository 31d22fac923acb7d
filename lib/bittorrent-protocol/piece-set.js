// `peerPieces`: the pieces of the peer as bits, with the methods of the package bitfield that users call.
'use strict'

/** Most bytes of bits: the pieces that the core accepts while the torrent's number is unknown. */
const MAX_BYTES = 512 * 1024

/** Shared, as it is never written: a set that grows gets other memory. */
const NO_BITS = new Uint8Array(0)

/** Pieces that were announced one by one or by a bitfield. */
class PieceSet {
  /** @param {Uint8Array} [bits] - the high bit first; becomes part of the set */
  constructor(bits = NO_BITS) {
    this.buffer = bits
  }

  /** Bits that there is room for. */
  get length() {
    return this.buffer.length << 3
  }

  /**
   * @param {number} piece - index
   * @returns {boolean}
   */
  get(piece) {
    return (this.buffer[piece >>> 3] & (0x80 >> (piece & 7))) !== 0 && piece < this.length
  }

  /**
   * @param {number} piece - index
   * @param {boolean} [isThere]
   */
  set(piece, isThere = true) {
    const place = piece >>> 3
    if (isThere) {
      if (place >= this.buffer.length) this.#grow(place + 1)
      this.buffer[place] |= 0x80 >> (piece & 7)
    } else if (place < this.buffer.length) {
      this.buffer[place] &= ~(0x80 >> (piece & 7))
    }
  }

  /**
   * Sets many at once.
   *
   * @param {ArrayLike<unknown>} values
   * @param {number} [start] - index of the piece that the first value is for
   */
  setAll(values, start = 0) {
    for (let at = 0; at < values.length; at++) this.set(start + at, Boolean(values[at]))
  }

  /**
   * @param {(isThere: boolean, piece: number) => void} callback
   * @param {number} [start] - index
   * @param {number} [end] - index
   */
  forEach(callback, start = 0, end = this.length) {
    for (let piece = start; piece < end; piece++) callback(this.get(piece), piece)
  }

  /** Whether no piece is there. */
  isEmpty() {
    return this.buffer.every((byte) => byte === 0)
  }

  /** Doubles the room at least, as pieces are often announced in their order. */
  #grow(needed) {
    if (needed > MAX_BYTES) return
    const grown = new Uint8Array(Math.max(needed, Math.min(2 * this.buffer.length, MAX_BYTES)))
    grown.set(this.buffer)
    this.buffer = grown
  }
}

/**
 * The pieces of a peer that has all, however many these are. Without `setAll`, by which users tell it from a
 * {@link PieceSet}.
 */
class AllPieces {
  constructor() {
    this.buffer = NO_BITS
    /** Those that it no longer has; made with the first. */
    this.lost = null
  }

  get(piece) {
    return this.lost === null || !this.lost.get(piece)
  }

  set(piece, isThere = true) {
    if (!isThere) this.lost ??= new PieceSet()
    this.lost?.set(piece, !isThere)
  }
}

module.exports = { AllPieces, PieceSet }
