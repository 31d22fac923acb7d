// The options of one request, of a block or of hashes: what ends it early.
'use strict'

const { checkDuration, readFields } = require('./arguments.js')

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
  if (hasSignal && !isSignal(signal)) throw new TypeError('options.signal must be an AbortSignal')
  if (hasTimeout) checkDuration('options.timeout', timeout)
  if (!hasSignal && !hasTimeout) return null
  return { signal: hasSignal ? signal : null, timeout: hasTimeout ? timeout : 0 }
}

/** By its members, as a signal may come from another realm or from a package. */
function isSignal(value) {
  try {
    return (
      typeof value.aborted === 'boolean' &&
      typeof value.addEventListener === 'function' &&
      typeof value.removeEventListener === 'function'
    )
  } catch {
    // A proxy of a signal, for one, cannot be asked.
    return false
  }
}

module.exports = { toLimits }
