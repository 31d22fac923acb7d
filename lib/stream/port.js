// Connects a session to a stream of Node: its readable side, or the one stream that it is piped into.
//
// The high-water mark of a socket is 16 KiB (64 KiB from Node 22 on), which is one block. A pipe then
// pauses its source after each block, and each block costs a round of events and system calls. So a stream
// that is piped into one other keeps flowing until MAX_AHEAD bytes are queued there, corked during a
// dispatch: all frames of a dispatch then leave in one gathering write (writev).
'use strict'

const { Output } = require('../session/output.js')
const { hasRoom, isKnown, lengthOf, willDrain } = require('./sink.js')

/**
 * Bytes that may be queued in a piped stream before we hold output back. Well above the default of
 * `uploadBacklog`, so that it is that limit which bounds what a peer that does not read can make us queue.
 */
const MAX_AHEAD = 4 * 1024 * 1024

/** An option that users cannot give: makes the port of a wire that is not read as a stream. */
const PORT = Symbol('port')

/**
 * The stream that ours is piped into.
 *
 * @typedef {object} Pipe
 * @property {import('node:stream').Writable} sink
 * @property {Function} listener - of 'data', by which Node's pipe reads
 * @property {() => void} ondrain
 * @property {boolean} isHeldBack - whether output waits for room in it
 * @property {boolean} wasBusy - whether bytes were queued in it when the dispatch began
 */

class Port {
  /** Whether a native socket takes the output. */
  get isNative() {
    return false
  }

  /** @param {import('node:stream').Duplex} stream */
  constructor(stream) {
    this.stream = stream
    /** @type {Pipe | null} */
    this.pipe = null
    this.isPiped = false
    this.pipeCount = 0
    /** As of the last `measure`: queued bytes whose departure will be noticed, by a read or by 'drain'. */
    this.waiting = 0
    /** As of the last `measure`: bytes queued before those, without an event when they leave. */
    this.ahead = 0
    /** Whether a pipe has received anything yet. */
    this.hasFlowed = false
    /** The pipe that is corked for a dispatch: a listener may unpipe it before the end. */
    this.corked = null
    /** During `together`: the pipe, if nobody else reads. */
    this.soleReader = null
    /** Whether the next push is ours, and not the user's. */
    this.isOwnPush = false
    /** The socket of the wire, where that is known: what has `remoteAddress`, `ref()` and so on. */
    this.socket = null
  }

  /** Of a peer whose exchange counts for a server already; null where it does not. */
  get ticket() {
    return null
  }

  /** Runs a step when all that was received has been delivered. A stream delivers at once. */
  catchUp(step) {
    step()
  }

  /** Whether the input has ended inside a message that did not get to the wire. */
  get isTruncated() {
    return false
  }

  /** Our handshake was sent. */
  handshakeSent() {}

  /** A request was sent for this block. */
  requested() {}

  /** The peer no longer has this piece. */
  lost() {}

  /** @returns {boolean} whether a request of the peer is answered without the user */
  takesRequest() {
    return false
  }

  /** @returns {boolean} whether a cancel is of such a request */
  takesCancel() {
    return false
  }

  /** We have choked the peer, or no longer do. */
  choked() {}

  /** A piece is served even while we choke. */
  allowedFast() {}

  /** The number of pieces is known. */
  piecesKnown() {}

  /** The peer keeps so many requests. */
  keeps() {}

  /** Whether blocks that nobody reads yet are not copied: for a pipe that is held back that would cost too much. */
  get keepsBlocks() {
    return this.isPiped
  }

  /** @param {import('../session/core.js').Core} core - of the session that pushes */
  makeOutput(core) {
    return new Output(core, this)
  }

  /**
   * Pushes bytes to the reader. The stream that ours is piped into gets them at once, as the pipe would
   * write them, but without a pause at its high-water mark.
   *
   * @param {Uint8Array} bytes
   */
  push(bytes) {
    const { pipe, stream } = this
    if (pipe === null || !stream.readableFlowing || !this.#isSoleReader(pipe)) {
      this.#give(bytes)
    } else if (this.hasFlowed && stream.readableLength === 0 && hasRoom(pipe.sink, MAX_AHEAD)) {
      pipe.sink.write(bytes)
    } else {
      this.#give(bytes)
      // Node starts the flow of a pipe in the next tick, so that the user can add listeners before.
      this.hasFlowed ||= stream.readableLength === 0
      pipe.isHeldBack = !stream.readableFlowing
    }
  }

  /** The wire has failed. */
  failed() {}

  /** @returns {unknown} what a user's own push sends */
  toSend(chunk) {
    return chunk
  }

  /** Ends the readable side: nothing follows. */
  end() {
    this.#give(null)
  }

