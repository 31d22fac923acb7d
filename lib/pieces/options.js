// The options of `fetchPiece()`.
'use strict'

const {
  byteLength,
  checkBoolean,
  checkBytes,
  checkDuration,
  checkInteger,
  checkSignal,
  readFields,
  toBytes
} = require('../arguments.js')
const { copyOf } = require('../own-memory.js')

const FIELDS = [
  'length',
  'hash',
  'pieceLength',
  'blockLength',
  'timeout',
  'signal',
  'into',
  'resume',
  'endOnChoke'
]

/** Every client answers requests of this length, in bytes. */
const BLOCK_LENGTH = 16 * 1024

/** Largest piece in bytes: what fits into one Buffer of every runtime. */
const MAX_LENGTH = 2 ** 30

/** Most blocks of a piece: see src/protocol/transfer/piece.rs. */
const MAX_BLOCKS = 256 * 1024

/** Bytes in a piece message beside the block, without its length prefix. */
const PIECE_FIELDS = 9

/** Kinds of hashes by their length in bytes: see src/binding/transport/fetching.rs. */
const KINDS = new Map([
  [20, 1],
  [32, 2]
])

/**
 * @param {number} piece - index
 * @param {object} options - of the user
 * @returns {object} each with a value; 0 and null stand for what is not there. Of memory only `into` and the bytes of
 *   `resume` are still the user's
 * @throws {TypeError | RangeError} that names the option
 */
function toFetch(piece, options) {
  checkInteger('index', piece)
  const given = readFields('options', options, FIELDS)
  const { length } = given
  const pieceLength = given.pieceLength ?? 0
  const timeout = given.timeout ?? 0
  const endsOnChoke = given.endOnChoke ?? false
  const signal = given.signal ?? null
  checkInteger('options.length', length, MAX_LENGTH)
  if (length === 0) throw new RangeError('options.length must be at least 1')
  checkDuration('options.timeout', timeout)
  checkBoolean('options.endOnChoke', endsOnChoke)
  if (signal !== null) checkSignal('options.signal', signal)
  const hash = toHash(given.hash ?? null)
  checkPieceLength(pieceLength, hash, length)
  return {
    piece,
    length,
    blockLength: toBlockLength(given.blockLength ?? BLOCK_LENGTH, length),
    timeout: Math.ceil(timeout),
    endsOnChoke,
    signal,
    into: toInto(given.into ?? null, length),
    resume: toPartial(given.resume ?? null, piece, length),
    hash,
    pieceLength
  }
}

function toBlockLength(value, length) {
  checkInteger('options.blockLength', value)
  const blockLength = Math.min(value, length)
  if (value === 0 || length / blockLength > MAX_BLOCKS) {
    throw new RangeError(
      `options.blockLength must be at least 1, and part a piece into at most ${MAX_BLOCKS} blocks`
    )
  }
  return blockLength
}

function checkPieceLength(value, hash, length) {
  if (value === 0) return
  checkInteger('options.pieceLength', value, MAX_LENGTH)
  if (value < BLOCK_LENGTH || !Number.isInteger(Math.log2(value))) {
    throw new RangeError(
      `options.pieceLength must be a power of two of at least ${BLOCK_LENGTH}, got ${value}`
    )
  }
  if (value < length && hash?.bytes.length === 32) {
    throw new RangeError('options.pieceLength must be no less than options.length')
  }
}

function toHash(value) {
  if (value === null) return null
  const isHex = typeof value === 'string' && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value)
  if (typeof value === 'string' && !isHex) {
    throw new RangeError('options.hash must have 40 or 64 hex digits')
  }
  const bytes = isHex ? Buffer.from(value, 'hex') : copyOf(toBytes('options.hash', value))
  const kind = KINDS.get(bytes.length)
  if (kind === undefined) throw new RangeError('options.hash must have 20 or 32 bytes')
  return { kind, bytes }
}

function toInto(value, length) {
  if (value === null) return null
  checkBytes('options.into', value)
  if (byteLength(value) < length) throw new RangeError('options.into must have room for the piece')
  return value
}

/** What an earlier fetch of the piece has got. */
function toPartial(value, piece, length) {
  if (value === null) return null
  const { index, ranges, bytes } = readFields('options.resume', value, ['index', 'ranges', 'bytes'])
  if (index !== piece) throw new RangeError('options.resume must be of the same piece')
  const data = toBytes('options.resume.bytes', bytes)
  if (!Array.isArray(ranges)) throw new TypeError('options.resume.ranges must be an array')
  let before = 0
  const checked = Array.from(ranges, (range) => {
    const [start, end] = Array.isArray(range) ? range : []
    checkInteger('options.resume.ranges', start, length)
    checkInteger('options.resume.ranges', end, length)
    if (start < before || end <= start) {
      throw new RangeError('options.resume.ranges must be in order and not empty')
    }
    before = end
    return [start, end]
  })
  if (checked.length === 0) return null
  if (data.length !== length)
    throw new RangeError('options.resume.bytes must have the length of the piece')
  return { index, ranges: checked, bytes: data }
}

/**
 * @param {import('../session/session.js').Session} session
 * @param {object} fetch - of `toFetch()`
 * @throws {RangeError} when its blocks are longer than the wire takes
 */
function checkBlocks({ settings }, { blockLength }) {
  const limit = settings.maxMessageLength - PIECE_FIELDS
  if (blockLength > limit) {
    throw new RangeError(
      `options.blockLength must be at most ${limit}, which maxMessageLength allows`
    )
  }
}

/** @returns {object} what there is before anything has arrived */
function partialOf({ piece, resume }) {
  return resume ?? { index: piece, ranges: [], bytes: Buffer.alloc(0) }
}

module.exports = { checkBlocks, partialOf, toFetch }
