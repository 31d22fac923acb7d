// A wire that is piped into a socket: how far it runs ahead of it, and who hears that it has room.
//
// A socket's buffer counts as full at 16 KiB (64 KiB from Node 22 on), one block. A pipe then
// pauses its source after each block, and each block costs a round of events and system calls. So
// a wire that is piped into one stream keeps flowing until MAX_AHEAD bytes wait there, corked
// while a dispatch lasts (lib/output.js): all its frames are then one gathering write.
'use strict'

const { inContext } = require('./context.js')
const { hasRoom, isKnown } = require('./sink.js')

/** Bytes that may wait in a piped stream before the wire itself holds back. */
const MAX_AHEAD = 512 * 1024

/**
 * Gives bytes to the reader. The stream that the wire is piped into gets them at once, as the pipe
 * would write them, but without a pause at its mark.
 *
 * @param {import('./wire.js')} wire
 * @param {Uint8Array} bytes
 */
function push(wire, bytes) {
  const sink = wire._sink
  if (sink === null || !wire.readableFlowing || !isReadByPipe(wire)) {
    give(wire, bytes)
  } else if (wire._hasFlowed && wire.readableLength === 0 && hasRoom(sink, MAX_AHEAD)) {
    sink.write(bytes)
  } else {
    give(wire, bytes)
    // A pipe flows from the next tick on, so that listeners find the time to come.
    wire._hasFlowed ||= wire.readableLength === 0
    wire._isHeldBack = !wire.readableFlowing
  }
}

/** By the public method, which subclasses may override, but not as a user's own bytes. */
function give(wire, bytes) {
  wire._isOwnPush = true
  try {
    wire.push(bytes)
  } finally {
    wire._isOwnPush = false
  }
}

/** Whether the bytes go to the piped stream as they are, and nowhere else. */
function isReadByPipe(wire) {
  if (wire.listenerCount('data') !== 1 || wire.readableEncoding !== null) return false
  return wire.listeners('data')[0] === wire._pipeListener
}

/** The sink has room again: gives it as much as it may hold, in one write. */
function pump(wire, sink, limit) {
  if (!wire._isHeldBack || !isReadByPipe(wire)) return
  sink.cork()
  try {
    while (wire.readableLength > 0 && hasRoom(sink, limit)) {
      wire.resume()
      wire.read()
    }
  } finally {
    wire._isHeldBack = wire.readableLength > 0
    sink.uncork()
  }
}

/**
 * The wire has ended: the sink gets all that is left, room or not. A socket that may not be half open
 * ends itself with its input, and would take nothing later. What is left is bounded by `uploadBacklog`.
 *
 * @param {import('./wire.js')} wire
 */
function empty(wire) {
  const sink = wire._sink
  if (sink === null) return
  // The pipe itself may have paused it, too.
  if (sink.writableNeedDrain) wire._isHeldBack = true
  pump(wire, sink, Infinity)
}

function ondrain(wire, sink) {
  try {
    pump(wire, sink, MAX_AHEAD)
  } finally {
    wire._release()
  }
}

/**
 * Keeps an eye on the one stream that a wire is piped into.
 *
 * @param {import('./wire.js')} wire
 * @param {import('node:stream').Writable} destination
 */
function attach(wire, destination) {
  wire._pipeCount++
  wire._isCutOff = false
  detachSink(wire)
  if (wire._pipeCount > 1 || destination === wire || !isKnown(destination)) return
  wire._sink = destination
  wire._onDrain = () => inContext(wire, ondrain, destination)
  destination.on('drain', wire._onDrain)
  // The last segment of a gathering write is short: with Nagle's algorithm it would wait for
  // the peer's delayed acknowledgement.
  if (typeof destination.setNoDelay === 'function') destination.setNoDelay(true)
}

/**
 * A wire is no longer piped into a stream, or into none.
 *
 * @param {import('./wire.js')} wire
 * @param {import('node:stream').Writable} [destination]
 */
function detach(wire, destination) {
  wire._pipeCount = destination === undefined ? 0 : Math.max(0, wire._pipeCount - 1)
  if (destination === undefined || destination === wire._sink) detachSink(wire)
}

function detachSink(wire) {
  if (wire._sink === null) return
  wire._sink.removeListener('drain', wire._onDrain)
  wire._sink = null
  wire._onDrain = null
  wire._pipeListener = null
  wire._isHeldBack = false
}

module.exports = { attach, detach, empty, push }