  /** Pushes by the public method, which subclasses may override, marked as ours. */
  #give(bytes) {
    this.isOwnPush = true
    try {
      this.stream.push(bytes)
    } finally {
      this.isOwnPush = false
    }
  }

  /** @returns {boolean} whether the push that is being made is ours */
  takeOwnPush() {
    const { isOwnPush } = this
    this.isOwnPush = false
    return isOwnPush
  }

  get wantsMore() {
    return this.stream.readableLength < this.stream.readableHighWaterMark
  }

  /** @returns {boolean} whether someone takes what is pushed at once */
  takesNow() {
    const { pipe, stream } = this
    if (!stream.readableFlowing || stream.readableLength > 0) return false
    if (pipe === null) return true
    if (!this.hasFlowed) return false
    // A corked sink writes everything at the end of the dispatch, if nothing was queued in it before.
    return pipe === this.corked ? !pipe.wasBusy : lengthOf(pipe.sink) === 0
  }

  /** Measures what is queued beyond the port. */
  measure() {
    const { pipe, stream } = this
    const inStream = stream.readableLength
    const inSink = pipe === null ? 0 : lengthOf(pipe.sink)
    // A stream emits 'drain' only after it has been at its high-water mark.
    const isOverMark = inSink > 0 && willDrain(pipe.sink)
    this.waiting = isOverMark ? inStream + inSink : inStream
    this.ahead = isOverMark ? 0 : inSink
  }

  /**
   * Writes all that is pushed in a step at once. The step may unpipe the sink.
   *
   * @param {() => unknown} step
   * @returns {unknown} the result of the step
   */
  together(step) {
    const { pipe } = this
    if (pipe === null) return step()
    pipe.sink.cork()
    const { soleReader } = this
    this.soleReader = this.#isReadByPipe ? pipe : null
    try {
      return step()
    } finally {
      this.soleReader = soleReader
      pipe.sink.uncork()
    }
  }

  /** A dispatch begins: the sink writes all that is pushed in it at once, at its end. */
  cork() {
    const { pipe } = this
    this.corked = null
    if (pipe === null) return
    pipe.wasBusy = lengthOf(pipe.sink) > 0
    pipe.sink.cork()
    this.corked = pipe
  }

  get isCorked() {
    return this.corked !== null
  }

  /** The dispatch has ended. */
  uncork() {
    const pipe = this.corked
    this.corked = null
    if (pipe !== null) pipe.sink.uncork()
  }

  /** As #isReadByPipe, but what is pushed together looks at the readers themselves only once. */
  #isSoleReader(pipe) {
    if (pipe !== this.soleReader) return this.#isReadByPipe
    // The write of one part may call code of the user.
    const { stream } = this
    return stream.listenerCount('data') === 1 && stream.readableEncoding === null
  }

  /** Whether bytes go to the piped stream unchanged, and nowhere else. */
  get #isReadByPipe() {
    const { pipe, stream } = this
    const readers = stream.listeners('data')
    return readers.length === 1 && readers[0] === pipe.listener && stream.readableEncoding === null
  }

  /**
   * Our stream was piped into another one. Node's pipe reads it with the newest listener of 'data'.
   *
   * @param {import('node:stream').Writable} sink
   * @param {() => void} ondrain - called when it has room again
   */
  attach(sink, ondrain) {
    this.pipeCount++
    this.#detachPipe()
    if (this.pipeCount > 1 || sink === this.stream || !isKnown(sink)) return
    const listener = this.stream.listeners('data').at(-1)
    const state = { isHeldBack: false, wasBusy: false }
    this.pipe = { sink, listener, ondrain, ...state }
    this.isPiped = true
    sink.on('drain', ondrain)
    // The last segment of a gathering write is short: with Nagle's algorithm it would wait for
    // the peer's delayed acknowledgement.
    if (typeof sink.setNoDelay === 'function') sink.setNoDelay(true)
  }

  /**
   * Our stream is no longer piped into this one, or into any.
   *
   * @param {import('node:stream').Writable} [sink]
   */
  detach(sink) {
    this.pipeCount = sink === undefined ? 0 : Math.max(0, this.pipeCount - 1)
    if (this.pipe !== null && (sink === undefined || sink === this.pipe.sink)) this.#detachPipe()
  }

  #detachPipe() {
    if (this.pipe === null) return
    this.pipe.sink.removeListener('drain', this.pipe.ondrain)
    this.pipe = null
    this.isPiped = false
  }

  /** The sink has drained: writes as much as it may hold, at once. */
  pump() {
    this.#fill(MAX_AHEAD)
  }

  /**
   * Nothing follows: writes all that is left to the sink, even above its limit. A socket without
   * `allowHalfOpen` ends itself when its input ends, and takes nothing after that. What is left is bounded
   * by `uploadBacklog`.
   */
  empty() {
    const { pipe } = this
    if (pipe === null) return
    // Node's pipe may have paused our stream, too.
    if (willDrain(pipe.sink)) pipe.isHeldBack = true
    this.#fill(Infinity)
  }

  #fill(limit) {
    const { pipe, stream } = this
    if (pipe === null || !pipe.isHeldBack || !this.#isReadByPipe) return
    pipe.sink.cork()
    try {
      // The sink may unpipe itself in a write: nobody would get what is read then.
      while (
        stream.readableLength > 0 &&
        this.pipe === pipe &&
        this.#isReadByPipe &&
        hasRoom(pipe.sink, limit)
      ) {
        stream.resume()
        stream.read()
      }
    } finally {
      pipe.isHeldBack = stream.readableLength > 0
      pipe.sink.uncork()
    }
  }
}

module.exports = { PORT, Port }
