// From the core's events to properties, callbacks and listeners, one message at a time.
'use strict'

const { takeBack } = require('./ahead.js')
const channels = require('./channels.js')
const { inContext } = require('./context.js')
const { addon, native, record, PANICKED } = require('./native.js')
const { endHandshakeDeadline } = require('./deadlines.js')
const { ProtocolError, choking, closed, memoryChanged, withoutFrames } = require('./errors.js')
const { finishJoin, keepPart } = require('./join.js')
const { flush, gather, scatter } = require('./output.js')
const { allocate, copyOf } = require('./own-memory.js')
const { Request, settle, takeAt } = require('./requests.js')
const { tellBits, tellPiece } = require('./pieces.js')
const { trace, traceFromHere } = require('./trace.js')

const { EventKind, EVENT_LENGTH, HELD, JOINED, LAST, MORE } = addon

// Names of their own, so that the switch below compares constants.
const { Bitfield, Cancel, Choke, Extended, Handshake, Have, Interested, KeepAlive } = EventKind
const { NotInterested, Part, Piece, Port, RequestDropped, Unchoke, Unknown } = EventKind
const AskedFor = EventKind.Request

/** The bits of a batch that count its events. */
const COUNT = LAST - 1

const NO_CHUNK = Buffer.alloc(0)

/** Reserved bytes, info hash and peer id of a handshake that is told of. */
const handshakeFields = allocate(48)

/** The wire whose events lie in the record. */
let telling = null

/**
 * Hands a chunk to the core and tells the listeners of each message in it.
 *
 * What a listener throws is thrown again in the next tick: an exception that came out of here
 * would leave the stream's own machinery stuck, and the rest of the chunk untold.
 *
 * @param {import('./wire.js')} wire
 * @param {Buffer} chunk - read only until `done` is called
 * @param {() => void} done
 */
function feed(wire, chunk, done) {
  if (wire._isDispatching) {
    // A listener, or whoever got our output, writes to the wire.
    wire._queued = { chunk, length: chunk.length, done }
    return
  }
  wire._isDispatching = true
  try {
    run(wire, chunk, chunk.length)
  } finally {
    endDispatch(wire)
  }
  done()
}

/**
 * Tells the listeners of what the core has without new input. Does nothing within a dispatch.
 *
 * @param {import('./wire.js')} wire
 */
function poll(wire) {
  if (wire._isDispatching) return
  wire._isDispatching = true
  try {
    run(wire, NO_CHUNK, 0)
  } finally {
    endDispatch(wire)
  }
}

/**
 * One chunk, or without one what the core has anyway. `length`: of the chunk when it was lent to us.
 */
function run(wire, chunk, length) {
  gather(wire)
  keepRecord()
  wire._chunkLength = length
  trace(wire)
  try {
    drain(wire, chunk, chunk === NO_CHUNK ? native.next(wire._slot) : handIn(wire, chunk))
  } finally {
    attempt(scatter, wire)
  }
}

function handIn(wire, chunk) {
  if (!isIntact(wire, chunk)) return native.next(wire._slot)
  const kept = wire._kept
  wire._kept = 0
  return native.feed(wire._slot, chunk, kept)
}

/** Works off what came in meanwhile, one chunk after the other, however deep its writer was. */
function endDispatch(wire) {
  while (wire._queued !== null) {
    const queued = wire._queued
    wire._queued = null
    inContext(wire, runQueued, queued)
  }
  wire._isDispatching = false
}

function runQueued(wire, { chunk, length, done }) {
  run(wire, chunk, length)
  attempt(done)
}

/**
 * Runs a step of which others must not be kept by what a listener throws in it.
 *
 * @param {Function} step
 * @param {...unknown} args - of the step
 */
function attempt(step, a, b, c, d) {
  try {
    step(a, b, c, d)
  } catch (error) {
    process.nextTick(rethrow, error)
  }
}

/** A listener gives input to another wire, whose events now come into the record. */
function keepRecord() {
  if (telling === null) return
  telling._batch = record.slice()
  telling = null
}

function drain(wire, chunk, first) {
  let batch = first
  for (;;) {
    if (batch !== PANICKED) {
      wire._isHolding = (batch & HELD) !== 0
      tellBatch(wire, chunk, batch & COUNT)
      // Not before: who looks may act, as a listener may.
      if (wire._isTraced) trace(wire)
    }
    if (batch === PANICKED || wire._isTakenBack) {
      wire._isTakenBack = false
      batch = native.next(wire._slot)
    } else if ((batch & LAST) !== 0) {
      break
    } else if ((batch & MORE) !== 0 && isIntact(wire, chunk)) {
      batch = native.feedRest(wire._slot, chunk)
    } else {
      batch = native.next(wire._slot)
    }
  }
  if (wire._failure !== null) attempt(fail, wire)
}

/**
 * Whether the chunk still has the memory that was lent with it: a listener may transfer it with one of
 * the blocks in it, or shrink it. What it held is gone then, and the wire fails.
 */
function isIntact(wire, chunk) {
  if (chunk.length === wire._chunkLength) return true
  wire._chunkLength = chunk.length
  takeBack(wire)
  wire._failure ??= memoryChanged()
  native.close(wire._slot)
  return false
}

/** What was sent before leaves before the end. */
function fail(wire) {
  attempt(flush, wire)
  wire.destroy(wire._failure)
}

