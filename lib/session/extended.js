// Messages of the extension protocol: extensions are told of them before users are.
'use strict'

const { attempt } = require('./attempt.js')
const { Extensions } = require('../extensions/extensions.js')
const { native } = require('../native.js')

/**
 * Uses the extension protocol from the start, without an extension.
 *
 * @param {import('./session.js').Session} session
 */
function enableExtensions(session) {
  session.extensions = new Extensions(session)
  native.readExtendedHandshakes(session.core.slot)
}

/**
 * Adds an extension. If our extended handshake has left, another one follows.
 *
 * @param {import('./session.js').Session} session
 * @param {Function} Extension
 * @returns {object} the instance
 */
function useExtension(session, Extension) {
  const isFirst = session.extensions === null
  if (isFirst) session.extensions = new Extensions(session)
  const { extensions } = session
  let name
  try {
    name = extensions.use(Extension)
  } catch (error) {
    // A mistake changes nothing. But the constructor may have used another extension.
    if (isFirst && extensions.handlers.size === 0) session.extensions = null
    throw error
  }
  native.readExtendedHandshakes(session.core.slot)
  extensions.tell(name)
  return extensions.handlers.get(name)
}

/**
 * @param {import('./session.js').Session} session
 * @param {number} id - one of ours
 * @param {Buffer} payload
 */
function onExtended(session, id, payload) {
  if (session.extensions !== null) session.extensions.onMessage(id, payload)
  else if (id === 0) session.hasMissedHandshake = true
  if (!session.isClosed) session.face.extended(session.wire, id, payload)
}

/**
 * @param {import('./session.js').Session} session
 * @param {Buffer} payload
 * @param {boolean} isValid - otherwise it changes nothing
 */
function onExtendedHandshake(session, payload, isValid) {
  const { extensions, face, wire } = session
  if (isValid) {
    extensions.onExtendedHandshake(payload)
    session.port.keeps(extensions.peerHandshake?.reqq ?? 0)
    if (session.fetching !== null) session.fetching.fill()
  }
  if (!session.isClosed) attempt(face.extended, wire, 0, payload)
  if (isValid && !session.isClosed) face.extendedHandshake(wire, extensions)
}

module.exports = { enableExtensions, onExtended, onExtendedHandshake, useExtension }
