// The settings of the session of such a wire, and the options that users may give as well.
'use strict'

const { checkBoolean, checkInteger, checkRange } = require('../arguments.js')
const { toSettings } = require('../options.js')

/** Bytes of a piece message besides its block and its length prefix. */
const PIECE_HEAD = 9

const MAX_INT32 = 0x7fffffff

const USUAL = toSettings()

/**
 * Options for users of the class itself; whoever makes wires for others sets `Wire.defaults`.
 *
 * `maxPeerRequests`: a peer that does not know `reqq` may send as many as arrive in three seconds, as webtorrent does,
 * and without the fast extension would wait for an answer to what is refused. One that is held back takes 24 bytes.
 */
const OPTIONS = {
  maxMessageLength: { check: checkMessageLength, normal: USUAL.maxMessageLength },
  maxPeerRequests: { check: checkCount, normal: 10_000 },
  uploadBacklog: { check: checkCount, normal: USUAL.uploadBacklog },
  refusePlain: { check: checkBoolean, normal: false }
}

/** Of the wires that are made without options, which is most of them. */
let usual = null

function checkCount(name, value) {
  checkInteger(name, value, MAX_INT32)
}

/** 0 for no limit; a handshake counts as no message. */
function checkMessageLength(name, value) {
  checkCount(name, value)
  if (value > 0) checkRange(name, value, PIECE_HEAD, MAX_INT32)
}

/**
 * @param {object} [options] - of a user
 * @param {object} defaults - for what is not among them
 * @returns {object} see lib/options.js, and `refusePlain`
 * @throws {TypeError | RangeError} when one is out of range
 */
function toWireSettings(options, defaults) {
  const isUsual = (options === undefined || options === null) && isEmpty(defaults)
  if (!isUsual) return makeSettings({ ...toObject(defaults), ...toObject(options) })
  usual ??= makeSettings({})
  return usual
}

function isEmpty(defaults) {
  return Object.keys(toObject(defaults)).length === 0
}

function toObject(options) {
  if (options === undefined || options === null) return {}
  if (typeof options !== 'object') throw new TypeError('options must be an object')
  return options
}

function makeSettings(given) {
  const settings = { ...USUAL }
  for (const [name, { check, normal }] of Object.entries(OPTIONS)) {
    const value = given[name] ?? normal
    check(name, value)
    settings[name] = value
  }
  if (settings.maxMessageLength === 0) settings.maxMessageLength = MAX_INT32
  // Longer ones are for the user to refuse, who may know of larger blocks; but they must fit a message.
  settings.maxRequestLength = settings.maxMessageLength - PIECE_HEAD
  return settings
}

module.exports = { toWireSettings }
