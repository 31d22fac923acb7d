// The options of one request: what ends it early.
'use strict'

const { checkDuration, checkSignal } = require('./arguments.js')

/**
 * @param {object | null | undefined} options - of the user
 * @returns {{signal: AbortSignal | null, timeout: number} | null} null if nothing ends it early
 * @throws {TypeError | RangeError} that names the option
 */
function toLimits(options) {
  if (options === undefined || options === null) return null
  const { signal, timeout } = read(options)
  const hasSignal = signal !== undefined && signal !== null
  const hasTimeout = timeout !== undefined && timeout !== null
  if (hasSignal) checkSignal('options.signal', signal)
  if (hasTimeout) checkDuration('options.timeout', timeout)
  if (!hasSignal && !hasTimeout) return null
  return { signal: hasSignal ? signal : null, timeout: hasTimeout ? timeout : 0 }
}

/** Each once, as it may be an accessor. */
function read(options) {
  let isList, signal, timeout
  try {
    isList = Array.isArray(options)
    ;({ signal, timeout } = options)
  } catch (cause) {
    throw new TypeError('options cannot be read', { cause })
  }
  if (isList) throw new TypeError('options must be an object')
  return { signal, timeout }
}

module.exports = { toLimits }
