// Fills the array of `wire.peerPieces`, and makes it dense before V8 would.
//
// V8 keeps an array with elements far apart as a hash table, and converts it to a plain array when the
// table has grown to half of that array's size. To do so it looks up every index: with four million
// pieces, announced in random order, one `have` then blocks the event loop for more than a second.
'use strict'

const { isProxy } = require('node:util').types

/** Arrays up to this length are left to V8, which needs a millisecond to convert them. */
const MAX_SMALL = 32 * 1024

/**
 * An array becomes dense once the peer has announced one piece in this many. By then it has sent nearly as
 * many bytes as a bitfield, which costs the same memory; and the hash table, which has to be read, is still
 * small. A single `have` with a high index costs a few bytes.
 */
const MAX_SPARSENESS = 128

class PieceArray {
  constructor() {
    /** @type {boolean[]} */
    this.array = []
    /** Pieces that were announced, repeated ones too. */
    this.announced = 0
    /** Indices below it may be assigned without a check. */
    this.room = 0
    /** The array into which a `have all` has put all pieces, and no bitfield has put others since. */
    this.full = null
  }

  /**
   * @param {boolean[]} array - of the wire now: users may replace it
   * @param {number} piece
   */
  addPiece(array, piece) {
    this.announced++
    if (array !== this.array || piece >= this.room) this.makeRoom(array, piece + 1)
    array[piece] = true
  }

  /**
   * @param {boolean[]} array - of the wire now
   * @param {number} piece - which the array need not have
   */
  removePiece(array, piece) {
    if (array[piece]) array[piece] = false
  }

  /**
   * @param {boolean[]} array - of the wire now
   * @param {Uint8Array} bits - of the pieces from 0 on
   */
  addBits(array, bits) {
    const count = bits.length * 8
    this.full = null
    this.announced += count
    if (array !== this.array || count > this.room) this.makeRoom(array, count)
    setBits(array, bits)
  }

  /**
   * Fills the array with the pieces that were announced before it was first read.
   *
   * @param {Uint8Array} bits - the high bit first
   * @param {number} inBitfields - bits that bitfield messages have covered; above are single pieces
   * @returns {boolean[]} `true` or `false` in the range of a bitfield, above it `true` at single pieces
   */
  fill(bits, inBitfields) {
    const { array } = this
    let end = inBitfields
    this.announced = inBitfields
    eachSetBit(bits, inBitfields, (piece) => {
      end = piece + 1
      this.announced++
    })
    this.makeRoom(array, end)
    if (array.length < inBitfields) array.length = inBitfields
    setBits(array, bits.subarray(0, inBitfields >> 3))
    eachSetBit(bits, inBitfields, (piece) => {
      array[piece] = true
    })
    return array
  }

  /** Makes dense room for elements below `end`, if enough pieces were announced. */
  makeRoom(array, end) {
    if (array !== this.array) this.adopt(array)
    if (this.room === Infinity) return
    const length = Math.max(array.length, end)
    if (length <= MAX_SMALL || this.announced * MAX_SPARSENESS < length) {
      this.room = 0
      return
    }
    // In powers of two, so that V8 reconsiders the array only a few times.
    const room = 2 ** Math.ceil(Math.log2(length))
    if (this.room === 0) makeDense(array, room)
    else array.length = room
    array.length = length
    this.room = room
  }

  /** The user has assigned another array: one that is large, or not a plain array, stays as it is. */
  adopt(array) {
    this.array = array
    this.announced = 0
    const isPlain = Array.isArray(array) && !isProxy(array) && Object.isExtensible(array)
    this.room = isPlain && array.length <= MAX_SMALL ? 0 : Infinity
  }
}

/**
 * Makes an array dense, with room for `length` elements. To V8 an emptied array becomes dense again with
 * its first element; only then does it reserve memory at once, without a look at each index.
 */
function makeDense(array, length) {
  const keys = Object.keys(array)
  const values = keys.map((key) => array[key])
  array.length = 0
  array[0] = true
  array.length = 0
  array.length = length
  for (let i = 0; i < keys.length; i++) array[keys[i]] = values[i]
}

/** Visits the set bits from `start` on, which is a multiple of 8. */
function eachSetBit(bits, start, visit) {
  for (let at = start >> 3; at < bits.length; at++) {
    for (let byte = bits[at], piece = at * 8; byte !== 0; byte = (byte << 1) & 0xff, piece++) {
      if ((byte & 0x80) !== 0) visit(piece)
    }
  }
}

/** Writes the bits of a bitfield message into an array: eight pieces a step, as there may be millions. */
function setBits(array, bits) {
  for (let i = 0, piece = 0; i < bits.length; i++, piece += 8) {
    const byte = bits[i]
    array[piece] = (byte & 0x80) !== 0
    array[piece + 1] = (byte & 0x40) !== 0
    array[piece + 2] = (byte & 0x20) !== 0
    array[piece + 3] = (byte & 0x10) !== 0
    array[piece + 4] = (byte & 0x08) !== 0
    array[piece + 5] = (byte & 0x04) !== 0
    array[piece + 6] = (byte & 0x02) !== 0
    array[piece + 7] = (byte & 0x01) !== 0
  }
}

module.exports = { PieceArray }
