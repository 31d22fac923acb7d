// `wire.peerPieces`: an array that exists only once someone asks for it. Until then the core's
// bits are the only copy.
'use strict'

const { native } = require('./native.js')

const { record } = native

/** Marks an index in a record of haves as new. */
const NEW_PIECE = 0x80000000

/**
 * What the core knows of the peer's pieces.
 *
 * @param {number} slot
 * @returns {{bits: Buffer, told: number}} `told`: bits that a bitfield message has told
 */
function snapshot(slot) {
  const bits = Buffer.allocUnsafe(native.pieceBytes(slot))
  const told = record[0]
  native.readPieces(slot, bits)
  return { bits, told }
}

/**
 * The array as listeners know it: `true` or `false` where a bitfield told, `true` at single
 * pieces above, and nothing elsewhere.
 *
 * @param {{bits: Buffer, told: number}} pieces
 * @param {Uint32Array} [ahead] - haves that the core knows and the listeners do not know yet
 * @returns {boolean[]}
 */
function toArray({ bits, told }, ahead) {
  if (ahead !== undefined) withoutNew(bits, ahead)
  const array = []
  for (let i = 0; i < bits.length * 8; i++) {
    const has = (bits[i >> 3] & (0x80 >> (i & 7))) !== 0
    if (has || i < told) array[i] = has
  }
  return array
}

/**
 * Applies a bitfield message to the array.
 *
 * @param {boolean[]} array
 * @param {Buffer} bits
 */
function setBits(array, bits) {
  for (let i = 0; i < bits.length; i++) {
    const byte = bits[i]
    for (let bit = 0; bit < 8; bit++) array[i * 8 + bit] = (byte & (0x80 >> bit)) !== 0
  }
}

function withoutNew(bits, ahead) {
  for (const number of ahead) {
    if (number < NEW_PIECE) continue
    const piece = number - NEW_PIECE
    bits[piece >> 3] &= ~(0x80 >> (piece & 7))
  }
}

module.exports = { snapshot, toArray, setBits, NEW_PIECE }
