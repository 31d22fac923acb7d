// The network that an address stands for: one host, as far as one can tell.
'use strict'

const { isIPv6 } = require('node:net')

/** An address of IPv4 in the form that sockets which listen on IPv6 give. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/**
 * A host with IPv6 usually has all addresses of a /64.
 *
 * @param {string} address
 * @returns {string} the same for all addresses of a host
 */
function networkOf(address) {
  const [, mapped] = MAPPED.exec(address) ?? []
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [text] = address.toLowerCase().split('%')
  const [front, back] = text.split('::')
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const rest = back === '' ? [] : back.split(':')
    // The part of IPv4 at the end of an address stands for two groups.
    const count = rest.length + (rest.at(-1)?.includes('.') ? 1 : 0)
    while (groups.length + count < 8) groups.push('0')
    groups.push(...rest)
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

module.exports = { networkOf }
