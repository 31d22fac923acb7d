// The errors that a wire gives: one class for what the peer did wrong, one for each legacy text.
'use strict'

/** A peer broke the protocol or a limit. `code` is stable; docs/api.md lists all codes. */
class ProtocolError extends Error {
  /**
   * @param {string} code - `ERR_PWP_...`
   * @param {string} message - for people
   */
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

Object.defineProperty(ProtocolError.prototype, 'name', {
  value: 'ProtocolError',
  configurable: true,
  writable: true
})

// Texts of peer-wire-protocol 0.7.1, which its users compare.
const cancelled = () => new Error('request was cancelled')
const choking = () => new Error('peer is choking')
const closed = () => new Error('wire is closed')
const timedOut = () => new Error('request has timed out')

module.exports = { ProtocolError, cancelled, choking, closed, timedOut }
