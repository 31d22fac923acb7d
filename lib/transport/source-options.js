// The options of a `PieceSource`.
'use strict'

const path = require('node:path')
const { types } = require('node:util')

const { byteLength, checkBoolean, checkInteger, readFields, toBytes } = require('../arguments.js')

const { isMap, isUint8Array } = types

const FIELDS = ['pieceLength', 'length', 'files', 'pieces']
const FILE_FIELDS = ['path', 'length', 'padding']

/** Largest piece in bytes: what fits into one Buffer of every runtime. */
const MAX_PIECE_LENGTH = 2 ** 30

/** Most pieces of a torrent that the wire can name. */
const MAX_PIECES = 0x7fffffff

/** Most files of a source: no torrent has more. */
const MAX_FILES = 2 ** 24

/**
 * @param {object} options - of the user
 * @returns {{pieceLength: number, length: number, count: number, isOfFiles: boolean, files: object[],
 *   bits: Uint8Array | null, pieces: [number, Uint8Array][]}}
 * @throws {TypeError | RangeError} that names the option
 */
function toSource(options) {
  const given = readFields('options', options, FIELDS)
  const { pieceLength } = given
  checkPositive('options.pieceLength', pieceLength, MAX_PIECE_LENGTH)
  const isOfFiles = given.files !== undefined && given.files !== null
  const files = isOfFiles ? toFiles(given.files) : []
  const length = toLength(given.length, isOfFiles ? files : null)
  const count = Math.ceil(length / pieceLength)
  if (count > MAX_PIECES) {
    throw new RangeError(`options.pieceLength is too small: there would be ${count} pieces`)
  }
  const layout = { pieceLength, length, count, isOfFiles, files }
  const bits = isOfFiles ? toHave(given.pieces, count) : null
  return { ...layout, bits, pieces: isOfFiles ? [] : toPieces(given.pieces, layout) }
}

function checkPositive(name, value, max) {
  checkInteger(name, value, max)
  if (value === 0) throw new RangeError(`${name} must be at least 1`)
}

/** The sum of the files; without files it has to be given. */
function toLength(value, files) {
  if (files === null || (value !== undefined && value !== null)) {
    checkPositive('options.length', value, Number.MAX_SAFE_INTEGER)
  }
  if (files === null) return value
  const sum = files.reduce((all, { length }) => all + length, 0)
  if (sum === 0 || sum > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`options.files must have from 1 to ${Number.MAX_SAFE_INTEGER} bytes`)
  }
  if ((value ?? sum) !== sum) {
    throw new RangeError(`options.length must be ${sum}, the sum of the files, got ${value}`)
  }
  return sum
}

function toFiles(value) {
  if (!Array.isArray(value)) throw new TypeError('options.files must be an array')
  if (value.length > MAX_FILES) throw new RangeError('options.files must have fewer files')
  return Array.from(value, (file, at) => toFile(`options.files[${at}]`, file))
}

function toFile(name, value) {
  const { path: given, length, padding = false } = readFields(name, value, FILE_FIELDS)
  checkInteger(`${name}.length`, length, Number.MAX_SAFE_INTEGER)
  checkBoolean(`${name}.padding`, padding)
  if (padding) return { path: '', length }
  if (typeof given !== 'string' || given === '' || given.includes('\0')) {
    throw new TypeError(`${name}.path must be a string that is not empty and has no zero bytes`)
  }
  // The process may go to another folder later.
  return { path: path.resolve(given), length }
}

/** The bits of the pieces in files; without them all are there. */
function toHave(value, count) {
  const length = Math.ceil(count / 8)
  if (value === undefined || value === null) return Buffer.alloc(length, 0xff)
  const isWrapped = !isUint8Array(value) && isUint8Array(value.buffer)
  if (!isUint8Array(value) && !isWrapped) {
    throw new TypeError('options.pieces must be the bits of a bitfield, as the pieces are in files')
  }
  const bits = toBytes('options.pieces', isWrapped ? value.buffer : value)
  if (byteLength(bits) > length) {
    throw new RangeError(`options.pieces must have no more than ${length} bytes`)
  }
  return bits
}

/** The pieces in memory, by their indexes: of a Map, or an array in which some may be missing. */
function toPieces(value, layout) {
  if (value === undefined || value === null) return []
  if (!isMap(value) && !Array.isArray(value)) {
    throw new TypeError('options.pieces must be an array or a Map of Buffers')
  }
  const given = [...value.entries()].filter(([, bytes]) => bytes !== undefined && bytes !== null)
  return given.map(([index, bytes]) => {
    checkInteger('options.pieces', index)
    if (index >= layout.count) {
      throw new RangeError(`options.pieces must have no piece after ${layout.count - 1}`)
    }
    return [index, toBytesOf(`options.pieces[${index}]`, bytes, layout, index)]
  })
}

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @param {{pieceLength: number, length: number}} layout
 * @param {number} index - of the piece
 * @returns {Uint8Array} the bytes of the piece
 * @throws {TypeError | RangeError} when they are not, or not as many as it has
 */
function toBytesOf(name, value, { pieceLength, length }, index) {
  if (!isUint8Array(value)) throw new TypeError(`${name} must be a Buffer or Uint8Array`)
  const wanted = Math.min(pieceLength, length - index * pieceLength)
  const bytes = toBytes(name, value)
  if (bytes.length !== wanted) {
    throw new RangeError(`${name} must have ${wanted} bytes, got ${bytes.length}`)
  }
  return bytes
}

/** @returns {Buffer} what the entry takes besides numbers: see src/binding/transport/serving.rs */
function toPlace({ isOfFiles, files, bits }) {
  if (!isOfFiles) return Buffer.of(0)
  const head = Buffer.alloc(5)
  head[0] = 1
  head.writeUInt32BE(files.length, 1)
  const spans = files.flatMap(({ path: name, length }) => {
    const bytes = Buffer.from(name)
    const numbers = Buffer.alloc(12)
    numbers.writeBigUInt64BE(BigInt(length), 0)
    numbers.writeUInt32BE(bytes.length, 8)
    return [numbers, bytes]
  })
  return Buffer.concat([head, ...spans, bits])
}

module.exports = { toBytesOf, toPlace, toSource }
