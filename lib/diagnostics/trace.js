// Shows the frames of a wire to subscribers: in the transcript, on the channels and for NODE_DEBUG.
//
// The core traces frames only while someone subscribes. A frame is shown after its listeners have run, but
// before the frames that they send.
'use strict'

const { debuglog, types } = require('node:util')
const channels = require('./channels.js')
const { describeFrame } = require('./describe.js')
const { TRACED_LENGTH, readFrame } = require('./frames.js')
const { native, PANICKED } = require('../native.js')

/** Frames that there can be between two events at most, besides the rejects of a choke. */
const FEW = 256

const log = debuglog('peer-wire')

/** Does not change later, and is cheaper to read than the logger's own property. */
const isLogging = log.enabled

const traced = Buffer.alloc(FEW * TRACED_LENGTH)

/** The number of the next wire in the log. */
let nextNumber = 1

/** Whether someone watches the frames of all wires. */
function isWatched() {
  return isLogging || channels.received.hasSubscribers || channels.sent.hasSubscribers
}

/** The newest frames, in a ring. */
class Transcript {
  /** @param {number} length - most frames */
  constructor(length) {
    this.length = length
    this.frames = []
    /** Index of the oldest frame, once the ring is full. */
    this.start = 0
  }

  push(frame) {
    if (this.frames.length < this.length) {
      this.frames.push(frame)
    } else {
      this.frames[this.start] = frame
      this.start = (this.start + 1) % this.length
    }
  }

  /** The frames, oldest first. */
  toArray() {
    return [...this.frames.slice(this.start), ...this.frames.slice(0, this.start)]
  }
}

/** Shows the frames of one wire. */
class Tracer {
  /**
   * @param {object} wire - what subscribers get
   * @param {import('../session/core.js').Core} core
   * @param {{transcript: number, maxPeerRequests: number}} settings - `transcript`: its frames, 0 for none
   */
  constructor(wire, core, { transcript, maxPeerRequests }) {
    this.wire = wire
    this.core = core
    this.transcript = transcript > 0 ? new Transcript(transcript) : null
    /** Frames that the core keeps until they are read here. With BEP 6 a choke rejects each request. */
    this.capacity = FEW + maxPeerRequests
    this.isTracing = false
    this.number = nextNumber++
  }

  /** Turns the trace of the core on or off, as is wanted now, and shows the frames it has. */
  follow() {
    const isWanted = this.transcript !== null || isWatched()
    if (isWanted !== this.isTracing) {
      this.isTracing = isWanted
      native.setTrace(this.core.slot, isWanted ? this.capacity : 0)
    }
    if (isWanted) this.#showFrames()
  }

  /**
   * The wire closes: an error gets the transcript.
   *
   * @param {Error | null} error
   */
  close(error) {
    if (this.isTracing) this.#showFrames()
    if (this.transcript !== null && mayGetTranscript(error)) {
      Object.defineProperty(error, 'transcript', {
        value: this.transcript.toArray(),
        configurable: true,
        writable: true
      })
    }
    if (isLogging) log('wire %d closes: %s', this.number, textOf(error))
  }

  #showFrames() {
    const frames = []
    let length = this.#readInto(frames)
    while (length === traced.length) length = this.#readInto(frames)
    // Only now, because a subscriber may act on the wire, or on another one.
    for (const frame of frames) this.#show(frame)
  }

  /** Reads as many frames as there is room for; returns how many bytes they took. */
  #readInto(frames) {
    const length = native.readTrace(this.core.slot, traced)
    if (length === PANICKED || length === 0) return 0
    const time = Date.now()
    for (let at = 0; at < length; at += TRACED_LENGTH) frames.push(readFrame(traced, at, time))
    return length
  }

  #show(frame) {
    if (this.transcript !== null) this.transcript.push(frame)
    const channel = channels[frame.direction]
    if (channel.hasSubscribers) channel.publish({ wire: this.wire, frame })
    if (isLogging) log('wire %d %s', this.number, describeFrame(frame))
  }
}

/** Users pass anything to destroy(), and may pass one error to several wires. */
function mayGetTranscript(error) {
  return isError(error) && Object.isExtensible(error) && !Object.hasOwn(error, 'transcript')
}

/** Checks for a proxy first: `instanceof` on one may run code of its owner. */
function isError(reason) {
  return !types.isProxy(reason) && reason instanceof Error
}

function textOf(reason) {
  if (reason === null) return 'no error'
  return isError(reason) ? reason.message : typeof reason
}

module.exports = { Tracer, isWatched }
