// Checks what the local caller passes: a mistake throws at once, names the argument and changes
// nothing.
'use strict'

const { isUint8Array } = require('node:util').types

const MAX_UINT32 = 0xffffffff

/** Most bytes of one argument: with what goes before them they must fit the length prefix and a Buffer. */
const MAX_BYTES = 0x7fffffff

/** An info hash as text. */
const HEX_ID = /^[0-9a-f]{40}$/i

/** The getters of the numbers that V8 itself goes by: an array may have properties of these names. */
const viewGetter = (name) =>
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), name).get
const bufferOf = viewGetter('buffer')
const offsetOf = viewGetter('byteOffset')
const lengthOf = viewGetter('length')

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

/** Asks for the type first: shifting anything else may call its methods, or throw. */
function isUint32(value) {
  return typeof value === 'number' && value >>> 0 === value
}

/**
 * Checks the three numbers that name a block.
 *
 * @param {unknown} piece - piece index
 * @param {unknown} offset - bytes
 * @param {unknown} length - bytes
 */
function checkBlock(piece, offset, length) {
  // The usual case in one test.
  if (isUint32(piece) && isUint32(offset) && isUint32(length)) return
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
 * @param {Uint8Array} bytes
 * @returns {number} how many there are, whatever a property `length` of it says
 */
function byteLength(bytes) {
  return lengthOf.call(bytes)
}

/**
 * Bytes whose `length` is true.
 *
 * @param {string} name - of the argument
 * @param {unknown} value
 * @returns {Uint8Array} itself, or a view of the same memory
 * @throws {TypeError} when it is no Buffer or Uint8Array, of whatever realm
 * @throws {RangeError} when it is too long for a message
 */
function toBytes(name, value) {
  checkBytes(name, value)
  const length = byteLength(value)
  if (length > MAX_BYTES) checkInteger(`${name}.length`, length, MAX_BYTES)
  if (value.length === length) return value
  return Buffer.from(bufferOf.call(value), offsetOf.call(value), length)
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
 * @param {'hex' | 'utf8'} encoding - of the string: 40 digits, or 20 bytes
 * @returns {Uint8Array} 20 bytes
 * @throws {Error} with the text of peer-wire-protocol 0.7.1 when it has another length
 */
function toId(name, value, encoding) {
  const id = typeof value === 'string' ? decode(value, encoding) : value
  if (!isUint8Array(id)) throw new TypeError(`${name} must be a Buffer, Uint8Array or string`)
  if (byteLength(id) !== 20) throw new Error('infoHash and peerId MUST have length 20')
  return id
}

/** Buffer.from() stops at what is no hex digit, and gives what came before it. */
function decode(text, encoding) {
  const isWrong = encoding === 'hex' && !HEX_ID.test(text)
  return isWrong ? Buffer.alloc(0) : Buffer.from(text, encoding)
}

/**
 * The bytes of a bitfield: they themselves, or those of an object that wraps them as `buffer`.
 *
 * @param {unknown} bitfield
 * @returns {Uint8Array}
 * @throws {TypeError} when it is neither
 */
function toBits(bitfield) {
  // Every view has a `buffer` of its own, so the view itself comes first.
  return toBytes('bitfield', isUint8Array(bitfield) ? bitfield : unwrap(bitfield))
}

function unwrap(bitfield) {
  const message = 'bitfield must be a Buffer, a Uint8Array or an object with such a buffer'
  let bits
  try {
    bits = bitfield?.buffer
  } catch (cause) {
    throw new TypeError(message, { cause })
  }
  if (!isUint8Array(bits)) throw new TypeError(message)
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
  byteLength,
  checkBoolean,
  checkDuration,
  checkInteger,
  checkBlock,
  checkBytes,
  checkCallback,
  checkOneOf,
  checkRange,
  toBits,
  toBytes,
  toId
}
