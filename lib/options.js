// The options of a wire: their defaults, their ranges, and the limits that the core gets of them.
'use strict'

const { checkInteger } = require('./arguments.js')

const MAX_INT32 = 0x7fffffff

// The reason for each number stands in src/protocol/limits.rs.
const DEFAULTS = {
  maxMessageLength: 1024 * 1024,
  maxRequestLength: 128 * 1024,
  maxPeerRequests: 2000,
  pieces: 0,
  uploadBacklog: 1024 * 1024
}

/**
 * @param {object} [options] - of the user
 * @returns {typeof DEFAULTS} limits for the core; 0 pieces means that the count is unknown
 * @throws {TypeError | RangeError} when one is no integer in its range
 */
function toLimits(options) {
  if (!options) return DEFAULTS
  const limits = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS)) {
    const value = options[name]
    if (value === undefined || value === null) continue
    checkInteger(name, value, MAX_INT32)
    limits[name] = value
  }
  if (limits.maxMessageLength === 0) limits.maxMessageLength = MAX_INT32
  return limits
}

module.exports = { toLimits }
