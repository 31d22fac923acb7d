// The errors of an encrypted stream that the core does not know: they come from clocks, counts and streams.
'use strict'

const { ProtocolError } = require('../errors.js')

/** Errors of a stream that mean that the peer has closed the connection. */
const RESETS = ['ECONNABORTED', 'ECONNRESET', 'EPIPE']

const timedOut = (limit, cause) => {
  const message = `key exchange was not over in ${limit} ms`
  const error = new ProtocolError('ERR_PWP_ENCRYPTION_TIMEOUT', message, { limit })
  return Object.assign(error, { cause })
}
const tooLong = (limit) =>
  new ProtocolError(
    'ERR_PWP_ENCRYPTION_TOO_LONG',
    `peer sent more than ${limit} bytes in its key exchange`,
    { limit }
  )
const tooMany = (limit) =>
  new ProtocolError('ERR_PWP_ENCRYPTION_TOO_MANY', `${limit} key exchanges are not over yet`, {
    limit
  })
const tooManyOfAddress = (limit) =>
  new ProtocolError(
    'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS',
    `${limit} key exchanges of this address are not over yet, or failed lately`,
    { limit }
  )

/** What Node gives to callbacks that a signal aborts. */
function aborted(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}

/** What Node gives to writes that a stream did not get to. */
function destroyed() {
  const error = new Error('Cannot call write after a stream was destroyed')
  return Object.assign(error, { code: 'ERR_STREAM_DESTROYED' })
}

/**
 * @param {unknown} value - thrown, or the reason of a rejection
 * @returns {Error} that a stream can be destroyed with
 */
function toError(value) {
  return value instanceof Error ? value : new Error('infoHashes() failed', { cause: value })
}

module.exports = {
  RESETS,
  aborted,
  destroyed,
  timedOut,
  toError,
  tooLong,
  tooMany,
  tooManyOfAddress
}
