// `wire.peerPieces`: an array from the moment someone reads it. Until then the core's bits, an eighth
// of a byte for each piece instead of eight bytes, are the only copy.
'use strict'

const { takeBack } = require('./ahead.js')
const { native } = require('./native.js')
const { allocate } = require('./own-memory.js')
const { PieceArray } = require('./piece-array.js')

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
  const { bits, told } = wire._lastBits ?? snapshot(wire._slot)
  const pieces = new PieceArray()
  return hold(wire, pieces, pieces.fill(bits, told))
}

/**
 * The user puts an array in place.
 *
 * @param {import('./wire.js')} wire - likewise
 * @param {boolean[]} array
 */
function putInPlace(wire, array) {
  hold(wire, new PieceArray(), array)
}

/** Gives a wire its property `peerPieces`: a value, so that reading it costs no call. */
function hold(wire, pieces, array) {
  const property = { value: array, writable: true, enumerable: true, configurable: true }
  Object.defineProperty(wire, 'peerPieces', property)
  wire._lastBits = null
  wire._pieces = pieces
  return array
}

/**
 * The listeners are about to be told of a piece.
 *
 * @param {import('./wire.js')} wire
 * @param {number} piece
 */
function tellPiece(wire, piece) {
  if (wire._pieces !== null) wire._pieces.tellPiece(wire.peerPieces, piece)
}

/**
 * The listeners are about to be told of a bitfield.
 *
 * @param {import('./wire.js')} wire
 * @param {Buffer} bits
 */
function tellBits(wire, bits) {
  if (wire._pieces !== null) wire._pieces.tellBits(wire.peerPieces, bits)
}

/**
 * The core's bits are about to go.
 *
 * @param {import('./wire.js')} wire
 */
function keepPieces(wire) {
  if (wire._pieces === null) wire._lastBits = snapshot(wire._slot)
}

/** What the core knows; `told`: bits that a bitfield message has told. */
function snapshot(slot) {
  const length = native.pieceBytes(slot)
  const told = native.piecesTold(slot)
  if (length === 0) return NO_PIECES
  const bits = allocate(length)
  native.readPieces(slot, bits)
  return { bits, told }
}

module.exports = { keepPieces, putInPlace, takeUp, tellBits, tellPiece }
