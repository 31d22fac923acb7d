// The methods of a wire as a stream of Node: chunks in, what the session pushes out.
'use strict'

const { Buffer } = require('node:buffer')
const { Duplex } = require('node:stream')
const { isUint8Array } = require('node:util').types

const { toBytes } = require('../arguments.js')
const { copyOf } = require('../own-memory.js')
const { sessionOf } = require('../session-of.js')
const { iterate } = require('./iterate.js')
const { Leftovers } = require('./leftovers.js')

const noop = () => {}

/**
 * Gives them to the prototype of wires.
 *
 * @param {object} prototype
 */
function defineStream(prototype) {
  Object.assign(prototype, METHODS)
}

const METHODS = {
  // Input

  /**
   * Takes a chunk. A Buffer that finds nothing before it, as pipe() brings them, needs none of the
   * bookkeeping of Writable, which costs more than many a message: it is used up when this returns.
   */
  write(chunk, encoding, callback) {
    const session = sessionOf(this)
    const bytes = toInput(chunk)
    const isPlain = chunk instanceof Buffer && encoding === undefined && callback === undefined
    if (!isPlain || !isAtRest(session))
      return Duplex.prototype.write.call(this, toKeep(session, bytes), encoding, callback)
    session.receive(bytes, noop)
    return true
  },

  _write(chunk, encoding, callback) {
    const session = sessionOf(this)
    const { wire } = session
    // A listener may take its memory away.
    const { length } = chunk
    // Node forgets to finish a stream that ends within the write of the last chunk that was corked, if
    // this write is done at once.
    const done = () => {
      if (wire.writableEnded && wire.writableLength === length) process.nextTick(callback)
      else callback()
    }
    if (session.isClosed) done()
    else session.receive(chunk, done)
  },

  /** Ends the input: for the peer, unless it is a listener that ends it, or a pipe goes on. */
  end(chunk, encoding, callback) {
    const session = sessionOf(this)
    const { wire } = session
    if (!wire.writableEnded) {
      const source = wire._source
      const goesOn = source !== null && source.readableEnded === false && !source.destroyed
      wire._isEndOurs = session.isDispatching || goesOn
    }
    return Duplex.prototype.end.call(this, toKeep(session, toInput(chunk)), encoding, callback)
  },

  // Output

  _read: noop,

  // Who writes into the readable side comes after what was sent before.

  push(chunk, encoding) {
    const session = sessionOf(this)
    if (session.port.takeOwnPush()) return Duplex.prototype.push.call(this, chunk, encoding)
    return session.insert(() => Duplex.prototype.push.call(this, chunk, encoding))
  },

  unshift(chunk, encoding) {
    return sessionOf(this).insert(() => Duplex.prototype.unshift.call(this, chunk, encoding))
  },

  // Who reads, or stops reading, within a dispatch gets the frames that wait for its end.

  read(size) {
    const session = sessionOf(this)
    session.flush()
    try {
      return Duplex.prototype.read.call(this, size)
    } finally {
      session.release()
    }
  },

  pause() {
    sessionOf(this).flush()
    return Duplex.prototype.pause.call(this)
  },

  resume() {
    sessionOf(this).flush()
    return Duplex.prototype.resume.call(this)
  },

  pipe(destination, options) {
    const session = sessionOf(this)
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
   * Where Node looks for an iterator: `for await`, `stream.pipeline()` into a function,
   * `stream/consumers`, `Readable.from()` and the operators (`map`, `toArray`) all use one of these.
   */
  iterator(options) {
    return iterate(sessionOf(this).wire, options)
  },

  [Symbol.asyncIterator]() {
    return this.iterator()
  },

  // Node 26 has a way of its own for stream/iter, which stops early as well.
  [Symbol.for('Stream.toAsyncStreamable')]: undefined
}

/** Writable looks at what is no Buffer, but believes whatever has the prototype of one. */
function toInput(chunk) {
  return chunk instanceof Buffer || isUint8Array(chunk) ? toBytes('chunk', chunk) : chunk
}

/**
 * A chunk that Node keeps until the wire is at it. Were its memory transferred or resized meanwhile, Node
 * would count it as waiting for ever, and the wire would never finish: so it is copied.
 */
function toKeep({ wire }, chunk) {
  const isKept = wire.writableLength > 0 || wire.writableCorked > 0
  return isKept && isUint8Array(chunk) ? copyOf(chunk) : chunk
}

/** Whether a chunk need not wait, neither for another one nor for a listener. */
function isAtRest({ wire, isDispatching }) {
  return (
    !isDispatching && wire.writableLength === 0 && !wire.writableEnded && wire.writableCorked === 0
  )
}

/**
 * Notes what is piped into a wire.
 *
 * @param {import('../wire.js')} wire
 */
function watchInput(wire) {
  wire.on('pipe', onpipe)
}

function onpipe(source) {
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

module.exports = { defineStream, watchInput }
