// The options of a wire: their defaults and ranges.
'use strict'

const { toServes } = require('./info-hashes.js')
const {
  checkBoolean,
  checkDuration,
  checkInteger,
  checkOneOf,
  checkRange,
  toOwnId
} = require('./arguments.js')

const MAX_INT32 = 0x7fffffff

/** Most frames of a transcript. */
const MAX_TRANSCRIPT = 100_000

/**
 * Longest time in seconds over which a speed is averaged: the meter counts quarters of a second in 16
 * bits, and keeps a number of eight bytes for each.
 */
const MAX_SPEED = 16_383

/** Below one second the meter does not average. 0 means the default, as in peer-wire-protocol. */
function checkSpeed(name, value) {
  if (value !== 0) checkRange(name, value, 1, MAX_SPEED)
}

const checkCount = (name, value) => checkInteger(name, value, MAX_INT32)

// The reason for each limit is in src/protocol/limits.rs.
const OPTIONS = {
  speed: { check: checkSpeed, normal: 5 },
  maxMessageLength: { check: checkCount, normal: 1024 * 1024 },
  maxRequestLength: { check: checkCount, normal: 128 * 1024 },
  maxPeerRequests: { check: checkCount, normal: 2000 },
  pieces: { check: checkCount, normal: 0 },
  uploadBacklog: { check: checkCount, normal: 1024 * 1024 },
  policy: {
    check: (name, value) => checkOneOf(name, value, ['lenient', 'strict']),
    normal: 'lenient'
  },
  // Off by default: in peer-wire-protocol this is up to its users (peer-wire-swarm waits 25 s).
  handshakeTimeout: { check: checkDuration, normal: 0 },
  inactivityTimeout: { check: checkDuration, normal: 0 },
  // Some clients, such as Transmission before 2021, do not answer requests that they drop.
  rejectTimeout: { check: checkDuration, normal: 30_000 },
  infoHashes: { to: toServes, normal: null },
  extensions: { check: checkBoolean, normal: false },
  notPeerId: { to: (name, value) => toOwnId(name, value, 'utf8'), normal: null },
  copyBlocks: { check: checkBoolean, normal: false },
  encryption: { to: toEncryption, normal: null },
  transcript: { check: (name, value) => checkInteger(name, value, MAX_TRANSCRIPT), normal: 0 }
}

/** Loaded when it is first used: who does not encrypt does not pay for it. */
function toEncryption(name, value, options) {
  return require('./encryption/wire-options.js').toWireSettings(name, value, options)
}

const DEFAULTS = {}
for (const [name, { normal }] of Object.entries(OPTIONS)) DEFAULTS[name] = normal

/**
 * @param {object} [options] - of the user
 * @returns {typeof DEFAULTS} a value for each; 0 pieces means that the count is unknown
 * @throws {TypeError | RangeError} when they are not an object, or one is out of range
 */
function toSettings(options) {
  if (!options) return DEFAULTS
  if (typeof options !== 'object') throw new TypeError('options must be an object')
  const settings = { ...DEFAULTS }
  for (const [name, { check, to }] of Object.entries(OPTIONS)) {
    const value = options[name]
    if (value === undefined || value === null) continue
    check?.(name, value)
    settings[name] = to === undefined ? value : to(name, value, options)
  }
  if (settings.speed === 0) settings.speed = DEFAULTS.speed
  if (settings.maxMessageLength === 0) settings.maxMessageLength = MAX_INT32
  return settings
}

module.exports = { toSettings }
