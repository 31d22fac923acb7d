// The options of one request, of a block or of hashes: what ends it early.
'use strict'

const { checkDuration, checkSignal, readFields } = require('./arguments.js')

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

module.exports = { toLimits }
