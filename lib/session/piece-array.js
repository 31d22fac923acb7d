// The array of `wire.peerPieces` while a peer fills it: dense before V8 would make it so.
//
// V8 keeps an array whose elements lie far apart as a hash table, and turns it into a plain one when
// the table has grown to half of its size. For that it looks up each index: with four million
// pieces, told in no order, one `have` then stops the event loop for more than a second.
'use strict'

const { isProxy } = require('node:util').types

/** Arrays up to this length are left to V8, which needs a millisecond for them. */
const MAX_SMALL = 32 * 1024

/**
 * An array becomes dense when the peer has told of one piece in so many. That takes it nearly as many
 * bytes as a bitfield, which costs the same memory; and the hash table, which is read for it, is
 * still small. A single `have` far up costs a few bytes.
 */
const MAX_SPARSENESS = 128

class PieceArray {
  constructor() {
    /** @type {boolean[]} */
    this.array = []
    /** Pieces that were told, repeated ones too. */
    this.told = 0
    /** Indices below it take an element without another thought. */
    this.room = 0
  }

  /**
   * @param {boolean[]} array - of the wire now: users may replace it
   * @param {number} piece
   */
  tellPiece(array, piece) {
    this.told++
    if (array !== this.array || piece >= this.room) this.makeRoom(array, piece + 1)
    array[piece] = true
  }

  /**
   * @param {boolean[]} array - likewise
   * @param {Uint8Array} bits - of the pieces from 0 on
   */
  tellBits(array, bits) {
    const count = bits.length * 8
    this.told += count
    if (array !== this.array || count > this.room) this.makeRoom(array, count)
    setBits(array, bits)
  }

  /**
   * Fills it with what was told before someone read it.
   *
   * @param {Uint8Array} bits - the high bit first
   * @param {number} inBitfields - bits that bitfield messages have told; single pieces lie above
   * @returns {boolean[]} `true` or `false` where a bitfield told, and `true` at the single pieces
   */
  fill(bits, inBitfields) {
    const { array } = this
    let end = inBitfields
    this.told = inBitfields
    eachSetBit(bits, inBitfields, (piece) => {
      end = piece + 1
      this.told++
    })
    this.makeRoom(array, end)
    if (array.length < inBitfields) array.length = inBitfields
    setBits(array, bits.subarray(0, inBitfields >> 3))
    eachSetBit(bits, inBitfields, (piece) => {
      array[piece] = true
    })
    return array
  }

  /** Gives the array dense room for elements below `end`, if enough is told. */
  makeRoom(array, end) {
    if (array !== this.array) this.adopt(array)
    if (this.room === Infinity) return
    const length = Math.max(array.length, end)
    if (length <= MAX_SMALL || this.told * MAX_SPARSENESS < length) {
      this.room = 0
      return
    }
    // In powers of two, so that V8 has no reason to look at it again but a few times.
    const room = 2 ** Math.ceil(Math.log2(length))
    if (this.room === 0) makeDense(array, room)
    else array.length = room
    array.length = length
    this.room = room
  }

  /** The user has put another array in place: what is no plain one, or is large, stays as it is. */
  adopt(array) {
    this.array = array
    this.told = 0
    const isPlain = Array.isArray(array) && !isProxy(array) && Object.isExtensible(array)
    this.room = isPlain && array.length <= MAX_SMALL ? 0 : Infinity
  }
}

/**
 * Makes an array dense, with room for `length` elements. An emptied array is dense again for V8 when
 * it gets an element; only then memory is reserved at once and without a look at each index.
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

/** Bits from `start` on, with which a byte begins. */
function eachSetBit(bits, start, visit) {
  for (let at = start >> 3; at < bits.length; at++) {
    for (let byte = bits[at], piece = at * 8; byte !== 0; byte = (byte << 1) & 0xff, piece++) {
      if ((byte & 0x80) !== 0) visit(piece)
    }
  }
}

/** Applies the bits of a bitfield message to an array: eight pieces a step, as there may be many. */
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
