// `wire.peerPieces`: an array that exists while someone uses it. Otherwise the core's bits, an
// eighth of a byte for each piece instead of eight bytes, are the only copy.
'use strict'

const { native, record, NO_SLOT } = require('./native.js')

/** Marks an index in a record of haves as new. */
const NEW_PIECE = 0x80000000

/** So often, in ms, a wire lets go of its array; one that is in use is taken up again. */
const REST_INTERVAL = 5000

/** Shorter arrays are kept: they are small, and most torrents have no more pieces. */
const MIN_RESTING_LENGTH = 4096

// Real ones, also in tests that replace the timers of their realm.
const { setInterval, clearInterval } = globalThis

/** What is known of a peer that has told nothing. */
const NO_PIECES = { bits: Buffer.alloc(0), told: 0 }

/** Wires that hold an array. */
const holders = new Set()
let timer = null

/**
 * The array as listeners know it: `true` or `false` where a bitfield told, `true` at single pieces
 * above, and nothing elsewhere.
 *
 * @param {import('./wire.js')} wire - that holds no array now
 * @returns {boolean[]}
 */
function takeUp(wire) {
  const ahead = wire._haves?.subarray(wire._havesTold)
  const array = wire._weakPieces?.deref() ?? toArray(wire._lastBits ?? snapshot(wire._slot), ahead)
  hold(wire, array)
  if (array.length >= MIN_RESTING_LENGTH) {
    holders.add(wire)
    timer ??= setInterval(rest, REST_INTERVAL).unref()
  }
  return array
}

/**
 * Lets a wire hold an array: its own or, for good, one that the user has set.
 *
 * @param {import('./wire.js')} wire
 * @param {boolean[]} array
 */
function hold(wire, array) {
  wire._pieces = array
  wire._weakPieces = null
  holders.delete(wire)
}

/**
 * The listeners are about to be told of a piece.
 *
 * @param {import('./wire.js')} wire
 * @param {number} piece
 */
function tellPiece(wire, piece) {
  const array = existing(wire)
  if (array !== null) array[piece] = true
}

/**
 * The listeners are about to be told of a bitfield.
 *
 * @param {import('./wire.js')} wire
 * @param {Buffer} bits
 */
function tellBits(wire, bits) {
  const array = existing(wire)
  if (array !== null) setBits(array, bits)
}

/**
 * The core's bits are about to go.
 *
 * @param {import('./wire.js')} wire
 */
function keepPieces(wire) {
  if (existing(wire) === null) wire._lastBits = snapshot(wire._slot)
  else hold(wire, existing(wire))
}

function existing(wire) {
  if (wire._pieces !== null || wire._weakPieces === null) return wire._pieces
  const array = wire._weakPieces.deref() ?? null
  if (array === null) wire._weakPieces = null
  return array
}

function rest() {
  for (const wire of holders) {
    // Without the core's bits, or changed by the user, the array is the only copy.
    if (wire._slot === NO_SLOT || !isEqual(wire._pieces, snapshot(wire._slot))) continue
    wire._weakPieces = new WeakRef(wire._pieces)
    wire._pieces = null
  }
  holders.clear()
  clearInterval(timer)
  timer = null
}

/** What the core knows; `told`: bits that a bitfield message has told. */
function snapshot(slot) {
  const length = native.pieceBytes(slot)
  const told = record[0]
  if (length === 0) return NO_PIECES
  const bits = Buffer.allocUnsafe(length)
  native.readPieces(slot, bits)
  return { bits, told }
}

function toArray({ bits, told }, ahead) {
  if (ahead !== undefined) withoutNew(bits, ahead)
  const array = []
  setBits(array, bits.subarray(0, told >> 3))
  for (let i = told; i < bits.length * 8; i++) {
    if ((bits[i >> 3] & (0x80 >> (i & 7))) !== 0) array[i] = true
  }
  return array
}

/** Whether the array holds just what the core knows. */
function isEqual(array, { bits, told }) {
  if (array.length < told || array.length > bits.length * 8) return false
  for (let i = 0; i < array.length; i++) {
    const has = (bits[i >> 3] & (0x80 >> (i & 7))) !== 0
    if (array[i] !== (has || i < told ? has : undefined)) return false
  }
  return true
}

/** Applies the bits of a bitfield message to an array. */
function setBits(array, bits) {
  const count = bits.length * 8
  if (array.length < count) array.length = count
  // Most bitfields are nearly full or nearly empty.
  array.fill(bits[0] === 0xff, 0, count)
  const filled = bits[0] === 0xff ? 0xff : 0
  for (let i = 0; i < bits.length; i++) {
    const byte = bits[i]
    if (byte === filled) continue
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

module.exports = { hold, keepPieces, takeUp, tellBits, tellPiece, NEW_PIECE }
