// Reads what the core knows of the peer's extended handshakes: all of them merged, each field checked.
'use strict'

const { decode } = require('../bencode/decode.js')
const { addon, native } = require('../native.js')

/** Keys that the core checks, so that each has its type or is missing. */
const CHECKED = [
  'm',
  'v',
  'p',
  'yourip',
  'ipv4',
  'ipv6',
  'reqq',
  'metadata_size',
  'e',
  'upload_only',
  'complete_ago'
]

/**
 * @param {import('../session/core.js').Core} core
 * @param {Buffer} payload - the newest handshake, which the core has accepted
 * @returns {{extensions: {name: string, id: number}[], fields: object}} what is in `m`, and the other fields:
 *   those that the core knows merged, and those that it does not know, which are for extensions, as the peer
 *   has sent them last
 */
function readPeerHandshake({ slot }, payload) {
  const fields = decode(payload)
  for (const key of CHECKED) delete fields[key]
  const bytes = Buffer.alloc(native.readPeerExtensions(slot, Buffer.alloc(0)))
  native.readPeerExtensions(slot, bytes)
  const { extensions, ...known } = addon.peerHandshake(bytes)
  return { extensions, fields: Object.assign(fields, known) }
}

module.exports = { readPeerHandshake }
