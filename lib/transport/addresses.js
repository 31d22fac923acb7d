// Addresses of native sockets, as Node writes them.
'use strict'

const os = require('node:os')

/** An address of IPv4 within one of IPv6, as a socket that takes both has it. */
const MAPPED = /^::ffff:(?=\d+\.)/

/**
 * @param {string} line - ip and port
 * @returns {{address: string, family: 'IPv4' | 'IPv6', port: number}}
 */
function toAddress(line) {
  const [address, port] = line.split(' ')
  return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: Number(port) }
}

/** @returns {string} `host:port`, as users of peer-wire-protocol have it in `wire.peerAddress` */
function toPeerAddress({ address, port }) {
  const host = address.replace(MAPPED, '')
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** @returns {string} an address of IPv6 whose scope, if it has one, is a number: other systems have names of their own */
function withNumericScope(address) {
  const [ip, scope] = address.split('%')
  if (scope === undefined || /^\d+$/.test(scope)) return address
  const known = (os.networkInterfaces()[scope] ?? []).find(({ scopeid }) => scopeid > 0)
  return known === undefined ? address : `${ip}%${known.scopeid}`
}

module.exports = { toAddress, toPeerAddress, withNumericScope }
