// The methods of such a wire as a stream of Node: input is read within write(), output comes from the port.
'use strict'

const { Duplex } = require('node:stream')
const { isUint8Array } = require('node:util').types

const { toBytes, viewOf } = require('../arguments.js')

const noop = () => {}

/**
 * Defines these methods on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineStream(prototype) {
  Object.assign(prototype, METHODS)
}

const METHODS = {
  /**
   * Takes a chunk. With nothing queued before it, it skips the bookkeeping of Writable. What comes after the end is
   * from a peer that has not noticed it, and no error.
   */
  write(chunk, encoding, callback) {
    if (this.writableEnded) {
      const done = typeof encoding === 'function' ? encoding : callback
      if (typeof done === 'function') process.nextTick(done)
      return false
    }
    const isPlain = encoding === undefined && callback === undefined && isUint8Array(chunk)
    const isOwn = this._write === METHODS._write
    if (!isOwn) adaptWrite(this)
    if (!isPlain || !isOwn || !isAtRest(this))
      return Duplex.prototype.write.call(this, chunk, encoding, callback)
    this._session.receive(toBuffer(chunk), noop)
    return true
  },

  /** Callers of bittorrent-protocol give no encoding. */
  _write(chunk, encoding, callback) {
    const done = typeof encoding === 'function' ? encoding : callback
    if (this._finished) return done(null)
    const { length } = chunk
    // Node never finishes a stream that is ended during the write of its last corked chunk, if that write
    // calls back synchronously.
    this._session.receive(toBuffer(chunk), () => {
      if (this.writableEnded && this.writableLength === length) process.nextTick(done, null)
      else done(null)
    })
  },

  _read: noop,

  /** Output was read: requests of the peer that were held back may be delivered. */
  read(size) {
    const chunk = Duplex.prototype.read.call(this, size)
    if (this._session.hasUnsent) this._session.release()
    return chunk
  },

  /** Gives output to the reader, unless it is over: a user may have pushed null. */
  _handOn(bytes) {
    if (!this._readableState.ended) Duplex.prototype.push.call(this, bytes)
  }
}

/**
 * A user has overridden `_write(chunk, callback)`, and Node gives an encoding before the callback. Whoever expects that
 * finds the callback there, too.
 */
function adaptWrite(wire) {
  const { _write: write } = wire
  if (write === METHODS._write || write === wire._adaptedWrite) return
  wire._adaptedWrite = (chunk, encoding, callback) => {
    const done = typeof encoding === 'function' ? encoding : callback
    return write.call(wire, chunk, done, done)
  }
  wire._write = wire._adaptedWrite
}

function toBuffer(chunk) {
  return chunk instanceof Buffer ? toBytes('chunk', chunk) : viewOf(chunk)
}

function isAtRest(wire) {
  const { isDispatching, delaysInput } = wire._session
  return !isDispatching && !delaysInput && wire.writableLength === 0 && wire.writableCorked === 0
}

module.exports = { adaptWrite, defineStream }
