// The way out: what is sent in one dispatch leaves together at its end, blocks without a copy.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')

const { takeBack } = require('./ahead.js')
const { memoryChanged } = require('./errors.js')
const { native, cuts, PANICKED } = require('./native.js')
const { copyOf } = require('./own-memory.js')
const { push } = require('./pipe.js')
const { lengthOf } = require('./sink.js')
const { Slab } = require('./slab.js')
const { trace } = require('./trace.js')

/** Frames are cut out of slabs of this size in bytes; where more waits, it gets its own memory. */
const SLAB_LENGTH = 16 * 1024

/** Blocks up to this many bytes are copied next to other frames; above, a copy costs more. */
const MAX_COPIED_BLOCK = 2 * 1024

/** Bytes of the message of a block before the block. */
const HEAD_LENGTH = 13

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
 * @param {number} length - of the block when it was lent to us: a listener of `'upload'` may change it
 */
function sendBlock(wire, piece, offset, block, length) {
  if (block.length !== length) return failForMemory(wire)
  if (length <= MAX_COPIED_BLOCK || wire._blocks.length === MAX_CUTS) {
    native.piece(wire._slot, piece, offset, block)
  } else {
    native.pieceHead(wire._slot, piece, offset, length)
    wire._blocks.push({ block, length })
  }
  wire._blockBytes += length
  send(wire)
  if (wire._blocks.length >= MAX_BLOCKS || wire._blockBytes >= MAX_BLOCK_BYTES) flush(wire)
}

/**
 * Pushes what the core has to send, with the blocks in their places. Whoever reads may send more, or
 * push: that follows, and is not put between a head and its block.
 *
 * @param {import('./wire.js')} wire
 */
function flush(wire) {
  if (!wire._hasOutput || wire._isFlushing) return
  wire._isFlushing = true
  let failure = null
  try {
    while (wire._hasOutput || wire._inserted !== null) {
      failure = (wire._inserted === null ? pushOutput(wire) : pushInserted(wire)) ?? failure
    }
  } finally {
    wire._isFlushing = false
  }
  wire._release()
  if (failure !== null) throw failure.error
}

function pushOutput(wire) {
  const sink = wire._blocks.length > 0 ? wire._sink : null
  if (sink !== null) sink.cork()
  let failure = null
  for (const part of takeOutput(wire)) failure = safely(pushPart, wire, part) ?? failure
  if (sink !== null) sink.uncork()
  return failure
}

/** What was put into the readable side while a flush went on, and what was sent before that. */
function pushInserted(wire) {
  const steps = wire._inserted
  wire._inserted = null
  let failure = null
  for (const step of steps) failure = safely(step) ?? failure
  return failure
}

/**
 * Frames, and the block that follows them if one does. Of a wire that has ended meanwhile the core has
 * fewer places than there are blocks.
 */
function takeOutput(wire) {
  const blocks = wire._blocks
  wire._hasOutput = false
  wire._blockBytes = 0
  const bytes = readOutput(wire)
  if (blocks.length === 0) return [{ bytes, block: null, length: 0 }]
  wire._blocks = []
  // Whoever reads the first part must not take the others with it. Slabs are marked.
  if (bytes.buffer !== slab.buffer.buffer) markAsUntransferable?.(bytes.buffer)
  const parts = []
  let start = 0
  for (let i = 0; i < cuts[0]; i++) {
    parts.push({ bytes: bytes.subarray(start, cuts[1 + i]), ...blocks[i] })
    start = cuts[1 + i]
  }
  parts.push({ bytes: bytes.subarray(start), block: null, length: 0 })
  return parts
}

/** Nothing follows a block that was lost. */
function pushPart(wire, { bytes, block, length }) {
  if (wire._hasLostOutput) return
  const frames = hasBlock(wire, block, length) ? bytes : bytes.subarray(0, -HEAD_LENGTH)
  try {
    if (frames.length > 0) push(wire, frames)
  } finally {
    // Whoever reads the frames may take the block away.
    if (block !== null && hasBlock(wire, block, length)) push(wire, keepable(wire, block))
  }
}

/**
 * A block that Node keeps until somebody reads. Were its memory transferred or resized meanwhile, the wire
 * would wait for its bytes for ever. Behind a pipe that is held back a copy would cost too much.
 */
function keepable(wire, block) {
  return wire._sink === null && !isTakenNow(wire) ? copyOf(block) : block
}

/** A block may be transferred or resized before it leaves; its head must not leave alone. */
function hasBlock(wire, block, length) {
  if (block === null || block.length === length) return true
  if (wire._hasLostOutput) return false
  wire._hasLostOutput = true
  failForMemory(wire)
  return false
}

function failForMemory(wire) {
  takeBack(wire)
  wire._failure ??= memoryChanged()
  native.close(wire._slot)
  wire._pollSoon()
}

/**
 * Lets a user put something into the readable side: behind what was sent before.
 *
 * @param {import('./wire.js')} wire
 * @param {() => boolean} put
 * @returns {boolean} whether the reader wants more
 */
function insert(wire, put) {
  if (!wire._isFlushing) {
    flush(wire)
    return put()
  }
  const sent = wire._hasOutput ? takeOutput(wire) : []
  wire._inserted ??= []
  for (const part of sent) wire._inserted.push(() => pushPart(wire, part))
  wire._inserted.push(put)
  return wire.readableLength < wire.readableHighWaterMark
}

/** A reader that throws does not keep the rest back; gives what it threw. */
function safely(step, wire, bytes) {
  try {
    step(wire, bytes)
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
  const isBusy = sink.writableCorked === 0 ? lengthOf(sink) > 0 : wire._isSinkBusy
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
  const inSink = lengthOf(sink)
  // A stream tells that it has room again only when it was over its mark.
  const ahead = inSink > 0 && !sink.writableNeedDrain ? inSink : 0
  const waiting = wire.readableLength + inSink - ahead
  const isIdle = waiting + ahead === 0
  // Equal numbers may be those of other bytes.
  if (isIdle && !wire._isWaiting) return
  wire._isWaiting = !isIdle
  native.setUnsent(wire._slot, waiting, ahead)
}

/**
 * What is sent from here on is gathered.
 *
 * @param {import('./wire.js')} wire
 */
function gather(wire) {
  const sink = wire._sink
  wire._gathering = sink
  if (sink === null) return
  wire._isSinkBusy = lengthOf(sink) > 0
  sink.cork()
}

/**
 * What was gathered leaves.
 *
 * @param {import('./wire.js')} wire
 */
function scatter(wire) {
  try {
    flush(wire)
  } finally {
    const sink = wire._gathering
    wire._gathering = null
    if (sink !== null) sink.uncork()
  }
}

/**
 * What was gathered so far leaves now: who hears of the end of the wire may destroy the sink.
 *
 * @param {import('./wire.js')} wire
 */
function hurry(wire) {
  const isGathering = wire._gathering !== null
  scatter(wire)
  if (isGathering) gather(wire)
}

/**
 * Bytes that wait to be read or, behind the pipe, to be taken by the socket.
 *
 * @param {import('./wire.js')} wire
 * @returns {number}
 */
function unsent(wire) {
  let waiting = wire._hasOutput ? native.outputLength(wire._slot) : 0
  for (const { length } of wire._blocks) waiting += length
  return waiting + wire.readableLength + lengthOf(wire._sink)
}

module.exports = { flush, gather, hurry, insert, scatter, send, sendBlock, tellUnsent, unsent }
