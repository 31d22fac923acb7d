// Finds the session that a method was called for, whatever object it was called on.
'use strict'

const { Session } = require('./session/session.js')

/**
 * The object need not be the wire itself: it may be a proxy of a wire, inherit from one, or have a copy of
 * its properties. The session leads to the one wire that it belongs to. A method returns the session,
 * because a proxy may wrap the value of a property.
 *
 * @param {unknown} receiver - of a method
 * @returns {Session} of the wire that it stands for
 * @throws {TypeError} when it stands for no wire
 */
function sessionOf(receiver) {
  const session = receiver?._getSession?.()
  if (session instanceof Session) return session
  throw new TypeError('the receiver of this method must be a Wire')
}

/**
 * @param {object} receiver - of an accessor, which may be a prototype
 * @returns {Session | null}
 */
function findSession(receiver) {
  const session = receiver?._getSession?.()
  return session instanceof Session ? session : null
}

module.exports = { findSession, sessionOf }
