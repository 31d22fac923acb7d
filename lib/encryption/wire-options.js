// The option `encryption` of wires.
'use strict'

const { toOwnInfoHash } = require('../arguments.js')
const { toSettings } = require('./wrap.js')

/**
 * @param {string} name - of the option
 * @param {unknown} value
 * @param {{infoHashes?: unknown}} options - all of the wire
 * @returns {object | null} see toSettings() in wrap.js; null when nothing is encrypted
 * @throws {TypeError | RangeError} when one is wrong
 */
function toWireSettings(name, value, { infoHashes }) {
  if (typeof value !== 'object') throw new TypeError(`${name} must be an object`)
  const own = { ...value, initialPayload: null, signal: undefined }
  // A function of the wire gets info hashes and says yes or no; one of the exchange gets their hashes.
  if (typeof infoHashes !== 'function') own.infoHashes ??= infoHashes ?? undefined
  const settings = toSettings(own, (one) => toTorrent(`${name}.infoHash`, one))
  return settings.mode === 'off' ? null : settings
}

/** Without it, that of the handshake is taken. */
function toTorrent(name, infoHash) {
  return infoHash === undefined || infoHash === null ? null : toOwnInfoHash(name, infoHash)
}

module.exports = { toWireSettings }
