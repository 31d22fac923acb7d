// Reports answers that do not fit the request of the peer.
//
// A peer can provoke them: it requests beyond the end of a piece, and the store clamps; it requests a piece
// that is not there, and the store returns nothing. So they never throw into the application that passes
// them on. They are dropped, as by respond(error), and reported to subscribers and in one warning.
'use strict'

const { isUint8Array } = require('node:util').types
const { byteLength } = require('../arguments.js')
const channels = require('./channels.js')

/** A property of `process`, so that several copies of this code warn only once. */
const WARNED = Symbol.for('peer-wire-native:answer-dropped')

/**
 * @param {import('../session/requests.js').Request} request - of the peer
 * @param {unknown} answer
 * @returns {boolean} whether it is a block of the length asked for
 */
function isAnswer(request, answer) {
  return isUint8Array(answer) && byteLength(answer) === request.length
}

/**
 * Reports an answer that was dropped.
 *
 * @param {object} wire - what subscribers get
 * @param {import('../session/requests.js').Request} request - of the peer
 * @param {unknown} answer
 */
function showDropped(wire, { piece, offset, length }, answer) {
  show(wire, { piece, offset, length }, `${length} bytes`, answer)
}

/**
 * Reports an answer to a request for hashes that was dropped.
 *
 * @param {object} wire - what subscribers get
 * @param {object} request - of the peer
 * @param {unknown} answer
 */
function showDroppedHashes(wire, request, answer) {
  show(wire, request, `${request.length} hashes and their uncles`, answer)
}

function show(wire, request, wanted, answer) {
  if (channels.dropped.hasSubscribers) channels.dropped.publish({ wire, request, answer })
  if (Object.hasOwn(process, WARNED)) return
  Object.defineProperty(process, WARNED, { value: true })
  const given = isUint8Array(answer)
    ? `${byteLength(answer)} bytes`
    : 'what is no Buffer or Uint8Array'
  process.emitWarning(
    `The answer to a request of a peer was dropped: it asked for ${wanted} and was given ${given}. ` +
      'Further ones are counted in wire.stats().droppedAnswers.',
    { type: 'PeerWireWarning', code: 'PWP_ANSWER_DROPPED' }
  )
}

module.exports = { isAnswer, showDropped, showDroppedHashes }
