// The options of one request, of a block or of hashes: what ends it early, and where a block is to be.
'use strict'

const { isUint8Array } = require('node:util').types

const { byteLength, checkDuration, checkSignal, readFields } = require('./arguments.js')

const FIELDS = ['signal', 'timeout']

/**
 * @param {object | null | undefined} options - of the user
 * @returns {{signal: AbortSignal | null, timeout: number} | null} null if nothing ends it early
 * @throws {TypeError | RangeError} that names the option
 */
function toLimits(options) {
  if (options === undefined || options === null) return null
  const { signal, timeout } = readFields('options', options, FIELDS)
  const hasSignal = signal !== undefined && signal !== null
  const hasTimeout = timeout !== undefined && timeout !== null
  if (hasSignal) checkSignal('options.signal', signal)
  if (hasTimeout) checkDuration('options.timeout', timeout)
  if (!hasSignal && !hasTimeout) return null
  return { signal: hasSignal ? signal : null, timeout: hasTimeout ? timeout : 0 }
}

/**
 * @param {object | null | undefined} options - of the user
 * @param {number} length - of the block in bytes
 * @returns {{signal: AbortSignal | null, timeout: number, into: Uint8Array | null} | null} null without options
 * @throws {TypeError | RangeError} that names the option
 */
function toBlockOptions(options, length) {
  const limits = toLimits(options)
  const { into } = readFields('options', options ?? {}, ['into'])
  if (into === undefined || into === null) return limits === null ? null : { ...limits, into: null }
  if (!isUint8Array(into)) throw new TypeError('options.into must be a Uint8Array')
  if (byteLength(into) < length) throw new RangeError('options.into must have room for the block')
  return { signal: null, timeout: 0, ...limits, into }
}

module.exports = { toBlockOptions, toLimits }
