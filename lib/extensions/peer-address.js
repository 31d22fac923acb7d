// The address of a peer as an argument: 'ip:port', or an object with both.
'use strict'

const { isIPv6 } = require('node:net')

const { checkInteger } = require('../arguments.js')
const { addon } = require('../native.js')

const FORMS = "as '1.2.3.4:6881', '[::1]:6881' or { address, port }"

/**
 * @param {string} name - of the argument
 * @param {unknown} value
 * @returns {string} in its usual form
 * @throws {TypeError | RangeError} when no peer can have it: no address or no port, port 0, an unspecified,
 *   multicast or broadcast address
 */
function toPeerAddress(name, value) {
  const text = toText(name, value)
  // A longer text is no address, and need not be copied to find that out.
  const address = text.length > MAX_LENGTH ? null : addon.peerAddress(text)
  if (address === null) throw new RangeError(`${name} must be the address of a peer, ${FORMS}`)
  return address
}

/** Longest text that is looked at: twice the longest address. */
const MAX_LENGTH = 128

function toText(name, value) {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${name} must be the address of a peer, ${FORMS}`)
  const { address, port } = value
  if (typeof address !== 'string') throw new TypeError(`${name}.address must be a string`)
  checkInteger(`${name}.port`, port, 0xffff)
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}

module.exports = { toPeerAddress }
