// Checks what the local caller passes: a mistake throws at once, names the argument and changes
// nothing.
'use strict'

const { isUint8Array } = require('node:util').types

const MAX_UINT32 = 0xffffffff

/** Longest delay of a timer, in ms; Node shortens longer ones to 1. */
const MAX_DELAY = 0x7fffffff

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {number} [max] - greatest allowed value
 * @throws {TypeError} when it is no number
 * @throws {RangeError} when it is no integer from 0 to `max`
 */
function checkInteger(name, value, max = MAX_UINT32) {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${name} must be an integer from 0 to ${max}, got ${value}`)
  }
}

/**
 * Checks the three numbers that name a block.
 *
 * @param {unknown} piece - piece index
 * @param {unknown} offset - bytes
 * @param {unknown} length - bytes
 */
function checkBlock(piece, offset, length) {
  // The usual case in one test: small integers.
  if (piece >>> 0 === piece && offset >>> 0 === offset && length >>> 0 === length) return
  checkInteger('piece', piece)
  checkInteger('offset', offset)
  checkInteger('length', length)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @throws {TypeError} when it is no Buffer or Uint8Array, of whatever realm
 */
function checkBytes(name, value) {
  if (!isUint8Array(value)) throw new TypeError(`${name} must be a Buffer or Uint8Array`)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @throws {TypeError} when it is neither a function nor missing
 */
function checkCallback(name, value) {
  if (value !== undefined && value !== null && typeof value !== 'function') {
    throw new TypeError(`${name} must be a function`)
  }
}

/**
 * An info hash or peer id.
 *
 * @param {string} name - of the argument
 * @param {unknown} value - bytes, or a string
 * @param {'hex' | 'utf8'} encoding - of the string
 * @returns {Uint8Array} 20 bytes
 * @throws {Error} with the text of peer-wire-protocol 0.7.1 when it has another length
 */
function toId(name, value, encoding) {
  const id = typeof value === 'string' ? Buffer.from(value, encoding) : value
  if (!isUint8Array(id)) throw new TypeError(`${name} must be a Buffer, Uint8Array or string`)
  if (id.length !== 20) throw new Error('infoHash and peerId MUST have length 20')
  return id
}

/**
 * The bytes of a bitfield: they themselves, or those of an object that wraps them as `buffer`.
 *
 * @param {unknown} bitfield
 * @returns {Uint8Array}
 */
function toBits(bitfield) {
  // Every view has a `buffer` of its own, so the view itself comes first.
  if (isUint8Array(bitfield)) return bitfield
  const bits = bitfield?.buffer
  if (!isUint8Array(bits)) {
    throw new TypeError('bitfield must be a Buffer, a Uint8Array or an object with such a buffer')
  }
  return bits
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {number} min - least allowed value
 * @param {number} max - greatest allowed value
 * @throws {TypeError} when it is no number
 * @throws {RangeError} when it is not from `min` to `max`
 */
function checkRange(name, value, min, max) {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!(value >= min && value <= max)) {
    throw new RangeError(`${name} must be from ${min} to ${max}, got ${value}`)
  }
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value - ms
 * @throws {TypeError | RangeError} when it is nothing that a timer can wait for
 */
function checkDuration(name, value) {
  checkRange(name, value, 0, MAX_DELAY)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @throws {TypeError} when it is no boolean
 */
function checkBoolean(name, value) {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be a boolean`)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {string[]} words - that are allowed
 * @throws {TypeError | RangeError} when it is no string, or none of them
 */
function checkOneOf(name, value, words) {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`)
  if (!words.includes(value)) throw new RangeError(`${name} must be '${words.join("' or '")}'`)
}

module.exports = {
  checkBoolean,
  checkDuration,
  checkInteger,
  checkBlock,
  checkBytes,
  checkCallback,
  checkOneOf,
  checkRange,
  toId,
  toBits
}
