// Why metadata is not fetched: from one wire, or at all. docs/errors.md lists all codes.
'use strict'

const { ProtocolError, withCode } = require('../../errors.js')
const { addon } = require('../../native.js')

const { Offences, Rejects, Silent, WrongData } = addon.MetadataFault

const unsupported = () =>
  new ProtocolError('ERR_PWP_METADATA_UNSUPPORTED', 'peer does not have the extension ut_metadata')
const missed = () =>
  new ProtocolError(
    'ERR_PWP_METADATA_MISSED',
    "the peer's extended handshake came before the wire used extensions"
  )
const missing = () => new ProtocolError('ERR_PWP_METADATA_MISSING', 'peer has no metadata')
const closed = (cause) =>
  new ProtocolError('ERR_PWP_METADATA_CLOSED', 'wire is closed', cause ? { cause } : {})
const otherTorrent = () =>
  new ProtocolError('ERR_PWP_METADATA_INFO_HASH', 'wire is of another torrent')
const timedOut = (limit) =>
  new ProtocolError('ERR_PWP_METADATA_TIMEOUT', `metadata was not found in ${limit} ms`, { limit })
const wrongSize = (length, limit) =>
  new ProtocolError('ERR_PWP_METADATA_SIZE', 'peer announces a wrong size of metadata', {
    length,
    limit
  })
const wrongHash = () =>
  new ProtocolError('ERR_PWP_METADATA_HASH', 'peer has sent metadata with another hash')

// Mistakes of the local caller.
const destroyed = () => withCode('ERR_PWP_METADATA_DESTROYED', 'fetcher is destroyed')
const inUse = () =>
  withCode('ERR_PWP_METADATA_IN_USE', 'wire uses an extension ut_metadata of another package')

/**
 * @param {number} fault - of MetadataFault
 * @param {number} size - that the peer has announced
 * @param {number} limit - most bytes
 * @returns {ProtocolError}
 */
function faultOf(fault, size, limit) {
  switch (fault) {
    case WrongData:
      return wrongHash()
    case Offences:
      return new ProtocolError(
        'ERR_PWP_METADATA_OFFENCES',
        'peer has sent too many messages of ut_metadata that make no sense'
      )
    case Rejects:
      return new ProtocolError('ERR_PWP_METADATA_REJECTED', 'peer rejects requests for metadata')
    case Silent:
      return new ProtocolError(
        'ERR_PWP_METADATA_UNANSWERED',
        'peer does not answer requests for metadata'
      )
  }
  return wrongSize(size, limit)
}

module.exports = {
  closed,
  destroyed,
  faultOf,
  inUse,
  missed,
  missing,
  otherTorrent,
  timedOut,
  unsupported,
  wrongHash
}
