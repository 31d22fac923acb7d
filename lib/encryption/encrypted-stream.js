// A Duplex of the payload of another one, whose bytes may be enciphered.
'use strict'

const { errorMonitor } = require('node:events')
const { Duplex } = require('node:stream')

const { attempt } = require('../session/attempt.js')
const { Link } = require('./link.js')

class EncryptedStream extends Duplex {
  /**
   * @param {Duplex} stream
   * @param {object} settings - see wrap.js
   */
  constructor(stream, settings) {
    super({ allowHalfOpen: stream.allowHalfOpen !== false })
    /** What was agreed on; null until then. */
    this.encryption = null
    /** Why it closed. */
    this.error = null
    this._link = new Link(this, stream, settings)
    this._link.start()
  }

  /** The stream to the peer. */
  get stream() {
    return this._link.carrier.stream
  }

  get remoteAddress() {
    return this.stream.remoteAddress
  }

  get remotePort() {
    return this.stream.remotePort
  }

  /** A wire that is piped into it calls this. */
  setNoDelay(noDelay) {
    this.stream.setNoDelay?.(noDelay)
    return this
  }

  _read() {
    this._link.read()
  }

  _write(chunk, encoding, done) {
    this._link.write([chunk], done)
  }

  _writev(entries, done) {
    this._link.write(
      entries.map(({ chunk }) => chunk),
      done
    )
  }

  _final(done) {
    this._link.finish(done)
  }

  _destroy(error, done) {
    this.error = error
    this._link.stop(error)
    // Whoever made the stream has not had a chance to listen, if it was refused at once.
    process.nextTick(() => {
      if (error === null || this.listenerCount('error') > 0) return done(error)
      // Nobody is made to listen because of what a peer does. Monitors are told in either case.
      attempt(() => this.emit(errorMonitor, error))
      done(null)
    })
  }
}

module.exports = { EncryptedStream }
