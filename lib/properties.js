// The properties of a wire that are more than a value.
//
// In peer-wire-protocol they are values: code that copies, inspects or enumerates prototypes, that
// writes to them, or that wraps wires, does not expect that anything happens.
'use strict'

const { isProxy } = require('node:util').types

const { takeBack } = require('./ahead.js')
const { findWire } = require('./handle.js')
const { native } = require('./native.js')
const { putInPlace, takeUp } = require('./pieces.js')
const { unsent } = require('./output.js')

/** State that users may also write: the core must know. */
const STATE = ['amChoking', 'amInterested', 'peerChoking']

/**
 * Defines them on the prototype of wires: accessors that give `undefined` where there is no wire, and
 * write to none but their own.
 *
 * @param {object} prototype
 */
function defineProperties(prototype) {
  for (const name of STATE) {
    const field = `_${name}`
    define(prototype, name, {
      // Loops over wires read these: V8 compiles so short a one into the loop.
      get() {
        return this?.[field]
      },
      set: setter(name, (wire, value) => {
        wire[field] = value
        takeBack(wire)
        native.assume(wire._slot, +!!wire._amChoking, +!!wire._amInterested, +!!wire._peerChoking)
      })
    })
  }
  define(prototype, 'peerPieces', { get: getter(takeUp), set: setter('peerPieces', putInPlace) })
  // A name that users may have for something of their own.
  define(prototype, 'bufferedAmount', {
    get: getter(unsent),
    set: setter('bufferedAmount', shadow)
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
    get: getter((wire) => wire._isDestroyed),
    set: setter('destroyed', (wire, value) => {
      wire._isDestroyed = value
    })
  })
  define(prototype, 'closed', {
    get: getter((wire) => wire._isClosed),
    set: setter('closed', ignore)
  })
  for (const name of ['errored', 'readableErrored', 'writableErrored']) {
    const write = name === 'errored' ? ignore : shadow
    define(prototype, name, { get: getter((wire) => wire.error), set: setter(name, write) })
  }
}

function define(prototype, name, accessors) {
  Object.defineProperty(prototype, name, { configurable: true, ...accessors })
}

function getter(read) {
  return function () {
    const wire = findWire(this)
    return wire === null ? undefined : read(wire)
  }
}

function setter(name, write) {
  return function (value) {
    const wire = findWire(this)
    // A prototype, or a subclass before its call of our constructor, which sets all of them anyway.
    if (wire === null) return
    if (wire === this || isProxy(this)) write(wire, value, name)
    else shadow(this, value, name)
  }
}

function ignore() {}

/** What the assignment of a value does where there is no accessor. */
function shadow(object, value, name) {
  const property = { value, writable: true, enumerable: true, configurable: true }
  Reflect.defineProperty(object, name, property)
}

module.exports = { defineProperties }
