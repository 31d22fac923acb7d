// From the core's events to properties, callbacks and listeners, one message at a time.
'use strict'

const { native, record, EventKind } = require('./native.js')
const { ProtocolError, choking, closed } = require('./errors.js')
const { finishJoin, keepPart } = require('./join.js')
const { gather, scatter } = require('./output.js')
const { Request, settle, takeAt } = require('./requests.js')
const { NEW_PIECE, tellBits, tellPiece } = require('./pieces.js')

// Names of their own, so that the switch below compares constants.
const { Drained, More, Cancel, Choke, Extended, Handshake, Haves, Interested } = EventKind
const { KeepAlive, NotInterested, Part, Piece, Port, Bitfield, RequestDropped } = EventKind
const { Unchoke, Unknown } = EventKind
const AskedFor = EventKind.Request

/** Added to a kind when nothing is left after its event. */
const LAST = 32

const NO_CHUNK = Buffer.alloc(0)

/** Start of a payload that lies in no chunk; `readPayload` has it. */
const JOINED = 0xffffffff

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
    // A listener that poll() has called writes to its wire.
    wire._queued = { chunk, done }
    return
  }
  const kept = wire._kept
  wire._kept = 0
  drain(wire, chunk, native.feed(wire._slot, chunk, kept))
  done()
}

/**
 * Tells the listeners of what the core has without new input. Does nothing within a dispatch.
 *
 * @param {import('./wire.js')} wire
 */
function poll(wire) {
  if (wire._isDispatching) return
  drain(wire, NO_CHUNK, native.next(wire._slot))
  if (wire._queued === null) return
  const { chunk, done } = wire._queued
  wire._queued = null
  feed(wire, chunk, done)
}

function drain(wire, chunk, first) {
  const sink = gather(wire)
  let kind = first
  while (kind !== Drained) {
    if (kind === More) {
      kind = native.feedRest(wire._slot, chunk, record[0])
    } else if (kind > LAST) {
      tell(wire, kind - LAST, chunk)
      kind = Drained
    } else {
      tell(wire, kind, chunk)
      kind = native.next(wire._slot)
    }
  }
  try {
    scatter(wire, sink)
    if (wire._failure !== null) wire.destroy(wire._failure)
  } catch (error) {
    process.nextTick(rethrow, error)
  }
}

/** Tells of one event; of a run of haves also those behind one whose listener throws. */
function tell(wire, kind, chunk) {
  do {
    try {
      dispatch(wire, kind, chunk)
    } catch (error) {
      process.nextTick(rethrow, error)
    }
  } while (wire._haves !== null)
}

function rethrow(error) {
  throw error
}

function dispatch(wire, kind, chunk) {
  switch (kind) {
    case Haves:
      return onHaves(wire)
    case Piece:
      return onPiece(wire, record[0], record[1], payload(wire, chunk, 2), record[4])
    case Part:
      wire._missing = record[3]
      return keepPart(wire, chunk, record[0], record[1], record[2])
    case AskedFor:
      return onRequest(wire, record[0], record[1], record[2], record[3])
    case Cancel:
      return onCancel(wire, record[0], record[1], record[2], record[3])
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
      return onBitfield(wire, readPayload(wire, record[0]))
    case Handshake:
      return onHandshake(
        wire,
        { dht: record[0] === 1, extended: record[1] === 1 },
        readPayload(wire, 48)
      )
    case Port:
      return wire.emit('port', record[0])
    case Extended:
      return wire.emit('extended', record[0], payload(wire, chunk, 1))
    case Unknown:
      return wire.emit('unknownmessage', payload(wire, chunk, 0))
    case RequestDropped:
      return onRequestDropped(wire, record[0])
    default:
      wire._failure = readFailure(wire)
  }
}

function onHandshake(wire, extensions, fields) {
  const reserved = fields.subarray(0, 8)
  wire.peerReserved = reserved
  wire.peerExtensions = extensions
  wire.emit('handshake', fields.subarray(8, 28), fields.subarray(28, 48), extensions)
}

/** A run of haves is copied out of the record, because a listener may use the record again. */
function onHaves(wire) {
  if (wire._haves === null) {
    if (record[0] === 1) return onHave(wire, record[1])
    wire._haves = record.slice(1, 1 + record[0])
    wire._havesTold = 0
  }
  const haves = wire._haves
  while (wire._havesTold < haves.length && !wire._isClosed) onHave(wire, haves[wire._havesTold++])
  wire._haves = null
}

function onHave(wire, number) {
  const piece = number < NEW_PIECE ? number : number - NEW_PIECE
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

function onPiece(wire, piece, offset, block, place) {
  if (place !== 0) settle(wire, takeAt(wire.requests, place - 1), null, block)
  if (wire._isClosed) return
  wire.downloaded += block.length
  wire.downloadSpeed(block.length)
  wire.emit('download', block.length)
  if (!wire._isClosed) wire.emit('piece', piece, offset, block)
}

function onRequestDropped(wire, isClosed) {
  const error = wire._failure ?? (isClosed === 0 ? choking() : closed())
  settle(wire, wire.requests.shift(), error, null)
}

/** The payload whose start and length stand in the record from `index`. */
function payload(wire, chunk, index) {
  const start = record[index]
  const length = record[index + 1]
  if (start === JOINED) return readPayload(wire, length)
  if (wire._joined === null) return chunk.subarray(start, start + length)
  keepPart(wire, chunk, start, length - wire._joinedLength, length)
  return finishJoin(wire)
}

function readPayload(wire, length) {
  const bytes = Buffer.allocUnsafe(length)
  native.readPayload(wire._slot, bytes)
  return bytes
}

function readFailure(wire) {
  const text = Buffer.alloc(256)
  const length = native.readFailure(wire._slot, text)
  const [code, ...message] = text.toString('utf8', 0, length).split(': ')
  return new ProtocolError(code, message.join(': '))
}

module.exports = { feed, poll }
