// The port of a session to a stream of Node: its readable side, or the one stream that it is piped into.
//
// A socket's buffer counts as full at 16 KiB (64 KiB from Node 22 on), one block. A pipe then
// pauses its source after each block, and each block costs a round of events and system calls. So
// a stream that is piped into one other keeps flowing until MAX_AHEAD bytes wait there, corked
// while a dispatch lasts: all its frames are then one gathering write.
'use strict'

const { hasRoom, isKnown, lengthOf } = require('./sink.js')

/**
 * Bytes that may wait in a piped stream before the source itself holds back. More than what a peer that does
 * not read is answered with, unless `uploadBacklog` is raised: so it is that which bounds them.
 */
const MAX_AHEAD = 4 * 1024 * 1024

/**
 * A stream that is piped into.
 *
 * @typedef {object} Pipe
 * @property {import('node:stream').Writable} sink
 * @property {Function} listener - of 'data', by which Node's pipe reads
 * @property {() => void} ondrain
 * @property {boolean} isHeldBack - whether it waits for room
 * @property {boolean} wasBusy - whether something waited in it when the dispatch began
 */

class Port {
  /** @param {import('node:stream').Duplex} stream */
  constructor(stream) {
    this.stream = stream
    /** @type {Pipe | null} */
    this.pipe = null
    this.isPiped = false
    this.pipeCount = 0
    /** What the last `measure` has found: bytes that wait, and of which someone will hear when they leave. */
    this.waiting = 0
    /** Likewise bytes that wait before those, of which nobody will hear. */
    this.ahead = 0
    /** Whether a pipe has got anything yet. */
    this.hasFlowed = false
    /** What is corked for a dispatch: a listener may end the pipe. */
    this.gathered = null
    /** While bytes are pushed together: the pipe, if nobody else reads. */
    this.soleReader = null
    /** Whether the next push is ours, and not one of the user. */
    this.isOwnPush = false
  }

  /**
   * Gives bytes to the reader. The stream that ours is piped into gets them at once, as the pipe
   * would write them, but without a pause at its mark.
   *
   * @param {Uint8Array} bytes
   */
  push(bytes) {
    const { pipe, stream } = this
    if (
      pipe === null ||
      !stream.readableFlowing ||
      !(pipe === this.soleReader || this.#isReadByPipe)
    ) {
      this.#give(bytes)
    } else if (this.hasFlowed && stream.readableLength === 0 && hasRoom(pipe.sink, MAX_AHEAD)) {
      pipe.sink.write(bytes)
    } else {
      this.#give(bytes)
      // A pipe flows from the next tick on, so that listeners find the time to come.
      this.hasFlowed ||= stream.readableLength === 0
      pipe.isHeldBack = !stream.readableFlowing
    }
  }

  /** Nothing follows. */
  end() {
    this.#give(null)
  }

  /** By the public method, which subclasses may override, but not as a user's own bytes. */
  #give(bytes) {
    this.isOwnPush = true
    try {
      this.stream.push(bytes)
    } finally {
      this.isOwnPush = false
    }
  }

  /** @returns {boolean} whether a push that came in is ours */
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
    // What is corked leaves with the end of the dispatch, if nothing was there before.
    return pipe === this.gathered ? !pipe.wasBusy : lengthOf(pipe.sink) === 0
  }

  /** Looks at what waits beyond the port. */
  measure() {
    const { pipe, stream } = this
    const inStream = stream.readableLength
    const inSink = pipe === null ? 0 : lengthOf(pipe.sink)
    // A stream says that it has room again only when it was over its mark.
    const saysWhenEmpty = inSink > 0 && pipe.sink.writableNeedDrain === true
    this.waiting = saysWhenEmpty ? inStream + inSink : inStream
    this.ahead = saysWhenEmpty ? 0 : inSink
  }

  /**
   * What is pushed in a step leaves together. The step may end the pipe.
   *
   * @param {() => unknown} step
   * @returns {unknown} what it gives
   */
  together(step) {
    const { pipe } = this
    if (pipe === null) return step()
    const { soleReader } = this
    this.soleReader = this.#isReadByPipe ? pipe : null
    pipe.sink.cork()
    try {
      return step()
    } finally {
      this.soleReader = soleReader
      pipe.sink.uncork()
    }
  }

  /** A dispatch begins: what is pushed in it leaves together. */
  gather() {
    const { pipe } = this
    this.gathered = pipe
    if (pipe === null) return
    pipe.wasBusy = lengthOf(pipe.sink) > 0
    pipe.sink.cork()
  }

  get isGathering() {
    return this.gathered !== null
  }

  /** The dispatch has ended. */
  scatter() {
    const pipe = this.gathered
    this.gathered = null
    if (pipe !== null) pipe.sink.uncork()
  }

  /** Whether the bytes go to the piped stream as they are, and nowhere else. */
  get #isReadByPipe() {
    const { pipe, stream } = this
    const readers = stream.listeners('data')
    return readers.length === 1 && readers[0] === pipe.listener && stream.readableEncoding === null
  }

  /**
   * Ours is being piped into a stream, which is read by the newest listener of 'data'.
   *
   * @param {import('node:stream').Writable} sink
   * @param {() => void} ondrain - to be called when it has room
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
   * Ours is no longer piped into a stream, or into none.
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

  /** The sink has room again: gives it as much as it may hold, in one write. */
  pump() {
    this.#fill(MAX_AHEAD)
  }

  /**
   * Nothing follows: the sink gets all that is left, room or not. A socket that may not be half open
   * ends itself with its input, and would take nothing later. What is left is bounded by
   * `uploadBacklog`.
   */
  empty() {
    const { pipe } = this
    if (pipe === null) return
    // The pipe itself may have paused it, too.
    if (pipe.sink.writableNeedDrain) pipe.isHeldBack = true
    this.#fill(Infinity)
  }

  #fill(limit) {
    const { pipe, stream } = this
    if (pipe === null || !pipe.isHeldBack || !this.#isReadByPipe) return
    pipe.sink.cork()
    try {
      while (stream.readableLength > 0 && hasRoom(pipe.sink, limit)) {
        stream.resume()
        stream.read()
      }
    } finally {
      pipe.isHeldBack = stream.readableLength > 0
      pipe.sink.uncork()
    }
  }
}

module.exports = { Port }
