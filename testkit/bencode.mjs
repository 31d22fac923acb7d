// Bencode, a second time: to make the messages of peers, also wrong ones, and to know what they mean.
import { isUtf8 } from 'node:buffer'

/** Bounds of an extended handshake, per docs/api.md. */
const MAX_DEPTH = 100
const MAX_LENGTH = 256 * 1024
const MAX_TOKENS = 1_000

/** Digits of a length that are read. */
const MAX_DIGITS = 9

const MAX_INTEGER = 2n ** 63n - 1n

/**
 * @param {string | number | bigint | Uint8Array | unknown[] | object} value
 * @returns {Buffer}
 */
export const encodeBencode = (value) => {
  if (typeof value === 'number' || typeof value === 'bigint') return Buffer.from(`i${value}e`)
  if (typeof value === 'string') return encodeBencode(Buffer.from(value))
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.from(`${value.length}:`), value])
  if (Array.isArray(value)) return wrap('l', value.map(encodeBencode))
  const entries = Object.entries(value).map(([key, inner]) => [Buffer.from(key), inner])
  return encodeEntries(entries.toSorted(([one], [other]) => Buffer.compare(one, other)))
}

/**
 * @param {[string | Uint8Array, unknown][]} entries keys in any order, and more than once
 * @returns {Buffer} a dictionary
 */
export const encodeEntries = (entries) => wrap('d', entries.flat().map(encodeBencode))

const wrap = (kind, parts) => Buffer.concat([Buffer.from(kind), ...parts, Buffer.from('e')])

/**
 * @param {Buffer} bytes what follows the first value is ignored
 * @returns {unknown} BigInts, Buffers, arrays, and a `Map` by keys in latin1 for a dictionary; undefined if
 *   there is no value, or one beyond the bounds
 */
export const decodeBencode = (bytes) => {
  if (bytes.length > MAX_LENGTH) return undefined
  try {
    return readValue({ bytes, at: 0, tokens: 0 }, 0)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

/** @returns {string | null} the text of a key of {@link decodeBencode}, if it is UTF-8 */
export const textOf = (key) => {
  const bytes = Buffer.from(key, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : null
}

class Refusal extends Error {}

const refuse = () => {
  throw new Refusal()
}

const readValue = (reading, depth) => {
  if (++reading.tokens > MAX_TOKENS) refuse()
  const kind = String.fromCharCode(reading.bytes[reading.at] ?? 0)
  if (kind >= '0' && kind <= '9') return readBytes(reading)
  if (kind === 'i') return readInteger(reading)
  if ((kind !== 'l' && kind !== 'd') || depth === MAX_DEPTH) refuse()
  reading.at++
  return kind === 'l' ? readList(reading, depth + 1) : readDictionary(reading, depth + 1)
}

const match = (reading, pattern) => {
  const text = reading.bytes.toString('latin1', reading.at, reading.at + 10_000)
  const found = pattern.exec(text) ?? refuse()
  reading.at += found[0].length
  return found[1]
}

const readInteger = (reading) => {
  const number = BigInt(match(reading, /^i(-?\d+)e/))
  return number > MAX_INTEGER || -number > MAX_INTEGER ? refuse() : number
}

const readBytes = (reading) => {
  const digits = match(reading, /^(\d+):/)
  const end = reading.at + Number(digits)
  if (digits.length > MAX_DIGITS || end > reading.bytes.length) refuse()
  const bytes = reading.bytes.subarray(reading.at, end)
  reading.at = end
  return bytes
}

const isEnd = (reading) => {
  const isThere = reading.bytes[reading.at] === 0x65
  if (isThere) reading.at++
  return isThere
}

const readList = (reading, depth) => {
  const list = []
  while (!isEnd(reading)) list.push(readValue(reading, depth))
  return list
}

const readDictionary = (reading, depth) => {
  const dictionary = new Map()
  while (!isEnd(reading)) {
    if (++reading.tokens > MAX_TOKENS) refuse()
    const key = readBytes(reading).toString('latin1')
    const value = readValue(reading, depth)
    // Last in the order, too, as it counts last.
    dictionary.delete(key)
    dictionary.set(key, value)
  }
  return dictionary
}
