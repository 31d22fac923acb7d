// `wire.fetchPiece()`, of either kind of wire.
'use strict'

const { aborted, failure } = require('./errors.js')
const { checkBlocks, partialOf, toFetch } = require('./options.js')
const { reasonOf } = require('../session/signals.js')

/**
 * @param {import('../session/session.js').Session} session
 * @param {number} index - of the piece
 * @param {object} options - of the user
 * @returns {Promise<Buffer>} the piece
 * @throws {TypeError | RangeError} that names what is wrong
 */
function fetchPiece(session, index, options) {
  const fetch = toFetch(index, options)
  checkBlocks(session, fetch)
  return fetchFrom(session, fetch)
}

/**
 * @param {import('../session/session.js').Session} session
 * @param {object} fetch - see options.js
 * @returns {Promise<Buffer>}
 */
function fetchFrom(session, fetch) {
  const { signal } = fetch
  if (signal?.aborted) return Promise.reject(aborted(reasonOf(signal), partialOf(fetch)))
  if (session.isClosed || session.isFinished || session.failure !== null) {
    const cause = session.failure ?? session.wire.error
    return Promise.reject(failure('Closed', fetch, partialOf(fetch), cause))
  }
  if (session.port.isNative) {
    const { fetchFromSocket } = require('../transport/fetching.js')
    return fetchFromSocket(session, fetch)
  }
  const { fetchFromStream } = require('./stream-fetching.js')
  return fetchFromStream(session, fetch)
}

module.exports = { fetchFrom, fetchPiece }
