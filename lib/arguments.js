// Checks the arguments of the local caller: a mistake throws at once, names the argument and changes
// nothing.
'use strict'

const { isUint8Array } = require('node:util').types

const { copyOf } = require('./own-memory.js')

const MAX_UINT32 = 0xffffffff

/** Most bytes of one argument: with the head of its message it must fit the length prefix and a Buffer. */
const MAX_BYTES = 0x7fffffff

/** An info hash in hex. */
const HEX_ID = /^[0-9a-f]{40}$/i

/** A hash of version 2 in hex. */
const HEX_HASH = /^[0-9a-f]{64}$/i

/** Bytes of a hash of version 2. */
const HASH_LENGTH = 32

/** Bytes of an info hash in a handshake. */
const ID_LENGTH = 20

/** The getters that V8 itself goes by: an array may have own properties of these names that lie. */
const viewGetter = (name) =>
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), name).get
const bufferOf = viewGetter('buffer')
const offsetOf = viewGetter('byteOffset')
const lengthOf = viewGetter('length')

/** Longest delay of a timer in ms: Node replaces a longer one by 1 ms. */
const MAX_DELAY = 0x7fffffff

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {number} [max] - greatest allowed value
 * @throws {TypeError} when it is not a number
 * @throws {RangeError} when it is not an integer from 0 to `max`
 */
function checkInteger(name, value, max = MAX_UINT32) {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${name} must be an integer from 0 to ${max}, got ${value}`)
  }
}

/** Checks the type first: shifting anything else may call its methods, or throw. */
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
  // The usual case takes one test.
  if (isUint32(piece) && isUint32(offset) && isUint32(length)) return
  checkInteger('piece', piece)
  checkInteger('offset', offset)
  checkInteger('length', length)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @throws {TypeError} when it is not a Buffer or Uint8Array, of any realm
 */
function checkBytes(name, value) {
  if (!isUint8Array(value)) throw new TypeError(`${name} must be a Buffer or Uint8Array`)
}

/**
 * @param {Uint8Array} bytes
 * @returns {number} how many there are, whatever their property `length` says
 */
function byteLength(bytes) {
  return lengthOf.call(bytes)
}

/**
 * Makes sure that `length` is the real length.
 *
 * @param {string} name - of the argument
 * @param {unknown} value
 * @returns {Uint8Array} the value, or a view of the same memory
 * @throws {TypeError} when it is not a Buffer or Uint8Array, of any realm
 * @throws {RangeError} when it is too long for a message
 */
function toBytes(name, value) {
  checkBytes(name, value)
  const length = byteLength(value)
  if (length > MAX_BYTES) checkInteger(`${name}.length`, length, MAX_BYTES)
  return value.length === length ? value : viewOf(value)
}

/**
 * @param {Uint8Array} bytes
 * @param {number} [length] - of the first of them
 * @returns {Buffer} a view of the same memory, whatever their properties say; empty if it was transferred
 */
function viewOf(bytes, length = byteLength(bytes)) {
  // Memory that was transferred has no views.
  if (length === 0) return Buffer.alloc(0)
  return Buffer.from(bufferOf.call(bytes), offsetOf.call(bytes), length)
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

/**
 * An info hash of either version.
 *
 * @param {string} name - of the argument
 * @param {unknown} value - 20 bytes or 40 hex digits; of version 2 also all 32 bytes, or 64 digits
 * @returns {{infoHash: Uint8Array, isV2: boolean}} the 20 bytes of a handshake, and whether it was given as
 *   that of version 2
 * @throws {Error} as `toId`
 */
function toInfoHash(name, value) {
  const isHex = typeof value === 'string' && HEX_HASH.test(value)
  const bytes = isHex ? Buffer.from(value, 'hex') : value
  const isV2 = isUint8Array(bytes) && byteLength(bytes) === HASH_LENGTH
  const infoHash = isV2 ? copyOf(toBytes(name, bytes), 0, ID_LENGTH) : toId(name, bytes, 'hex')
  return { infoHash, isV2 }
}

/**
 * An info hash of either version that is kept.
 *
 * @param {string} name - of the argument
 * @param {unknown} value - as for {@link toInfoHash}
 * @returns {Buffer} the 20 bytes of a handshake, which the user does not change
 */
function toOwnInfoHash(name, value) {
  return toOwnId(name, toInfoHash(name, value).infoHash, 'hex')
}

/**
 * A hash of version 2.
 *
 * @param {string} name - of the argument
 * @param {unknown} value - 32 bytes, or 64 hex digits
 * @returns {Buffer} 32 bytes that the user does not change
 * @throws {TypeError | RangeError} when it is nothing of the kind
 */
function toHash(name, value) {
  const isText = typeof value === 'string'
  if (!isText && !isUint8Array(value))
    throw new TypeError(`${name} must be a Buffer, Uint8Array or string`)
  if (isText ? !HEX_HASH.test(value) : byteLength(value) !== HASH_LENGTH)
    throw new RangeError(`${name} must have ${HASH_LENGTH} bytes`)
  return isText ? Buffer.from(value, 'hex') : copyOf(toBytes(name, value))
}

/**
 * An info hash or peer id that is kept.
 *
 * @param {string} name - of the argument
 * @param {unknown} value - as for {@link toId}
 * @param {'hex' | 'utf8'} encoding - of the string
 * @returns {Buffer} 20 bytes that the user does not change
 */
function toOwnId(name, value, encoding) {
  return copyOf(toBytes(name, toId(name, value, encoding)))
}

/** Buffer.from() stops at the first character that is no hex digit, and returns the bytes before it. */
function decode(text, encoding) {
  const isWrong = encoding === 'hex' && !HEX_ID.test(text)
  return isWrong ? Buffer.alloc(0) : Buffer.from(text, encoding)
}

/**
 * The bytes of a bitfield, given as such or as the `buffer` of an object that wraps them.
 *
 * @param {unknown} bitfield
 * @returns {Uint8Array}
 * @throws {TypeError} when it is neither
 */
function toBits(bitfield) {
  // Every typed array has a `buffer` too, so it must not be unwrapped.
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
 * @throws {TypeError} when it is not a number
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
 * @throws {TypeError | RangeError} when no timer can wait for so long
 */
function checkDuration(name, value) {
  checkRange(name, value, 0, MAX_DELAY)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @throws {TypeError} when it is not a boolean
 */
function checkBoolean(name, value) {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be a boolean`)
}

