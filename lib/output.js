// The way out: frames of one dispatch leave together, and a piped socket gets them in one write.
//
// A socket's buffer counts as full at 16 KiB (64 KiB from Node 22 on), one block. A pipe then
// pauses its source after each block, and each block costs a round of events and system calls. So
// a wire that is piped into one stream keeps flowing until MAX_AHEAD bytes wait there, corked
// while a dispatch lasts: all its frames are then one gathering write.
'use strict'

const { native, PANICKED } = require('./native.js')

/** Bytes that may wait in a piped stream before the wire itself holds back. */
const MAX_AHEAD = 512 * 1024

/** Bytes of a piece message before its block; the core alone knows what they are. */
const PIECE_HEAD_LENGTH = 13

/**
 * Tells how many bytes the core has to send. They leave now, or with the end of the dispatch.
 *
 * @param {import('./wire.js')} wire
 * @param {number} waiting - bytes
 */
function send(wire, waiting) {
  // The next chunk brings the failure.
  if (waiting === PANICKED) return
  wire._waiting = waiting
  if (!wire._isDispatching) flush(wire)
}

/**
 * Pushes what the core has to send.
 *
 * @param {import('./wire.js')} wire
 */
function flush(wire) {
  if (wire._waiting === 0) return
  const bytes = Buffer.allocUnsafe(wire._waiting)
  wire._waiting = 0
  native.readOutput(wire._slot, bytes)
  push(wire, bytes)
}

/**
 * Sends a block without a copy: first its head, and before that what waits.
 *
 * @param {import('./wire.js')} wire
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {Uint8Array} block
 */
function sendBlock(wire, piece, offset, block) {
  const head = Buffer.allocUnsafe(PIECE_HEAD_LENGTH)
  const waiting = native.pieceHead(wire._slot, piece, offset, block.length, head)
  if (waiting === 0 || waiting === PANICKED) return
  const sink = wire._sink
  if (sink !== null) sink.cork()
  try {
    if (waiting === PIECE_HEAD_LENGTH) {
      wire._waiting = 0
      push(wire, head)
    } else {
      wire._waiting = waiting
      flush(wire)
    }
    push(wire, block)
  } finally {
    if (sink !== null) sink.uncork()
  }
}

/**
 * Lets requests of the peer wait while the output is congested.
 *
 * @param {import('./wire.js')} wire
 */
function holdIfCongested(wire) {
  if (wire._isHolding || !isCongested(wire)) return
  wire._isHolding = true
  native.holdRequests(wire._slot, 1)
}

/**
 * Lets them go on when it has room again.
 *
 * @param {import('./wire.js')} wire
 * @returns {boolean} whether it did
 */
function stopHolding(wire) {
  if (!wire._isHolding || isCongested(wire)) return false
  wire._isHolding = false
  native.holdRequests(wire._slot, 0)
  return true
}

/**
 * Begins a dispatch: what is sent in it is gathered.
 *
 * @param {import('./wire.js')} wire
 * @returns {import('node:stream').Writable | null} what is corked now, for `scatter`
 */
function gather(wire) {
  wire._isDispatching = true
  if (wire._sink !== null) wire._sink.cork()
  return wire._sink
}

/**
 * Ends a dispatch: what was gathered leaves.
 *
 * @param {import('./wire.js')} wire
 * @param {import('node:stream').Writable | null} sink - of `gather`
 */
function scatter(wire, sink) {
  wire._isDispatching = false
  try {
    flush(wire)
  } finally {
    if (sink !== null) sink.uncork()
  }
}

/**
 * Bytes that wait to be read or, behind the pipe, to be taken by the socket.
 *
 * @param {import('./wire.js')} wire
 * @returns {number}
 */
function unsent(wire) {
  const ahead = wire._sink === null ? 0 : wire._sink.writableLength
  return wire._waiting + wire.readableLength + ahead
}

/** Bytes in the sink count while it is over its mark: only then does it tell when it has room. */
function isCongested(wire) {
  const sink = wire._sink
  const ahead = sink !== null && sink.writableNeedDrain ? sink.writableLength : 0
  return wire._waiting + wire.readableLength + ahead > wire._backlog
}

/** Pushes; where the pipe has paused the wire for these bytes, lets it flow up to MAX_AHEAD. */
function push(wire, bytes) {
  const sink = wire._sink
  if (sink === null || !wire.readableFlowing) return wire.push(bytes)
  wire.push(bytes)
  if (!wire.readableFlowing) flowAhead(wire, sink)
}

function flowAhead(wire, sink) {
  if (sink.writableLength < MAX_AHEAD && wire.listenerCount('data') === 1) wire.resume()
  else wire._isHeldBack = true
}

/** The sink has room again: gives it as much as it may hold, in one write. */
function pump(wire, sink) {
  if (!wire._isHeldBack || wire.listenerCount('data') !== 1) return
  wire._isHeldBack = false
  sink.cork()
  while (wire.readableLength > 0 && sink.writableLength < MAX_AHEAD) {
    wire.resume()
    wire.read()
  }
  if (wire.readableLength > 0) wire._isHeldBack = true
  sink.uncork()
}

/**
 * Keeps an eye on the one stream that a wire is piped into.
 *
 * @param {import('./wire.js')} wire
 * @param {import('node:stream').Writable} destination
 * @param {() => void} onDrain - called when it has room again
 */
function attach(wire, destination, onDrain) {
  wire._pipeCount++
  detachSink(wire)
  if (wire._pipeCount > 1 || destination === wire || typeof destination.cork !== 'function') return
  wire._sink = destination
  wire._onDrain = () => {
    pump(wire, destination)
    onDrain()
  }
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
  wire._isHeldBack = false
}

module.exports = {
  attach,
  detach,
  flush,
  gather,
  holdIfCongested,
  scatter,
  send,
  sendBlock,
  stopHolding,
  unsent
}
