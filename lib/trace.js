// What goes over a wire, told to those who look: the transcript, the channels, NODE_DEBUG.
//
// The core traces frames only while someone looks; then events come one by one, and a frame is told when
// its listeners have run, or before what they send.
'use strict'

const { debuglog, types } = require('node:util')
const { takeBack } = require('./ahead.js')
const channels = require('./channels.js')
const { native, PANICKED } = require('./native.js')
const { TRACED_LENGTH, describeFrame, readFrame } = require('./frames.js')

/** Frames that the core keeps until they are read here: more than come between two events. */
const CAPACITY = 256

const log = debuglog('peer-wire')

/** Known from the start, and cheaper to ask than the logger. */
const isLogging = log.enabled

const traced = Buffer.alloc(CAPACITY * TRACED_LENGTH)

/** The number of the next wire in the log. */
let nextNumber = 1

/** The newest frames. */
class Transcript {
  /** @param {number} length - most frames */
  constructor(length) {
    this.length = length
    this.frames = []
    /** Where the oldest one is, once there are so many. */
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

  /** The oldest first. */
  toArray() {
    return [...this.frames.slice(this.start), ...this.frames.slice(0, this.start)]
  }
}

/** Whether someone looks at all wires. */
function isWatched() {
  return isLogging || channels.received.hasSubscribers || channels.sent.hasSubscribers
}

/**
 * Turns the trace of the core on or off, as it is wanted now, and tells what it has.
 *
 * @param {import('./wire.js')} wire
 */
function trace(wire) {
  const isTraced = wire._transcript !== null || isWatched()
  if (isTraced !== wire._isTraced) {
    wire._isTraced = isTraced
    // What listeners have not been told yet comes one by one, and is traced, from now on.
    takeBack(wire)
    native.setTrace(wire._slot, isTraced ? CAPACITY : 0)
  }
  if (isTraced) tellFrames(wire)
}

/**
 * A listener has run, and may have subscribed: what follows is told as subscribers expect.
 *
 * @param {import('./wire.js')} wire
 */
function traceFromHere(wire) {
  if (!wire._isTraced && isWatched()) trace(wire)
}

/**
 * Tells of the frames that the core has traced.
 *
 * @param {import('./wire.js')} wire
 */
function tellFrames(wire) {
  const length = native.readTrace(wire._slot, traced)
  if (length === PANICKED || length === 0) return
  const time = Date.now()
  const frames = []
  for (let at = 0; at < length; at += TRACED_LENGTH) frames.push(readFrame(traced, at, time))
  for (const frame of frames) tell(wire, frame)
}

function tell(wire, frame) {
  if (wire._transcript !== null) wire._transcript.push(frame)
  const channel = channels[frame.direction]
  if (channel.hasSubscribers) channel.publish({ wire, frame })
  if (isLogging) log('wire %d %s', numberOf(wire), describeFrame(frame))
}

/** Users give anything to destroy(), and one error to several wires. */
function mayGetTranscript(error) {
  return isError(error) && Object.isExtensible(error) && !Object.hasOwn(error, 'transcript')
}

/** To look at a proxy may run what its owner wrote. */
function isError(reason) {
  return !types.isProxy(reason) && reason instanceof Error
}

function textOf(reason) {
  if (reason === null) return 'no error'
  return isError(reason) ? reason.message : typeof reason
}

function numberOf(wire) {
  wire._number ??= nextNumber++
  return wire._number
}

/**
 * The wire closes: an error gets the transcript, subscribers are told.
 *
 * @param {import('./wire.js')} wire
 * @param {Error | null} error
 */
function traceClose(wire, error) {
  if (wire._isTraced) tellFrames(wire)
  if (wire._transcript !== null && mayGetTranscript(error)) {
    Object.defineProperty(error, 'transcript', {
      value: wire._transcript.toArray(),
      configurable: true,
      writable: true
    })
  }
  if (channels.close.hasSubscribers) channels.close.publish({ wire, error })
  if (isLogging) log('wire %d closes: %s', numberOf(wire), textOf(error))
}

module.exports = { Transcript, trace, traceClose, traceFromHere }