/**
 * By its members, as a signal may come from another realm or from a package.
 *
 * @param {string} name - of the argument
 * @param {unknown} value
 * @throws {TypeError} when it is no AbortSignal
 */
function checkSignal(name, value) {
  let isSignal = false
  try {
    isSignal =
      typeof value.aborted === 'boolean' &&
      typeof value.addEventListener === 'function' &&
      typeof value.removeEventListener === 'function'
  } catch {
    // A proxy of a signal, for one, cannot be asked.
  }
  if (!isSignal) throw new TypeError(`${name} must be an AbortSignal`)
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {string[]} words - the allowed values
 * @throws {TypeError | RangeError} when it is not a string, or not one of them
 */
function checkOneOf(name, value, words) {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`)
  if (!words.includes(value)) throw new RangeError(`${name} must be '${words.join("' or '")}'`)
}

/**
 * Reads fields of an object, each once, as it may be an accessor.
 *
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {string[]} fields
 * @returns {object} the fields and their values
 * @throws {TypeError} when it is not an object, or cannot be read
 */
function readFields(name, value, fields) {
  const found = {}
  let isObject
  try {
    isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (isObject) for (const field of fields) found[field] = value[field]
  } catch (cause) {
    throw new TypeError(`${name} cannot be read`, { cause })
  }
  if (!isObject) throw new TypeError(`${name} must be an object`)
  return found
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
  checkSignal,
  readFields,
  toBits,
  toBytes,
  toHash,
  toId,
  toInfoHash,
  toOwnId,
  toOwnInfoHash,
  viewOf
}
