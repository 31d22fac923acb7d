// Bencodes what users of bittorrent-protocol give, of whom some rely on how it treats values that bencode does not
// have; and decodes into the plain objects that they expect.
'use strict'

const { isAnyArrayBuffer, isArrayBufferView } = require('node:util').types

const { decode } = require('../bencode/decode.js')
const { encode } = require('../bencode/encode.js')

const NOTHING = Buffer.alloc(0)

/** Deeper ones are refused by the encoder, so this only keeps us from following a circle. */
const MAX_DEPTH = 101

/**
 * @param {unknown} value
 * @returns {Uint8Array}
 * @throws {TypeError} when it cannot be expressed
 */
function toBencode(value) {
  const known = toKnown(value, 0)
  return known === undefined ? NOTHING : encode(known)
}

/** Makes a value of what the encoder knows; undefined for what is left out. */
function toKnown(value, depth) {
  if (['undefined', 'function', 'symbol'].includes(typeof value) || value === null) return undefined
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number') return toInteger(value)
  if (typeof value !== 'object' || depth > MAX_DEPTH) return value
  if (isArrayBufferView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (isAnyArrayBuffer(value)) return Buffer.from(value)
  if (Array.isArray(value) || value instanceof Set)
    return [...value].map((one) => toKnown(one, depth + 1)).filter((one) => one !== undefined)
  const dictionary = Object.create(null)
  const entries = value instanceof Map ? value : Object.entries(value)
  for (const [key, one] of entries) {
    const member = toKnown(one, depth + 1)
    if (member !== undefined) dictionary[toKey(key)] = member
  }
  return dictionary
}

function toKey(key) {
  return isArrayBufferView(key) ? Buffer.from(key).toString() : String(key)
}

/** Fractions are cut off, and what is no number is 0. Integers that are not safe are written as what they are. */
function toInteger(value) {
  if (Number.isSafeInteger(value)) return value
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0
}

/**
 * @param {Uint8Array} bytes
 * @returns {object | null} with Buffers for strings; null for what is no dictionary, or too large
 */
function fromBencode(bytes) {
  const value = decode(bytes)
  return isDictionary(value) ? toPlain(value) : null
}

function isDictionary(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !isArrayBufferView(value)
  )
}

/** Numbers are never BigInts, as users calculate with them. */
function toPlain(value) {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(toPlain)
  if (!isDictionary(value)) return value
  const plain = {}
  for (const key of Object.keys(value)) {
    // The only key that an assignment does not make a property of.
    if (key !== '__proto__') plain[key] = toPlain(value[key])
  }
  return plain
}

module.exports = { fromBencode, isDictionary, toBencode }
