// `wire.peerPieces`: an array from the moment someone reads it. Until then the core's bits, an eighth
// of a byte for each piece instead of eight bytes, are the only copy.
'use strict'

const { takeBack } = require('./ahead.js')
const { native } = require('./native.js')

/** What is known of a peer that has told nothing. */
const NO_PIECES = { bits: Buffer.alloc(0), told: 0 }

/**
 * The array as listeners know it: `true` or `false` where a bitfield told, `true` at single pieces
 * above, and nothing elsewhere. From now on it is a plain property of the wire.
 *
 * @param {import('./wire.js')} wire - whose property `peerPieces` was not read or written yet
 * @returns {boolean[]}
 */
function takeUp(wire) {
  takeBack(wire)
  return hold(wire, toArray(wire._lastBits ?? snapshot(wire._slot)))
}

/**
 * Gives a wire its property `peerPieces`: a value, so that reading it costs no call.
 *
 * @param {import('./wire.js')} wire
 * @param {boolean[]} array
 * @returns {boolean[]} the array
 */
function hold(wire, array) {
  const property = { value: array, writable: true, enumerable: true, configurable: true }
  Object.defineProperty(wire, 'peerPieces', property)
  wire._lastBits = null
  wire._holdsPieces = true
  return array
}

/**
 * The listeners are about to be told of a piece.
 *
 * @param {import('./wire.js')} wire
 * @param {number} piece
 */
function tellPiece(wire, piece) {
  if (wire._holdsPieces) wire.peerPieces[piece] = true
}

/**
 * The listeners are about to be told of a bitfield.
 *
 * @param {import('./wire.js')} wire
 * @param {Buffer} bits
 */
function tellBits(wire, bits) {
  if (wire._holdsPieces) setBits(wire.peerPieces, bits)
}

/**
 * The core's bits are about to go.
 *
 * @param {import('./wire.js')} wire
 */
function keepPieces(wire) {
  if (!wire._holdsPieces) wire._lastBits = snapshot(wire._slot)
}

/** What the core knows; `told`: bits that a bitfield message has told. */
function snapshot(slot) {
  const length = native.pieceBytes(slot)
  const told = native.piecesTold(slot)
  if (length === 0) return NO_PIECES
  const bits = Buffer.allocUnsafe(length)
  native.readPieces(slot, bits)
  return { bits, told }
}

function toArray({ bits, told }) {
  const array = []
  array.length = told
  setBits(array, bits.subarray(0, told >> 3))
  for (let i = told; i < bits.length * 8; i++) {
    if ((bits[i >> 3] & (0x80 >> (i & 7))) !== 0) array[i] = true
  }
  return array
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

module.exports = { hold, keepPieces, takeUp, tellBits, tellPiece }
