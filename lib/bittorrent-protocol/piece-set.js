// `peerPieces`: the pieces of the peer as bits, with the methods of the package bitfield that users call.
'use strict'

/** Most bytes of bits: the pieces that the core accepts while the torrent's number is unknown. */
const MAX_BYTES = 512 * 1024

/** Bytes of bits that are made for any piece: most torrents have no more. */
const FREE_BYTES = 1024

/** Bytes of bits that each piece may cost: about what it takes in a Set. */
const BYTES_EACH = 64

/** Shared, as it is never written: a set that grows gets other memory. */
const NO_BITS = new Uint8Array(0)

/** Pieces that were announced one by one or by a bitfield. */
class PieceSet {
  #bits
  /** Pieces far above these bits, as one message must not cost memory for millions; null for none. */
  #far = null

  /** @param {Uint8Array} [bits] - the high bit first; becomes part of the set */
  constructor(bits = NO_BITS) {
    this.#bits = bits
  }

  /** The high bit first. */
  get buffer() {
    if (this.#far !== null) this.#grow(1 + (Math.max(...this.#far) >>> 3))
    return this.#bits
  }

  set buffer(bits) {
    this.#bits = bits
    this.#far = null
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
    if (piece < this.#bits.length << 3)
      return (this.#bits[piece >>> 3] & (0x80 >> (piece & 7))) !== 0
    return this.#far !== null && this.#far.has(piece)
  }

  /**
   * @param {number} piece - index
   * @param {boolean} [isThere]
   */
  set(piece, isThere = true) {
    const place = piece >>> 3
    if (isThere) {
      if (place >= this.#bits.length && !this.#makeRoom(piece, place + 1)) return
      this.#bits[place] |= 0x80 >> (piece & 7)
    } else if (place < this.#bits.length) {
      this.#bits[place] &= ~(0x80 >> (piece & 7))
    } else if (this.#far !== null && this.#far.delete(piece) && this.#far.size === 0) {
      this.#far = null
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
    return this.#far === null && this.#bits.every((byte) => byte === 0)
  }

  /** @returns {boolean} whether there is a bit for this piece; if not, it is kept elsewhere, or cannot be there */
  #makeRoom(piece, needed) {
    if (needed > MAX_BYTES) return false
    const count = this.#far === null ? 1 : this.#far.size + 1
    const isNear = needed <= Math.max(FREE_BYTES, 2 * this.#bits.length)
    if (isNear || needed <= BYTES_EACH * count) {
      this.#grow(needed)
      return true
    }
    this.#far ??= new Set()
    this.#far.add(piece)
    return false
  }

  /** Doubles the room at least, as pieces are often announced in their order. */
  #grow(needed) {
    const bits = this.#bits
    const grown = new Uint8Array(Math.max(needed, Math.min(2 * bits.length, MAX_BYTES)))
    grown.set(bits)
    this.#bits = grown
    const far = this.#far
    this.#far = null
    if (far !== null) for (const piece of far) this.set(piece)
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
