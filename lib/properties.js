// The properties of a wire that are more than a value.
//
// In peer-wire-protocol they are values: code that copies, inspects or enumerates prototypes, that
// writes to them, or that wraps wires, does not expect that anything happens.
'use strict'

const { isProxy } = require('node:util').types

const { allocate } = require('./own-memory.js')
const { findSession } = require('./session-of.js')

/** State that users may also write: the core must know. */
const STATE = ['amChoking', 'amInterested', 'peerChoking']

/** The arrays of requests, by the name of the property. */
const REQUESTS = {
  peerRequests: (session) => session.uploads.requests,
  requests: (session) => session.downloads.requests
}

/**
 * Defines them on the prototype of wires: accessors that give `undefined` where there is no wire, and
 * write to none but their own.
 *
 * @param {object} prototype
 */
function defineProperties(prototype) {
  for (const name of STATE) {
    define(prototype, name, {
      get: getter((session) => session[name]),
      set: setter(name, (session, value) => {
        session[name] = value
        session.overwriteState()
      })
    })
  }
  for (const [name, requestsOf] of Object.entries(REQUESTS)) {
    define(prototype, name, {
      get: getter((session) => requestsOf(session).toArray()),
      set: setter(name, (session, value) => requestsOf(session).adopt(value))
    })
  }
  // A plain property from its first read on: loops over pieces read it.
  define(prototype, 'peerPieces', {
    get: getter(({ pieces, wire }) => shadow(wire, pieces.toArray(), 'peerPieces')),
    set: setter('peerPieces', ({ pieces, wire }, value) => {
      pieces.adopt()
      shadow(wire, value, 'peerPieces')
    })
  })
  // Few look at it, and a Buffer of a few bytes takes 200 more. The same one from its first read on.
  define(prototype, 'peerReserved', {
    get: getter((session) => {
      const bytes = reservedOf(session)
      return bytes === null ? null : shadow(session.wire, bytes, 'peerReserved')
    }),
    set: setter('peerReserved', ({ wire }, value) => shadow(wire, value, 'peerReserved'))
  })
  // A name that users may have for something of their own.
  define(prototype, 'bufferedAmount', {
    get: getter((session) => session.unsent),
    set: setter('bufferedAmount', (session, value, name) => shadow(session.wire, value, name))
  })
  defineEnds(prototype)
}

/**
 * A destroyed wire still ends its readable side, so these do not follow the stream's own state, and who
 * writes to them does not change it. Node refuses writes to `closed` and `errored`: here they are
 * ignored and do not throw, as whoever copies a prototype makes them too.
 */
function defineEnds(prototype) {
  define(prototype, 'destroyed', {
    get: getter(({ isClosed, wire }) => wire._isDestroyed ?? isClosed),
    set: setter('destroyed', ({ wire }, value) => {
      wire._isDestroyed = value
    })
  })
  define(prototype, 'closed', {
    get: getter((session) => session.isClosed),
    set: setter('closed', () => {})
  })
  for (const name of ['errored', 'readableErrored', 'writableErrored']) {
    const write = name === 'errored' ? () => {} : ({ wire }, value) => shadow(wire, value, name)
    define(prototype, name, { get: getter(({ wire }) => wire.error), set: setter(name, write) })
  }
}

function reservedOf({ reservedHigh, reservedLow }) {
  if (reservedHigh === -1) return null
  const bytes = allocate(8)
  bytes.writeUInt32BE(reservedHigh, 0)
  bytes.writeUInt32BE(reservedLow, 4)
  return bytes
}

function define(prototype, name, accessors) {
  Object.defineProperty(prototype, name, { configurable: true, ...accessors })
}

function getter(read) {
  return function () {
    const session = findSession(this)
    return session === null ? undefined : read(session)
  }
}

function setter(name, write) {
  return function (value) {
    const session = findSession(this)
    // A prototype, or a subclass before its call of our constructor, which sets all of them anyway.
    if (session === null) return
    if (session.wire === this || isProxy(this)) write(session, value, name)
    else shadow(this, value, name)
  }
}

/** What the assignment of a value does where there is no accessor. */
function shadow(object, value, name) {
  const property = { value, writable: true, enumerable: true, configurable: true }
  Reflect.defineProperty(object, name, property)
  return value
}

module.exports = { defineProperties }
