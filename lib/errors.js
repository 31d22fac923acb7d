// The errors of a wire: one class for what the peer did wrong, and the legacy texts of requests.
'use strict'

/** A peer broke the protocol or a limit. `code` is stable; docs/errors.md lists all codes. */
class ProtocolError extends Error {
  /**
   * @param {string} code - `ERR_PWP_...`
   * @param {string} message - for people, not stable
   * @param {object} [fields] - numbers of the error by name: `length`, `limit`, ...
   */
  constructor(code, message, fields) {
    super(message)
    this.code = code
    Object.assign(this, fields)
  }
}

Object.defineProperty(ProtocolError.prototype, 'name', {
  value: 'ProtocolError',
  configurable: true,
  writable: true
})

/**
 * @param {string[]} lines - as the addon tells a failure: code, message, then fields with their numbers
 * @returns {ProtocolError}
 */
function toProtocolError([code, message, ...lines]) {
  const fields = lines.map((line) => line.split(' ')).map(([name, number]) => [name, +number])
  return new ProtocolError(code, message, Object.fromEntries(fields))
}

// Failures that are detected here and not in the core, which knows neither clocks nor streams.
const truncated = () => new ProtocolError('ERR_PWP_TRUNCATED', 'stream ended inside a message')
const handshakeTimedOut = (limit) =>
  new ProtocolError('ERR_PWP_HANDSHAKE_TIMEOUT', `peer sent no handshake in ${limit} ms`, { limit })
const inactive = (limit) =>
  new ProtocolError('ERR_PWP_INACTIVITY_TIMEOUT', `peer sent nothing for ${limit} ms`, { limit })
const memoryChanged = () =>
  new ProtocolError('ERR_PWP_MEMORY_CHANGED', 'memory lent to the wire was detached or resized')

// Texts of peer-wire-protocol 0.7.1. Its users compare them, so they stay exactly as they are.
const cancelled = () => new Error('request was cancelled')
const choking = () => new Error('peer is choking')
const closed = () => new Error('wire is closed')
const timedOut = () => new Error('request has timed out')

// Of a request with a deadline of its own, which the error of wire.setTimeout() does not have.
const requestTimedOut = (limit) =>
  Object.assign(timedOut(), { code: 'ERR_PWP_REQUEST_TIMEOUT', limit })

// The text of the npm package lt_donthave.
const pieceLost = () => withCode('ERR_PWP_PIECE_LOST', 'peer sent donthave')

// The text of bittorrent-protocol.
const rejected = () => new Error('request was rejected')

// Mistakes of the local caller that have a code.
const handshakeSent = () => withCode('ERR_PWP_HANDSHAKE_SENT', 'the handshake was already sent')
const noFast = () => withCode('ERR_PWP_NO_FAST', 'the fast extension is not agreed on')
const noV2 = () => withCode('ERR_PWP_NO_V2', 'version 2 of the torrent is not agreed on')
const tooManyHashRequests = () =>
  withCode('ERR_PWP_TOO_MANY_HASH_REQUESTS', 'too many hash requests are open')

/** @param {string} method - that makes no sense for a native wire */
const notAStream = (method) =>
  withCode(
    'ERR_PWP_NATIVE',
    `${method}() is for wires that are streams; a native socket reads and writes for this wire`
  )

/** @param {string} method - that only wires with a native socket have */
const noNativeSocket = (method) =>
  withCode(
    'ERR_PWP_NO_NATIVE',
    `${method}() is for wires with a native socket, of connect() or a server`
  )

/**
 * @param {string} code - of the policy
 * @param {number} limit - that it has
 */
const tooManyHandshakes = (code, limit) =>
  code.endsWith('_OF_ADDRESS')
    ? new ProtocolError(
        'ERR_PWP_TOO_MANY_HANDSHAKES_OF_ADDRESS',
        `${limit} handshakes of this address are not over yet`,
        { limit }
      )
    : new ProtocolError('ERR_PWP_TOO_MANY_HANDSHAKES', `${limit} handshakes are not over yet`, {
        limit
      })

/**
 * @param {number} unsent - bytes
 * @param {Error} [cause]
 */
const unflushed = (unsent, cause) =>
  Object.assign(withCode('ERR_PWP_UNFLUSHED', `${unsent} bytes of output were lost`), {
    unsent,
    ...(cause === undefined ? {} : { cause })
  })

const notPiped = () =>
  withCode('ERR_PWP_NOT_PIPED', 'flushed() waits for a stream that the wire is piped into')
const otherCopy = () =>
  withCode(
    'ERR_PWP_COPIES',
    'another version of peer-wire-native has the native sockets of this addon'
  )

// Why hashes were not received.
const hashesClosed = () => withCode('ERR_PWP_CLOSED', closed().message)
const hashesRejected = () => withCode('ERR_PWP_HASHES_REJECTED', 'hash request was rejected')
const hashesTimedOut = () => withCode('ERR_PWP_HASHES_TIMEOUT', 'hash request has timed out')
const wrongHashes = (range) =>
  new ProtocolError('ERR_PWP_HASHES', 'peer sent hashes that do not fit the root', range)

function withCode(code, message) {
  return Object.assign(new Error(message), { code })
}

/**
 * Makes an error without stack frames, which would all be frames of this package and of Node. One chunk
 * of chokes can cause thousands of errors, and V8 takes 3 us to collect the frames of each: five times as
 * long as everything else that a choke costs.
 *
 * @param {() => Error} make
 * @returns {Error}
 */
function withoutFrames(make) {
  const limit = Error.stackTraceLimit
  // An assignment would throw where the intrinsics are frozen.
  Reflect.set(Error, 'stackTraceLimit', 0)
  const error = make()
  Reflect.set(Error, 'stackTraceLimit', limit)
  return error
}

module.exports = {
  ProtocolError,
  cancelled,
  choking,
  closed,
  handshakeSent,
  handshakeTimedOut,
  hashesClosed,
  hashesRejected,
  hashesTimedOut,
  inactive,
  memoryChanged,
  noFast,
  noNativeSocket,
  noV2,
  notAStream,
  notPiped,
  otherCopy,
  pieceLost,
  rejected,
  requestTimedOut,
  timedOut,
  toProtocolError,
  tooManyHandshakes,
  tooManyHashRequests,
  truncated,
  unflushed,
  withCode,
  withoutFrames,
  wrongHashes
}
