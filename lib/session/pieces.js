// Which pieces the peer has, as users see it: an array from the moment someone reads it. Until then the
// core's bits, an eighth of a byte for each piece instead of eight bytes, are the only copy.
'use strict'

const { native, PANICKED } = require('../native.js')
const { allocate } = require('../own-memory.js')
const { PieceArray } = require('./piece-array.js')

/** What is known of a peer that has said nothing. */
const NO_PIECES = { bits: Buffer.alloc(0), told: 0 }

class Pieces {
  /** @param {import('./core.js').Core} core */
  constructor(core) {
    this.core = core
    /** Keeps the array in step; null while nobody has read it. */
    this.filler = null
    /** What the core knew at the end, for who reads it later. */
    this.last = null
  }

  /** @returns {boolean[]} an array as listeners know it; it is filled from now on */
  toArray() {
    const { bits, told } = this.last ?? this.#snapshot()
    this.last = null
    this.filler = new PieceArray()
    return this.filler.fill(bits, told)
  }

  /** The user has an array of his own, which is filled from now on. */
  adopt() {
    this.last = null
    this.filler = new PieceArray()
  }

  /** The core's bits are about to go. */
  keep() {
    if (this.filler === null) this.last = this.#snapshot()
  }

  /** What the core knows; `told`: bits that a bitfield message has told. */
  #snapshot() {
    const { slot } = this.core
    const length = native.pieceBytes(slot)
    if (length === 0) return NO_PIECES
    const told = native.piecesTold(slot)
    const bits = allocate(length)
    if (native.readPieces(slot, bits) === PANICKED) bits.fill(0)
    return { bits, told }
  }
}

module.exports = { Pieces }
