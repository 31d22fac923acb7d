// Reads what the core knows of the peer's extended handshakes: all of them merged, each field checked.
'use strict'

const { addon, native } = require('../native.js')

/**
 * @param {import('../session/core.js').Core} core
 * @returns {{extensions: {name: string, id: number}[]}} and those of the fields `v`, `p`, `yourip`, `ipv4`,
 *   `ipv6`, `reqq`, `metadata_size`, `e`, `upload_only` and `complete_ago` that the peer has sent
 */
function readPeerHandshake({ slot }) {
  const bytes = Buffer.alloc(native.readPeerExtensions(slot, Buffer.alloc(0)))
  native.readPeerExtensions(slot, bytes)
  return addon.peerHandshake(bytes)
}

module.exports = { readPeerHandshake }
