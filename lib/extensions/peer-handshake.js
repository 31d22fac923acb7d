// Reads an extended handshake of the peer, each field checked.
'use strict'

const { decode } = require('../bencode/decode.js')
const { addon } = require('../native.js')

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
 * @param {Buffer} payload - which the core has accepted
 * @returns {{names: string[], known: object, others: object}} the extensions in its `m`, the other fields that
 *   the core knows, and those that it does not know, which are for extensions
 */
function readPeerHandshake(payload) {
  const others = decode(payload)
  for (const key of CHECKED) delete others[key]
  const { names, ...known } = addon.peerHandshake(payload)
  return { names, known, others }
}

module.exports = { readPeerHandshake }
