// The settings of the session of such a wire, and the options that users may give as well.
'use strict'

const { checkBoolean, checkInteger } = require('../arguments.js')
const { toSettings } = require('../options.js')

/** Bytes of a piece message besides its block and its length prefix. */
const PIECE_HEAD = 9

const USUAL = toSettings()

/** Options for users of the class itself; whoever makes wires for others sets `Wire.defaults`. */
const OPTIONS = {
  maxMessageLength: { check: checkCount, normal: USUAL.maxMessageLength },
  maxPeerRequests: { check: checkCount, normal: USUAL.maxPeerRequests },
  uploadBacklog: { check: checkCount, normal: USUAL.uploadBacklog },
  refusePlain: { check: checkBoolean, normal: false }
}

/** Settings by the options that they were made of: most wires have the same. */
const known = new WeakMap()
const NO_OPTIONS = {}

function checkCount(name, value) {
  checkInteger(name, value, 0x7fffffff)
}

/**
 * @param {object} [options] - of a user
 * @param {object} defaults - for what is not among them
 * @returns {object} see lib/options.js, and `refusePlain`
 * @throws {TypeError | RangeError} when one is out of range
 */
function toWireSettings(options, defaults) {
  if (options === undefined || options === null) {
    if (Object.keys(defaults).length > 0) return makeSettings({ ...defaults })
    if (!known.has(NO_OPTIONS)) known.set(NO_OPTIONS, makeSettings({}))
    return known.get(NO_OPTIONS)
  }
  if (typeof options !== 'object') throw new TypeError('options must be an object')
  return makeSettings({ ...defaults, ...options })
}

function makeSettings(given) {
  const settings = { ...USUAL }
  for (const [name, { check, normal }] of Object.entries(OPTIONS)) {
    const value = given[name] ?? normal
    check(name, value)
    settings[name] = value
  }
  // Longer ones are for the user to refuse, who may know of larger blocks; but they must fit a message.
  settings.maxRequestLength = Math.max(0, settings.maxMessageLength - PIECE_HEAD)
  return settings
}

module.exports = { toWireSettings }
