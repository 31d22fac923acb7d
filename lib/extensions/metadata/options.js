// What users pass to the functions of metadata, checked.
'use strict'

const {
  byteLength,
  checkDuration,
  checkInteger,
  checkRange,
  checkSignal,
  toBytes,
  viewOf
} = require('../../arguments.js')
const { copyOf } = require('../../own-memory.js')

/** The limits of a fetch, as in the core: see src/protocol/extended/metadata/fetch/mod.rs. */
const LIMITS = { maxSize: 32 * 1024 * 1024, requestTimeout: 10_000 }

const MAX_INT32 = 0x7fffffff

/** SHA-1, or a SHA-256 that is cut, and a whole SHA-256: in hex. */
const HEX_HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i

/**
 * @param {string} name - of the argument
 * @param {unknown} value - bytes or hex of an info hash, or an array of them
 * @returns {Buffer[]} each with 20 or 32 bytes, which the user does not change
 */
function toHashes(name, value) {
  if (!Array.isArray(value)) return [toHash(name, value)]
  if (value.length === 0) throw new RangeError(`${name} must not be empty`)
  return Array.from(value, (one) => toHash(name, one))
}

function toHash(name, value) {
  if (typeof value === 'string') {
    if (!HEX_HASH.test(value)) throw new RangeError(`${name} must have 40 or 64 hex digits`)
    return Buffer.from(value, 'hex')
  }
  const bytes = toBytes(name, value)
  const length = byteLength(bytes)
  if (length !== 20 && length !== 32) throw new RangeError(`${name} must have 20 or 32 bytes`)
  return copyOf(bytes)
}

/**
 * @param {unknown} options - of a fetcher
 * @returns {{maxSize: number, requestTimeout: number, resume: object | null}}
 */
function toFetcherSettings(options) {
  const given = toObject(options)
  const settings = { ...LIMITS, resume: null }
  settings.maxSize = toMaxSize(given.maxSize)
  if (isGiven(given.requestTimeout)) {
    checkRange('requestTimeout', given.requestTimeout, 1, MAX_INT32)
    settings.requestTimeout = Math.ceil(given.requestTimeout)
  }
  if (isGiven(given.resume)) settings.resume = toState(given.resume)
  return settings
}

/**
 * @param {unknown} options - of a fetch
 * @returns {{signal: AbortSignal | null, timeout: number, maxSize: number}} 0 ms for no limit
 */
function toFetchSettings(options) {
  const given = toObject(options)
  const signal = given.signal ?? null
  if (signal !== null) checkSignal('signal', signal)
  const timeout = given.timeout ?? 0
  checkDuration('timeout', timeout)
  return { signal, timeout, maxSize: toMaxSize(given.maxSize) }
}

function toObject(options) {
  if (!isGiven(options)) return {}
  if (typeof options !== 'object') throw new TypeError('options must be an object')
  return options
}

function toMaxSize(value) {
  if (!isGiven(value)) return LIMITS.maxSize
  checkRange('maxSize', value, 1, MAX_INT32)
  checkInteger('maxSize', value)
  return value
}

function toState(resume) {
  if (typeof resume !== 'object') throw new TypeError('resume must be an object')
  const { size, pieces } = resume
  checkInteger('resume.size', size)
  if (!Array.isArray(pieces)) throw new TypeError('resume.pieces must be an array')
  return { size, pieces: Array.from(pieces, toPiece) }
}

function toPiece(value) {
  checkInteger('resume.pieces[].piece', value?.piece)
  const block = toBytes('resume.pieces[].block', value.block)
  return { piece: value.piece, block: viewOf(block) }
}

function isGiven(value) {
  return value !== undefined && value !== null
}

/**
 * @param {import('../../session/session.js').Session | null} session
 * @returns {Buffer | null} the info hash of the wire: ours as sent, else the peer's
 */
function infoHashOf(session) {
  const infoHash = session?.infoHash ?? null
  return infoHash === null ? null : Buffer.from(infoHash, 'latin1')
}

module.exports = { LIMITS, infoHashOf, toFetchSettings, toFetcherSettings, toHashes }
