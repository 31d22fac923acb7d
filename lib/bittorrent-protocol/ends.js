// How such a wire ends: in silence, by an end of both directions, whoever is the reason.
'use strict'

const { Duplex } = require('node:stream')

const { closed } = require('./errors.js')

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
    if (this.destroyed || this._isEnding) return this
    this._isEnding = true
    this._onUninterested()
    this._onChoke()
    if (this._encryptor !== null) this._encryptor.letGo()
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
    this._session.inContext(() => {
      this._session.finish(this.error)
      // Without a reader the wire would never end.
      while (this.read() !== null);
      this._timer.stop()
      while (this.requests.length > 0) this._callback(this.requests.pop(), closed(), null)
    })
    if (this.readableEnded) close(this)
    else this.once('end', () => close(this))
  }
}

function close(wire) {
  Duplex.prototype.destroy.call(wire)
}

module.exports = { defineEnds }