/** Tells of the events in the record, until they are taken back. */
function tellBatch(wire, chunk, count) {
  telling = wire
  wire._batch = record
  wire._ahead = count
  for (let at = 0; wire._ahead > 0 && isIntact(wire, chunk); at += EVENT_LENGTH) {
    wire._ahead--
    try {
      dispatch(wire, chunk, wire._batch, at)
    } catch (error) {
      process.nextTick(rethrow, error)
    }
    if (wire._ahead > 0) traceFromHere(wire)
  }
  wire._batch = record
  telling = null
}

function rethrow(error) {
  throw error
}

/** Tells of the event whose numbers stand in `events` from `at`. */
function dispatch(wire, chunk, events, at) {
  switch (events[at]) {
    case Have:
      return onHave(wire, events[at + 1])
    case Piece:
      return onPiece(wire, chunk, events, at)
    case Part:
      wire._missing = events[at + 4]
      return keepPart(wire, chunk, events[at + 1], events[at + 2], events[at + 3])
    case AskedFor:
      return onRequest(wire, events[at + 1], events[at + 2], events[at + 3], events[at + 4])
    case Cancel:
      return onCancel(wire, events[at + 1], events[at + 2], events[at + 3], events[at + 4])
    case KeepAlive:
      return wire.emit('keep-alive')
    case Choke:
      wire._peerChoking = true
      return wire.emit('choke')
    case Unchoke:
      wire._peerChoking = false
      return wire.emit('unchoke')
    case Interested:
      wire.peerInterested = true
      return wire.emit('interested')
    case NotInterested:
      wire.peerInterested = false
      return wire.emit('uninterested')
    case Bitfield:
      return onBitfield(wire, readPayload(wire, events[at + 1]))
    case Handshake:
      return onHandshake(wire, { dht: events[at + 1] === 1, extended: events[at + 2] === 1 })
    case Port:
      return wire.emit('port', events[at + 1])
    case Extended:
      return wire.emit(
        'extended',
        events[at + 1],
        payload(wire, chunk, events[at + 2], events[at + 3])
      )
    case Unknown:
      return wire.emit('unknownmessage', payload(wire, chunk, events[at + 1], events[at + 2]))
    case RequestDropped:
      return onRequestDropped(wire, events[at + 1])
    default:
      wire._failure ??= readFailure(wire)
  }
}

function onHandshake(wire, extensions) {
  endHandshakeDeadline(wire)
  readInto(wire, handshakeFields)
  wire.peerReserved = copyOf(handshakeFields, 0, 8)
  wire.peerExtensions = extensions
  const infoHash = copyOf(handshakeFields, 8, 28)
  const peerId = copyOf(handshakeFields, 28, 48)
  if (channels.handshake.hasSubscribers) {
    channels.handshake.publish({ wire, infoHash, peerId, extensions })
  }
  if (!wire._isClosed) wire.emit('handshake', infoHash, peerId, extensions)
}

function onHave(wire, piece) {
  tellPiece(wire, piece)
  wire.emit('have', piece)
}

function onBitfield(wire, bits) {
  tellBits(wire, bits)
  wire.emit('bitfield', bits)
}

function onRequest(wire, piece, offset, length, id) {
  const respond = (error, block) => wire._respond(request, id, error, block)
  const request = new Request(piece, offset, length, respond)
  wire.peerRequests.push(request)
  wire.emit('request', piece, offset, length, respond)
}

function onCancel(wire, piece, offset, length, place) {
  if (place !== 0) takeAt(wire.peerRequests, place - 1)
  wire.emit('cancel', piece, offset, length)
}

function onPiece(wire, chunk, events, at) {
  const piece = events[at + 1]
  const offset = events[at + 2]
  const place = events[at + 5]
  const block = payload(wire, chunk, events[at + 3], events[at + 4])
  // The callback may transfer it.
  const { length } = block
  if (place !== 0) attempt(settle, wire, takeAt(wire.requests, place - 1), null, block)
  if (wire._isClosed) return
  wire.downloaded += length
  wire.downloadSpeed(length)
  attempt(emitDownload, wire, length)
  if (!wire._isClosed) wire.emit('piece', piece, offset, block)
}

function emitDownload(wire, length) {
  wire.emit('download', length)
}

function onRequestDropped(wire, isChoked) {
  const error = wire._failure ?? withoutFrames(isChoked === 1 ? choking : closed)
  settle(wire, wire.requests.shift(), error, null)
}

/** The payload of `length` bytes, or the last part of it, which begins at `start` in the chunk. */
function payload(wire, chunk, start, length) {
  if (start === JOINED) return readPayload(wire, length)
  if (wire._joined === null) {
    const view = chunk.subarray(start, start + length)
    return wire._copiesBlocks ? copyOf(view) : view
  }
  keepPart(wire, chunk, start, length - wire._joinedLength, length)
  return finishJoin(wire)
}

function readPayload(wire, length) {
  const bytes = allocate(length)
  readInto(wire, bytes)
  return bytes
}

function readInto(wire, bytes) {
  if (native.readPayload(wire._slot, bytes) === PANICKED) bytes.fill(0)
}

function readFailure(wire) {
  const text = Buffer.alloc(256)
  const length = native.readFailure(wire._slot, text)
  const [code, message, ...lines] = text.toString('utf8', 0, length).split('\n')
  const fields = lines.map((line) => line.split(' ')).map(([name, number]) => [name, +number])
  return new ProtocolError(code, message, Object.fromEntries(fields))
}

module.exports = { attempt, feed, poll }
