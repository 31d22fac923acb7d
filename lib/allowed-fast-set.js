// The allowed-fast set of BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>, as both sides find it.
'use strict'

const { isIP } = require('node:net')

const { checkInteger, toId } = require('./arguments.js')
const { addon } = require('./native.js')

/** BEP 6 speaks of ten. */
const USUAL = 10

/** More make no sense, and take long to find. */
const MAX_COUNT = 10_000

/**
 * The pieces that a peer may request while it is choked.
 *
 * @param {string} address - of the peer, such as `socket.remoteAddress`
 * @param {Uint8Array | string} infoHash - 20 bytes, or 40 hex digits
 * @param {number} pieces - of the torrent
 * @param {number} [count] - how many; all where the torrent has no more
 * @returns {number[]} none for an address of IPv6, for which BEP 6 has no set
 * @throws {TypeError | RangeError} when an argument is wrong
 */
function allowedFastSet(address, infoHash, pieces, count = USUAL) {
  if (typeof address !== 'string') throw new TypeError('address must be a string')
  // Node gives addresses of one link with a zone.
  const [ip] = address.split('%')
  if (isIP(ip) === 0) throw new RangeError('address must be an IP address')
  const infoHashBytes = toId('infoHash', infoHash, 'hex')
  checkInteger('pieces', pieces, 0x7fffffff)
  checkInteger('count', count, MAX_COUNT)
  return addon.allowedFastSet(ip, infoHashBytes, pieces, count) ?? []
}

module.exports = { allowedFastSet }
