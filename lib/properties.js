// The properties of a wire that are accessors.
//
// In peer-wire-protocol they are plain values. Code that copies, inspects or enumerates prototypes, that
// assigns to these properties, or that wraps wires, must not notice the difference.
'use strict'

const { isProxy } = require('node:util').types

const { allocate } = require('./own-memory.js')
const { findSession } = require('./session-of.js')
const { CONNECTION } = require('./stream/connection.js')

/** State that users may also write: the core must learn of it. */
const STATE = ['amChoking', 'amInterested', 'peerChoking']

/** The arrays of requests, by the name of the property. */
const REQUESTS = {
  peerRequests: (session) => session.uploads.requests,
  requests: (session) => session.downloads.requests
}

/** Not in peer-wire-protocol: users may already have something of their own under these names. */
const ADDED = {
  ...CONNECTION,
  bufferedAmount: (session) => session.unsent,
  encryption: ({ encryption }) => (encryption === null ? null : encryption.agreement),
  hasFast: (session) => session.fast !== null,
  isV2: (session) => session.hashes !== null,
  allowedFastSet: ({ fast }) => (fast === null ? [] : [...fast.allowed]),
  peerAllowedFastSet: ({ fast }) => (fast === null ? [] : [...fast.peerAllowed]),
  extendedMapping: ({ extensions }) => extensions?.mapping ?? null,
  peerExtendedMapping: ({ extensions }) => extensions?.peerMapping ?? null,
  peerExtendedHandshake: ({ extensions }) => extensions?.peerHandshake ?? null
}

/**
 * Defines them on the prototype of wires: accessors that return `undefined` without a wire, and that write
 * to no wire but their own.
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
  // A plain property from its first read on, because loops over pieces read it once for each.
  define(prototype, 'peerPieces', {
    get: getter(({ pieces, wire }) => shadow(wire, pieces.toArray(), 'peerPieces')),
    set: setter('peerPieces', ({ pieces, wire }, value) => {
      pieces.adopt()
      shadow(wire, value, 'peerPieces')
    })
  })
  // Made when it is first read, and the same Buffer from then on: few users read it, and a Buffer takes 200
  // bytes more than the eight in it.
  define(prototype, 'peerReserved', {
    get: getter((session) => {
      const bytes = reservedOf(session)
      return bytes === null ? null : shadow(session.wire, bytes, 'peerReserved')
    }),
    set: setter('peerReserved', ({ wire }, value) => shadow(wire, value, 'peerReserved'))
  })
  for (const [name, read] of Object.entries(ADDED)) {
    define(prototype, name, {
      get: getter(read),
      set: setter(name, ({ wire }, value) => shadow(wire, value, name))
    })
  }
  // Extensions add to it, or assign another one.
  define(prototype, 'extendedHandshake', {
    get: getter(({ extensions }) => extensions?.handshake ?? null),
    set: setter('extendedHandshake', ({ extensions, wire }, value, name) => {
      if (extensions !== null && isObject(value)) extensions.handshake = value
      else shadow(wire, value, name)
    })
  })
  defineEnds(prototype)
}

function isObject(value) {
  return typeof value === 'object' && value !== null
}

/**
 * These do not follow the stream's own state, because a destroyed wire still has to end its readable side;
 * nor does an assignment change that state. Node throws on an assignment to `closed` or `errored`; here it
 * is ignored, because code that copies a prototype assigns to every property.
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
    // A prototype, or a subclass that has not called our constructor yet, which sets all of them anyway.
    if (session === null) return
    if (session.wire === this || isProxy(this)) write(session, value, name)
    else shadow(this, value, name)
  }
}

/** Does what an assignment does where there is no accessor. */
function shadow(object, value, name) {
  const property = { value, writable: true, enumerable: true, configurable: true }
  Reflect.defineProperty(object, name, property)
  return value
}

module.exports = { defineProperties }
