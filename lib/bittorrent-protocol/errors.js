// The errors of such a wire: texts of bittorrent-protocol, which its users compare, and why a wire has ended.
'use strict'

const { ProtocolError } = require('../errors.js')

const closed = () => new Error('wire was closed')
const withoutFast = () => new Error('fast extension is disabled')
const oldEncryption = () => new Error('the encryption of bittorrent-protocol 4 is not supported')

/** @param {number} id - of a message of the fast extension */
const notAgreed = (id) =>
  new ProtocolError(
    'ERR_PWP_NOT_AGREED',
    `peer sent message ${id} although the fast extension is not agreed on`,
    { id }
  )

/** The error of the core, for a peer that begins before any exchange. */
const plainRefused = () => new ProtocolError('ERR_PWP_ENCRYPTION_PLAIN', 'peer does not encrypt')

module.exports = { closed, notAgreed, oldEncryption, plainRefused, withoutFast }
