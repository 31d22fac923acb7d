// How such a wire ends: in silence, by an end of both directions, whoever is the reason.
//
// It ends once, so that nothing that a listener or a callback throws may keep the next step from running.
'use strict'

const { Duplex } = require('node:stream')

const { attempt } = require('../session/attempt.js')
const { closed } = require('./errors.js')
const { adaptWrite } = require('./stream.js')

/**
 * Defines these methods on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineEnds(prototype) {
  Object.assign(prototype, METHODS)
}

const METHODS = {
  /**
   * Ends the wire. Its argument has no meaning: streams pass errors on that concern the application, if anybody,
   * elsewhere.
   */
  destroy() {
    if (this.destroyed) return undefined
    this.end()
    return this
  },

  /** The peer seems to lose interest and to choke at once; everything else follows. */
  end(data, encoding, callback) {
    if (this.destroyed || this._isEnding) {
      callAtFinish(this, [data, encoding, callback].find(isFunction))
      return this
    }
    this._isEnding = true
    attempt(() => this._onUninterested())
    attempt(() => this._onChoke())
    if (this._encryptor !== null) this._encryptor.letGo()
    adaptWrite(this)
    return Duplex.prototype.end.call(this, data, encoding, callback)
  },

  /**
   * Ends because of the peer. No event says so, as an 'error' that nobody listens for would end the process.
   *
   * @param {Error} error
   */
  _endFor(error) {
    this.error ??= error
    if (!this._isEnding) this.destroy()
  },

  /** The input has ended, and so does the output. */
  _onFinish() {
    this._finished = true
    try {
      this._session.inContext(() => {
        this._session.finish(this.error)
        // Without a reader the wire would never end.
        empty(this)
        this._timer.stop()
        this._failAll(closed)
      })
    } finally {
      if (this.readableEnded) close(this)
      // Before listeners that may throw, but not within the event: `destroyed` is true after it.
      else this.prependOnceListener('end', () => process.nextTick(close, this))
    }
  },

  /** Fails all our requests, the newest first. */
  _failAll(toError) {
    while (this.requests.length > 0) {
      const request = this.requests.pop()
      attempt(() => this._callback(request, toError(), null))
    }
  }
}

/** Reads what is left. Whatever a listener of 'data' throws, its chunk was read. */
function empty(wire) {
  let isRead = true
  while (isRead) {
    const { readableLength } = wire
    isRead = false
    attempt(() => {
      isRead = wire.read() !== null
    })
    isRead ||= wire.readableLength < readableLength
  }
}

const isFunction = (value) => typeof value === 'function'

/** For a caller who ends a wire that ends already. */
function callAtFinish(wire, callback) {
  if (callback === undefined) return
  if (wire.writableFinished) process.nextTick(callback)
  else wire.once('finish', () => callback())
}

function close(wire) {
  Duplex.prototype.destroy.call(wire)
}

module.exports = { defineEnds }
