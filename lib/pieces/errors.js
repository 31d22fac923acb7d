// Why a fetch has ended without its piece. All of them tell what had arrived.
'use strict'

const { ProtocolError, closed, memoryChanged, pieceLost, withCode } = require('../errors.js')

/** Ends of a fetch: the same names as those of FetchOutcome in src/binding/transport/fetching.rs. */
const MAKERS = {
  Wrong: (piece) =>
    new ProtocolError('ERR_PWP_PIECE_HASH', 'the hash of the piece is wrong', { piece }),
  Twice: () => withCode('ERR_PWP_PIECE_TWICE', 'the piece is being fetched from this peer'),
  Choked: () => withCode('ERR_PWP_PIECE_CHOKED', 'peer is choking'),
  Closed: () => withCode('ERR_PWP_CLOSED', closed().message),
  PieceLost: pieceLost,
  Missing: () => withCode('ERR_PWP_PIECE_MISSING', 'peer has not announced the piece'),
  Rejected: () => withCode('ERR_PWP_PIECE_REJECTED', 'peer has rejected a block of the piece'),
  TimedOut: (piece, limit) =>
    Object.assign(withCode('ERR_PWP_PIECE_TIMEOUT', 'fetch of the piece has timed out'), { limit }),
  MemoryChanged: memoryChanged
}

/**
 * @param {keyof typeof MAKERS} end
 * @param {object} fetch - see options.js
 * @param {object} partial - what had arrived
 * @param {Error | null} [cause]
 * @returns {Error}
 */
function failure(end, { piece, timeout }, partial, cause = null) {
  const error = MAKERS[end](piece, timeout)
  if (cause !== null) error.cause = cause
  return Object.assign(error, { partial })
}

/** @returns {Error} as Node gives it to what a signal aborts, since the reason may be anything */
function aborted(reason, partial) {
  const error = new Error('The operation was aborted', { cause: reason })
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR', partial })
}

/**
 * @param {Error[]} errors - one for each wire, with the wire
 * @param {object} partial - what had arrived
 * @returns {AggregateError}
 */
function noWireLeft(errors, partial) {
  const error = new AggregateError(errors, 'no wire is left that sends the piece')
  return Object.assign(error, { code: 'ERR_PWP_NO_WIRE_LEFT', partial })
}

module.exports = { aborted, failure, noWireLeft }
