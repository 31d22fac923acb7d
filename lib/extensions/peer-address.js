// The address of a peer as an argument: 'ip:port', or an object with both.
'use strict'

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
  const address = addon.peerAddress(toText(name, value))
  if (address === null) throw new RangeError(`${name} must be the address of a peer, ${FORMS}`)
  return address
}

function toText(name, value) {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${name} must be the address of a peer, ${FORMS}`)
  const { address, port } = value
  if (typeof address !== 'string') throw new TypeError(`${name}.address must be a string`)
  checkInteger(`${name}.port`, port, 0xffff)
  return `${address}:${port}`
}

module.exports = { toPeerAddress }
