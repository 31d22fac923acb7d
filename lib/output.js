// The way out: what is sent in one dispatch leaves together at its end, blocks without a copy.
'use strict'

const { native, cuts, PANICKED } = require('./native.js')
const { copyOf } = require('./own-memory.js')
const { push } = require('./pipe.js')
const { Slab } = require('./slab.js')
const { trace } = require('./trace.js')

/** Frames are cut out of slabs of this size in bytes; where more waits, it gets its own memory. */
const SLAB_LENGTH = 16 * 1024

/** Blocks up to this many bytes are copied next to other frames; above, a copy costs more. */
const MAX_COPIED_BLOCK = 2 * 1024

/** Places for blocks in one output: those that come while it is read are copied. */
const MAX_CUTS = cuts.length - 1

/** Most blocks, and bytes of blocks, that wait for the end of a dispatch. */
const MAX_BLOCKS = 32
const MAX_BLOCK_BYTES = 256 * 1024

const slab = new Slab(SLAB_LENGTH)

/**
 * The core has something to send: it leaves now, or with the end of the dispatch. A piped stream
 * gathers by itself, being corked; so what was sent is before its end if a listener ends it.
 *
 * @param {import('./wire.js')} wire
 */
function send(wire) {
  wire._hasOutput = true
  trace(wire)
  if (!wire._isDispatching || wire._sink !== null) flush(wire)
}

/**
 * Sends a block.
 *
 * @param {import('./wire.js')} wire
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {Uint8Array} block
 */
function sendBlock(wire, piece, offset, block) {
  if (block.length <= MAX_COPIED_BLOCK || wire._blocks.length === MAX_CUTS) {
    native.piece(wire._slot, piece, offset, block)
  } else {
    native.pieceHead(wire._slot, piece, offset, block.length)
    wire._blocks.push(block)
  }
  wire._blockBytes += block.length
  send(wire)
  if (wire._blocks.length >= MAX_BLOCKS || wire._blockBytes >= MAX_BLOCK_BYTES) flush(wire)
}

/**
 * Pushes what the core has to send, with the blocks in their places. Whoever reads may send more:
 * that follows, and is not put between a head and its block.
 *
 * @param {import('./wire.js')} wire
 */
function flush(wire) {
  if (!wire._hasOutput || wire._isFlushing) return
  wire._isFlushing = true
  let failure = null
  try {
    while (wire._hasOutput) {
      wire._hasOutput = false
      wire._blockBytes = 0
      failure = pushOutput(wire) ?? failure
    }
  } finally {
    wire._isFlushing = false
  }
  wire._release()
  if (failure !== null) throw failure.error
}

/** Of a wire that has ended meanwhile the core has fewer places than there are blocks. */
function pushOutput(wire) {
  const blocks = wire._blocks
  if (blocks.length === 0) return pushSafely(wire, readOutput(wire))
  wire._blocks = []
  const bytes = readOutput(wire)
  // Whoever reads may send, also on other wires.
  const ends = cuts.slice(1, 1 + cuts[0])
  const sink = wire._sink
  if (sink !== null) sink.cork()
  let failure = null
  let start = 0
  for (let i = 0; i < ends.length; i++) {
    failure = pushSafely(wire, bytes.subarray(start, ends[i])) ?? failure
    failure = pushSafely(wire, blocks[i]) ?? failure
    start = ends[i]
  }
  failure = pushSafely(wire, bytes.subarray(start)) ?? failure
  if (sink !== null) sink.uncork()
  return failure
}

/** A reader that throws does not keep the rest back; gives what it threw. */
function pushSafely(wire, bytes) {
  if (bytes.length === 0) return null
  try {
    push(wire, bytes)
    return null
  } catch (error) {
    return { error }
  }
}

/** The bytes that wait in the core. */
function readOutput(wire) {
  let length = tryRead(wire, slab.start, slab.buffer)
  if (length > slab.buffer.length - slab.start) {
    if (length > SLAB_LENGTH) {
      const bytes = Buffer.allocUnsafeSlow(length)
      return bytes.subarray(0, tryRead(wire, 0, bytes))
    }
    slab.renew()
    length = tryRead(wire, 0, slab.buffer)
  }
  return isTakenNow(wire) ? slab.cut(length) : copyOf(slab.buffer, slab.start, slab.start + length)
}

/**
 * Whether someone takes the output at once. What waits would keep the slab, in which frames of other
 * wires lie: one peer that does not read would hold the memory of what all others have read.
 */
function isTakenNow(wire) {
  const sink = wire._sink
  if (!wire.readableFlowing || wire.readableLength > 0) return false
  if (sink === null) return true
  // What is corked leaves with the end of the dispatch, if nothing was there before.
  const isBusy = sink.writableCorked === 0 ? sink.writableLength > 0 : wire._isSinkBusy
  return wire._hasFlowed && !isBusy
}

/** Gives the length of the output. A wire that a panic has broken has none, and tells of that. */
function tryRead(wire, start, buffer) {
  const length = native.readOutput(wire._slot, start, buffer)
  if (length !== PANICKED) return length
  cuts[0] = 0
  wire._pollSoon()
  return 0
}

/**
 * Tells the core how much of the output waits outside of it: with that it decides whether requests of
 * the peer have to wait.
 *
 * @param {import('./wire.js')} wire
 */
function tellUnsent(wire) {
  const sink = wire._sink
  // A stream tells that it has room again only when it was over its mark.
  const ahead = sink !== null && sink.writableNeedDrain ? sink.writableLength : 0
  const waiting = wire.readableLength + ahead
  if (waiting === wire._unsent) return
  wire._unsent = waiting
  native.setUnsent(wire._slot, waiting)
}

/**
 * What is sent from here on is gathered.
 *
 * @param {import('./wire.js')} wire
 * @returns {import('node:stream').Writable | null} what is corked now, for `scatter`
 */
function gather(wire) {
  const sink = wire._sink
  if (sink === null) return null
  wire._isSinkBusy = sink.writableLength > 0
  sink.cork()
  return sink
}

/**
 * What was gathered leaves.
 *
 * @param {import('./wire.js')} wire
 * @param {import('node:stream').Writable | null} sink - of `gather`
 */
function scatter(wire, sink) {
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
  let waiting = wire._hasOutput ? native.outputLength(wire._slot) : 0
  for (const block of wire._blocks) waiting += block.length
  return waiting + wire.readableLength + ahead
}

module.exports = { flush, gather, scatter, send, sendBlock, tellUnsent, unsent }
