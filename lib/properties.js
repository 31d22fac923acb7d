// The properties of a wire that are more than a value.
'use strict'

const { takeBack } = require('./ahead.js')
const { native } = require('./native.js')
const { putInPlace, takeUp } = require('./pieces.js')
const { unsent } = require('./output.js')

/**
 * Defines them on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineProperties(prototype) {
  // State that users may also write, as they could in peer-wire-protocol: the core must know.
  for (const name of ['amChoking', 'amInterested', 'peerChoking']) {
    const field = `_${name}`
    define(prototype, name, {
      get() {
        return this[field]
      },
      set(value) {
        this[field] = value
        takeBack(this)
        native.assume(this._slot, +!!this._amChoking, +!!this._amInterested, +!!this._peerChoking)
      }
    })
  }
  define(prototype, 'peerPieces', {
    get() {
      return takeUp(this)
    },
    set(pieces) {
      putInPlace(this, pieces)
    }
  })
  define(prototype, 'bufferedAmount', {
    get() {
      return unsent(this)
    }
  })
  // A destroyed wire still ends its readable side, so these do not follow the stream's own state.
  for (const name of ['destroyed', 'closed']) {
    define(prototype, name, {
      get() {
        return this._isClosed
      }
    })
  }
  for (const name of ['errored', 'readableErrored', 'writableErrored']) {
    define(prototype, name, {
      get() {
        return this.error
      }
    })
  }
}

function define(prototype, name, accessors) {
  Object.defineProperty(prototype, name, { configurable: true, enumerable: true, ...accessors })
}

module.exports = { defineProperties }
