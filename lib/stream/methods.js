// The methods of a wire as a stream of Node: they pass chunks to the session, and read its output.
'use strict'

const { Buffer } = require('node:buffer')
const { Duplex } = require('node:stream')
const { isUint8Array } = require('node:util').types

const { toBytes } = require('../arguments.js')
const { copyOf } = require('../own-memory.js')
const { sessionOf } = require('../session-of.js')
const { iterate } = require('./iterate.js')
const { notAStream } = require('../errors.js')
const { Leftovers } = require('./leftovers.js')

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
  // Input

  /**
   * Takes a chunk. A Buffer with nothing queued before it, as pipe() writes them, skips the bookkeeping of
   * Writable, which costs more than many a message: it has been read entirely when this returns.
   */
  write(chunk, encoding, callback) {
    const session = sessionOf(this)
    if (session.port.isNative) throw notAStream('write')
    const bytes = toInput(chunk)
    const isPlain = chunk instanceof Buffer && encoding === undefined && callback === undefined
    if (!isPlain || !isAtRest(session))
      return Duplex.prototype.write.call(this, toQueue(session, bytes), encoding, callback)
    session.receive(bytes, noop)
    return true
  },

  _write(chunk, encoding, callback) {
    const session = sessionOf(this)
    const { wire } = session
    // Read first, as a listener may transfer the chunk.
    const { length } = chunk
    // Node never finishes a stream that is ended during the write of its last corked chunk, if that write
    // calls back synchronously.
    const done = () => {
      if (wire.writableEnded && wire.writableLength === length) process.nextTick(callback)
      else callback()
    }
    if (session.isClosed) done()
    else session.receive(chunk, done)
  },

  /**
   * Ends the input. That counts as the peer's end, unless a listener calls this or a stream is still piped
   * into the wire.
   */
  end(chunk, encoding, callback) {
    const session = sessionOf(this)
    const { wire } = session
    const hasChunk = chunk !== undefined && chunk !== null && typeof chunk !== 'function'
    if (hasChunk && session.port.isNative) throw notAStream('end')
    if (!wire.writableEnded) {
      const source = wire._source
      const isSourceOpen = source !== null && source.readableEnded === false && !source.destroyed
      wire._isEndOurs = session.isDispatching || isSourceOpen
    }
    return Duplex.prototype.end.call(this, toQueue(session, toInput(chunk)), encoding, callback)
  },

  /** Input that is corked waits for `uncork()`. */
  cork() {
    if (sessionOf(this).port.isNative) throw notAStream('cork')
    return Duplex.prototype.cork.call(this)
  },

  // Output

  _read: noop,

  // What a user puts into the readable side follows the frames that were sent before.

  push(chunk, encoding) {
    const session = sessionOf(this)
    if (session.port.isNative) return session.insert(() => session.port.insert(chunk, encoding))
    if (session.port.takeOwnPush()) return Duplex.prototype.push.call(this, chunk, encoding)
    return session.insert(() =>
      Duplex.prototype.push.call(this, session.port.toSend(chunk, encoding), encoding)
    )
  },

  unshift(chunk, encoding) {
    if (sessionOf(this).port.isNative) throw notAStream('unshift')
    return sessionOf(this).insert(() => Duplex.prototype.unshift.call(this, chunk, encoding))
  },

  // A listener that reads, or stops reading, during a dispatch gets the frames that wait for its end.

  read(size) {
    const session = sessionOf(this)
    session.flush()
    try {
      return Duplex.prototype.read.call(this, size)
    } finally {
      session.release()
    }
  },

  // The stream of a native wire has nothing to read but its end, which must not be held back.

  pause() {
    const session = sessionOf(this)
    if (session.port.isNative) return this
    session.flush()
    return Duplex.prototype.pause.call(this)
  },

  resume() {
    sessionOf(this).flush()
    return Duplex.prototype.resume.call(this)
  },

  pipe(destination, options) {
    const session = sessionOf(this)
    if (session.port.isNative) throw notAStream('pipe')
    const { port, wire } = session
    session.flush()
    Duplex.prototype.pipe.call(this, destination, options)
    wire._leftovers ??= new Leftovers(wire)
    wire._leftovers.onPiped()
    port.attach(destination, () => session.inContext(ondrain))
    session.release()
    return destination
  },

  unpipe(destination) {
    const session = sessionOf(this)
    const { port, wire } = session
    session.flush()
    port.detach(destination)
    session.release()
    const readers = wire.listenerCount('data')
    Duplex.prototype.unpipe.call(this, destination)
    if (destination !== undefined && wire.listenerCount('data') < readers) {
      const destroy = () => session.inContext(() => wire.destroy())
      wire._leftovers?.onUnpiped(destination, wire._source, session.isFinished, destroy)
    }
    return this
  },

  /**
   * Node calls this or `Symbol.asyncIterator`: for `for await`, `stream.pipeline()` into a function,
   * `stream/consumers`, `Readable.from()` and the operators (`map`, `toArray`).
   */
  iterator(options) {
    const { port, wire } = sessionOf(this)
    if (port.isNative) throw notAStream('iterator')
    return iterate(wire, options)
  },

  [Symbol.asyncIterator]() {
    return this.iterator()
  },

  // Node 26 has a path of its own for stream/iter, which stops early as well; without this it iterates.
  [Symbol.for('Stream.toAsyncStreamable')]: undefined
}

/**
 * Takes a chunk of a native socket, as `write()` takes one of a stream.
 *
 * @param {import('../session/session.js').Session} session
 * @param {Buffer} chunk
 * @param {() => void} [done] - called when it has been read entirely
 * @returns {boolean} whether there is room for more
 */
function takeInput(session, chunk, done) {
  if (done !== undefined || !isAtRest(session))
    return Duplex.prototype.write.call(session.wire, toQueue(session, chunk), undefined, done)
  session.receive(chunk, noop)
  return true
}

/** Writable checks other values itself, but trusts whatever has the prototype of a Buffer. */
function toInput(chunk) {
  return chunk instanceof Buffer || isUint8Array(chunk) ? toBytes('chunk', chunk) : chunk
}

/**
 * Copies a chunk that Node queues. If its memory were transferred or resized meanwhile, Node would go on
 * counting its bytes as queued and the wire would never finish.
 */
function toQueue({ wire }, chunk) {
  const isQueued = wire.writableLength > 0 || wire.writableCorked > 0
  return isQueued && isUint8Array(chunk) ? copyOf(chunk) : chunk
}

/** Whether a chunk can be read at once: no other chunk is queued, and no listener is running. */
function isAtRest({ wire, isDispatching, delaysInput }) {
  return (
    !isDispatching &&
    !delaysInput &&
    wire.writableLength === 0 &&
    !wire.writableEnded &&
    wire.writableCorked === 0
  )
}

/**
 * Keeps track of the stream that is piped into a wire.
 *
 * @param {import('../wire.js')} wire
 */
function watchInput(wire) {
  wire.on('pipe', onpipe)
}

function onpipe(source) {
  if (sessionOf(this).port.isNative) {
    source.unpipe(this)
    throw notAStream('pipe')
  }
  sessionOf(this).wire._source = source
  this.once('unpipe', onunpipe)
}

function onunpipe(source) {
  const { wire } = sessionOf(this)
  if (wire._source === source) wire._source = null
}

/** Called on a session. */
function ondrain() {
  try {
    this.port.pump()
  } finally {
    this.release()
  }
}

module.exports = { defineStream, takeInput, watchInput }
