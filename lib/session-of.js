// Which session a method was called for, whatever object it was called on.
'use strict'

const { Session } = require('./session/session.js')

/**
 * The object need not be the wire itself: proxies and `Object.create(wire)` have one behind them, and
 * others carry a copy of its properties. The session leads to the one wire whose state goes with it. It is
 * got by a call, as proxies may wrap the values of properties.
 *
 * @param {unknown} receiver - of a method
 * @returns {Session} of the wire that it stands for
 * @throws {TypeError} when there is none
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
