// The Duplex: chunks in, bytes out, the commands of the local side, and the life of the stream.
'use strict'

const { Buffer } = require('node:buffer')
const { errorMonitor } = require('node:events')
const { Duplex } = require('node:stream')
const { isNativeError, isUint8Array } = require('node:util').types

const { native } = require('./native.js')
const { takeBack } = require('./ahead.js')
const { isAnswer, tellDropped } = require('./answers.js')
const args = require('./arguments.js')
const bencode = require('./bencode.js')
const { inContext, takeContext } = require('./context.js')
const { startDeadlines, stopDeadlines } = require('./deadlines.js')
const { cancelled, choking, closed, truncated, withoutFrames } = require('./errors.js')
const { attempt, feed, poll } = require('./dispatch.js')
const { Handle, wireOf } = require('./handle.js')
const { defineIterators } = require('./iterate.js')
const { keepWhole } = require('./join.js')
const { discard, onUnpiped } = require('./leftovers.js')
const { flush, hurry, insert, send, sendBlock, tellUnsent } = require('./output.js')
const { toSettings } = require('./options.js')
const { copyOf } = require('./own-memory.js')
const { keepPieces } = require('./pieces.js')
const { attach, detach, empty } = require('./pipe.js')
const { defineProperties } = require('./properties.js')
const { Request, restartTimer, settle, startTimer, takeAt } = require('./requests.js')
const { makeMeter } = require('./speed.js')
const { readCounters, startTiming, toStats } = require('./stats.js')
const { Transcript, trace, traceClose } = require('./trace.js')

/** Between two keep-alives, in ms: peers drop a connection after about two silent minutes. */
const KEEP_ALIVE_INTERVAL = 60 * 1000

const noop = () => {}

/**
 * One connection to a peer, as a stream of the bytes of the wire.
 *
 * @param {object} [options] - see docs/api.md
 * @throws {TypeError | RangeError} when an option is not in its range
 */
function Wire(options) {
  if (!(this instanceof Wire)) return new Wire(options)
  const settings = toSettings(options)
  // 'close' is emitted by destroy() itself, as in peer-wire-protocol.
  Duplex.call(this, { emitClose: false })

  this.peerInterested = false
  this.peerExtensions = {}
  this.peerReserved = null
  this.peerAddress = null
  this.uploaded = 0
  this.downloaded = 0
  this.uploadSpeed = makeMeter(settings.speed)
  this.downloadSpeed = makeMeter(settings.speed)
  this.requests = []
  this.peerRequests = []
  this.error = null

  this._handle = new Handle(this, settings)
  this._context = takeContext()
  this._amChoking = true
  this._amInterested = false
  this._peerChoking = true
  this._pieces = null
  this._lastBits = null
  this._batch = null
  this._ahead = 0
  this._isTakenBack = false
  this._keepAlive = null
  this._timeoutMs = 0
  this._hasOutput = false
  this._isFlushing = false
  this._isOwnPush = false
  this._inserted = null
  this._blocks = []
  this._blockBytes = 0
  this._hasLostOutput = false
  this._sink = null
  this._gathering = null
  this._onDrain = null
  this._pipeCount = 0
  this._pipeListener = null
  this._hasFlowed = false
  this._isSinkBusy = false
  this._isHeldBack = false
  this._isHolding = false
  this._isWaiting = false
  this._copiesBlocks = settings.copyBlocks
  this._timed = null
  this._timedSince = 0
  this._latency = null
  this._lastCounters = null
  this._droppedAnswers = 0
  this._isTraced = false
  this._number = null
  this._transcript = settings.transcript === 0 ? null : new Transcript(settings.transcript)
  this._handshakeDeadline = null
  this._inactivityDeadline = null
  this._joined = null
  this._joinedLength = 0
  this._missing = 0
  this._kept = 0
  this._chunkLength = 0
  this._queued = null
  this._isDispatching = false
  this._isClosed = false
  this._isDestroyed = false
  this._isFinished = false
  this._failure = null
  this._source = null
  this._isCutOff = false
  this._isEndOurs = false

  this.on('pipe', onpipe)
  this.on('finish', onfinish)
  startDeadlines(this, settings, fail)
  trace(this)
}

Object.setPrototypeOf(Wire.prototype, Duplex.prototype)
Object.setPrototypeOf(Wire, Duplex)

defineProperties(Wire.prototype)
defineIterators(Wire.prototype)

// Commands

/**
 * Sends a handshake (BEP 3).
 *
 * @param {Uint8Array | string} infoHash - 20 bytes, or 40 hex digits
 * @param {Uint8Array | string} peerId - 20 bytes
 * @param {{dht?: unknown}} [extensions] - what we support besides the extension protocol: what is
 *   truthy
 */
Wire.prototype.handshake = function (infoHash, peerId, extensions) {
  const wire = wireOf(this)
  const infoHashBytes = args.toId('infoHash', infoHash, 'hex')
  const peerIdBytes = args.toId('peerId', peerId, 'utf8')
  const dht = extensions?.dht ? 1 : 0
  native.handshake(wire._slot, infoHashBytes, peerIdBytes, dht)
  send(wire)
}

/** Stops answering requests; those that wait are forgotten. */
Wire.prototype.choke = function () {
  const wire = wireOf(this)
  if (wire._amChoking) return
  wire._amChoking = true
  wire.peerRequests.length = 0
  takeBack(wire)
  native.choke(wire._slot)
  send(wire)
}

/** Starts answering requests. */
Wire.prototype.unchoke = function () {
  const wire = wireOf(this)
  if (!wire._amChoking) return
  wire._amChoking = false
  native.unchoke(wire._slot)
  send(wire)
}

/** Tells the peer that we want pieces. */
Wire.prototype.interested = function () {
  const wire = wireOf(this)
  if (wire._amInterested) return
  wire._amInterested = true
  native.interested(wire._slot)
  send(wire)
}

/** Tells the peer that we want nothing. */
Wire.prototype.uninterested = function () {
  const wire = wireOf(this)
  if (!wire._amInterested) return
  wire._amInterested = false
  native.notInterested(wire._slot)
  send(wire)
}

/**
 * Tells the peer that we have a piece.
 *
 * @param {number} piece - piece index
 */
Wire.prototype.have = function (piece) {
  const wire = wireOf(this)
  args.checkInteger('piece', piece)
  native.have(wire._slot, piece)
  send(wire)
}

/**
 * Tells the peer all the pieces we have.
 *
 * @param {Uint8Array | {buffer: Uint8Array}} bitfield - the high bit first
 */
Wire.prototype.bitfield = function (bitfield) {
  const wire = wireOf(this)
  const bits = args.toBits(bitfield)
  native.sendBitfield(wire._slot, bits)
  send(wire)
}

/**
 * Asks for a block.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 * @param {(error: Error | null, block: Buffer | null) => void} [callback] - called exactly once
 */
Wire.prototype.request = function (piece, offset, length, callback) {
  const wire = wireOf(this)
  args.checkBlock(piece, offset, length)
  args.checkCallback('callback', callback)
  const settled = callback ?? noop
  if (wire._isFinished || wire._failure !== null) return settled(closed())
  if (wire._peerChoking) return settled(choking())
  const request = new Request(piece, offset, length, settled)
  wire.requests.push(request)
  startTiming(wire, request)
  native.request(wire._slot, piece, offset, length)
  startTimer(wire)
  send(wire)
}

/**
 * Withdraws the oldest such request, whose callback gets an error.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 */
Wire.prototype.cancel = function (piece, offset, length) {
  const wire = wireOf(this)
  args.checkBlock(piece, offset, length)
  takeBack(wire)
  const place = native.takeRequest(wire._slot, piece, offset, length)
  if (place !== 0) settle(wire, takeAt(wire.requests, place - 1), cancelled(), null)
  native.cancel(wire._slot, piece, offset, length)
  send(wire)
}

/**
 * Sends a block. Usually the callback of a `'request'` does this.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {Uint8Array} block - must not change until it is sent
 * @fires Wire#upload
 */
Wire.prototype.piece = function (piece, offset, block) {
  const wire = wireOf(this)
  args.checkBlock(piece, offset, 0)
  if (!isUint8Array(block) && dropAnswer(wire, piece, offset, block)) return
  const bytes = args.toBytes('block', block)
  takeBack(wire)
  settleAnswered(wire, piece, offset, bytes.length)
  upload(wire, piece, offset, bytes)
}

/** Takes the request out that a block answers, if there is one: it waits no longer. */
function settleAnswered(wire, piece, offset, length) {
  const position = wire.peerRequests.findIndex(
    (request) => request.piece === piece && request.offset === offset && request.length === length
  )
  if (position === -1) return
  takeAt(wire.peerRequests, position)
  native.answerEqual(wire._slot, piece, offset, length)
}

/**
 * What is no block may be the answer of a store that does not have what the peer asks for: that is no
 * mistake of the caller.
 *
 * @returns {boolean} whether there is such a request
 */
function dropAnswer(wire, piece, offset, block) {
  const request = wire.peerRequests.find(
    (waiting) => waiting.piece === piece && waiting.offset === offset
  )
  if (request === undefined) return false
  request.callback(null, block)
  return true
}

/**
 * Sends the UDP port of our DHT node (BEP 5).
 *
 * @param {number} port
 */
Wire.prototype.port = function (port) {
  const wire = wireOf(this)
  args.checkInteger('port', port, 0xffff)
  native.port(wire._slot, port)
  send(wire)
}

/**
 * Sends a message of the extension protocol (BEP 10).
 *
 * @param {number} id - 0 is the extended handshake
 * @param {Uint8Array | object | string | number | bigint | null} message - bytes, or what is
 *   bencoded
 */
Wire.prototype.extended = function (id, message) {
  const wire = wireOf(this)
  args.checkInteger('id', id, 0xff)
  const payload = isUint8Array(message) ? message : bencode.encode(message)
  native.extended(wire._slot, id, args.toBytes('message', payload))
  send(wire)
}

/**
 * Sends a keep-alive every minute, or stops that.
 *
 * @param {boolean} [enable] - anything but `false` starts it
 */
Wire.prototype.setKeepAlive = function (enable) {
  const wire = wireOf(this)
  clearInterval(wire._keepAlive)
  wire._keepAlive = null
  if (enable === false || wire._isFinished) return
  wire._keepAlive = setInterval(() => inContext(wire, keepAlive), KEEP_ALIVE_INTERVAL)
}

/**
 * Limits how long the oldest request may wait.
 *
 * @param {number} ms - 0 for no limit
 * @param {() => void} [listener] - of `'timeout'`
 */
Wire.prototype.setTimeout = function (ms, listener) {
  const wire = wireOf(this)
  args.checkDuration('ms', ms)
  args.checkCallback('listener', listener)
  wire._timeoutMs = ms
  restartTimer(wire)
  if (listener) wire.on('timeout', listener)
}

/**
 * What the wire has counted, and what waits.
 *
 * @returns {object} see docs/diagnostics.md
 */
Wire.prototype.stats = function () {
  const wire = wireOf(this)
  return toStats(wire, wire._lastCounters ?? readCounters(wire))
}

// Life of the stream

/**
 * Closes the wire at once: `'close'` is emitted before this returns, nothing of the peer is told
 * any more, and both sides end. Callbacks of open requests follow when the writable side has
 * finished. May be called again, and in any listener.
 *
 * @param {Error | null} [error] - kept as `wire.error`; `'error'` is emitted if someone listens
 * @returns {this}
 */
Wire.prototype.destroy = function (error) {
  const wire = wireOf(this)
  // Input after a local end() is from a peer that does not know of it yet: no error.
  const isLateInput = isNativeError(error) && error.code === 'ERR_STREAM_WRITE_AFTER_END'
  // 'close' of a socket, for one, calls with `false`, which is no reason.
  const reason = isLateInput ? null : error || wire._failure
  const isOver = wire.readableEnded && wire.writableFinished
  if (!wire._isClosed) {
    // Whoever reads the last byte ends the wire, and may do so for any purpose.
    if (isOver) inContext(wire, close, reason)
    else close(wire, reason)
  }
  // The stream's own state follows when there is nothing left to read.
  if (isOver) Duplex.prototype.destroy.call(this)
  return this
}

/**
 * Takes a chunk. A Buffer that finds nothing before it, as pipe() brings them, needs none of the
 * bookkeeping of Writable, which costs more than many a message: it is used up when this returns.
 */
Wire.prototype.write = function (chunk, encoding, callback) {
  const wire = wireOf(this)
  const bytes = toInput(chunk)
  const isPlain = chunk instanceof Buffer && encoding === undefined && callback === undefined
  if (!isPlain || !isAtRest(wire))
    return Duplex.prototype.write.call(this, keepable(wire, bytes), encoding, callback)
  take(wire, bytes, noop)
  return true
}

/** Writable looks at what is no Buffer, but believes whatever has the prototype of one. */
function toInput(chunk) {
  return chunk instanceof Buffer ? args.toBytes('chunk', chunk) : chunk
}

Wire.prototype._write = function (chunk, encoding, callback) {
  const wire = wireOf(this)
  // A listener may take its memory away.
  const { length } = chunk
  // Node forgets to finish a stream that ends within the write of the last chunk that was corked, if
  // this write is done at once.
  const done = () => {
    if (wire.writableEnded && wire.writableLength === length) process.nextTick(callback)
    else callback()
  }
  if (wire._isClosed) done()
  else take(wire, chunk, done)
}

/**
 * A chunk that Node keeps until the wire is at it. Were its memory transferred or resized meanwhile, Node
 * would count it as waiting for ever, and the wire would never finish: so it is copied.
 */
function keepable(wire, chunk) {
  const isKept = wire.writableLength > 0 || wire.writableCorked > 0
  return isKept && isUint8Array(chunk) ? copyOf(chunk) : chunk
}

/** Whether a chunk need not wait, neither for another one nor for a listener. */
function isAtRest(wire) {
  return (
    wire.writableLength === 0 &&
    !wire.writableEnded &&
    wire.writableCorked === 0 &&
    !wire._isDispatching
  )
}

function take(wire, chunk, done) {
  if (wire._inactivityDeadline !== null) wire._inactivityDeadline.putOff()
  if (wire._missing !== 0 && !wire._isDispatching && keepWhole(wire, chunk)) done()
  else feed(wire, chunk, done)
}

/** Ends the input: for the peer, unless it is a listener that ends it, or a pipe goes on. */
Wire.prototype.end = function (chunk, encoding, callback) {
  const wire = wireOf(this)
  if (!wire.writableEnded) {
    const source = wire._source
    const goesOn = source !== null && source.readableEnded === false && !source.destroyed
    wire._isEndOurs = wire._isDispatching || goesOn
  }
  return Duplex.prototype.end.call(this, keepable(wire, toInput(chunk)), encoding, callback)
}

Wire.prototype._read = noop

// Who writes into the readable side comes behind what was sent before.

Wire.prototype.push = function (chunk, encoding) {
  const wire = wireOf(this)
  const isOwn = wire._isOwnPush
  wire._isOwnPush = false
  if (isOwn) return Duplex.prototype.push.call(this, chunk, encoding)
  return insert(wire, () => Duplex.prototype.push.call(this, chunk, encoding))
}

Wire.prototype.unshift = function (chunk, encoding) {
  return insert(wireOf(this), () => Duplex.prototype.unshift.call(this, chunk, encoding))
}

// Who reads, or stops reading, within a dispatch gets the frames that wait for its end.

Wire.prototype.read = function (size) {
  const wire = wireOf(this)
  flush(wire)
  try {
    return Duplex.prototype.read.call(this, size)
  } finally {
    wire._release()
  }
}

Wire.prototype.pause = function () {
  const wire = wireOf(this)
  flush(wire)
  return Duplex.prototype.pause.call(this)
}

Wire.prototype.resume = function () {
  const wire = wireOf(this)
  flush(wire)
  return Duplex.prototype.resume.call(this)
}

Wire.prototype.pipe = function (destination, options) {
  const wire = wireOf(this)
  flush(wire)
  Duplex.prototype.pipe.call(this, destination, options)
  attach(wire, destination)
  if (wire._sink === destination) wire._pipeListener = wire.listeners('data').at(-1)
  wire._release()
  return destination
}

Wire.prototype.unpipe = function (destination) {
  const wire = wireOf(this)
  flush(wire)
  detach(wire, destination)
  wire._release()
  const readers = wire.listenerCount('data')
  Duplex.prototype.unpipe.call(this, destination)
  if (destination !== undefined && wire.listenerCount('data') < readers)
    onUnpiped(wire, destination)
  return this
}

/** The output may have room again: tells of requests that were held back. */
Wire.prototype._release = function () {
  const wire = wireOf(this)
  tellUnsent(wire)
  if (!wire._isHolding) return
  wire._isHolding = false
  wire._pollSoon()
}

Wire.prototype._pollSoon = function () {
  process.nextTick(inContext, wireOf(this), poll)
}

/** Answers a request of the peer, unless it is no longer waiting. */
Wire.prototype._respond = function (request, id, error, block) {
  const wire = wireOf(this)
  const position = wire.peerRequests.indexOf(request)
  if (position === -1) return
  takeAt(wire.peerRequests, position)
  native.answer(wire._slot, id)
  if (!error && isAnswer(request, block)) {
    upload(wire, request.piece, request.offset, args.toBytes('block', block))
    return
  }
  if (!error) tellDropped(wire, request, block)
  if (wire._isHolding) wire._release()
}

/** A request has gone with it: those held back go on, even if a listener throws. */
function upload(wire, piece, offset, block) {
  const { length } = block
  wire.uploaded += length
  wire.uploadSpeed(length)
  try {
    wire.emit('upload', length)
    if (!wire._isFinished) sendBlock(wire, piece, offset, block, length)
  } finally {
    if (wire._isHolding) wire._release()
  }
}

function close(wire, error) {
  wire._isClosed = true
  wire._isDestroyed = true
  wire.error = error
  stopDeadlines(wire)
  takeBack(wire)
  native.stopReading(wire._slot)
  // Many readers take 'close' for the end.
  attempt(hurry, wire)
  traceClose(wire, error)
  wire.end()
  if (error !== null) attempt(tellError, wire, error)
  wire.emit('close')
}

function tellError(wire, error) {
  if (wire.listenerCount('error') > 0) wire.emit('error', error)
  // 'error' would tell these as well, but throw without a listener of its own.
  else wire.emit(errorMonitor, error)
}

/** The peer has broken a rule that no message can break: it keeps silent. */
function fail(wire, error) {
  wire._failure = error
  takeBack(wire)
  native.close(wire._slot)
  // Open requests get the error, and then the wire is destroyed with it.
  poll(wire)
}

/** Whoever reads gets the rest at once, and may throw. */
function endOutput(wire) {
  try {
    flush(wire)
  } finally {
    wire.push(null)
  }
}

function onpipe(source) {
  wireOf(this)._source = source
  this.once('unpipe', onunpipe)
}

function onunpipe(source) {
  const wire = wireOf(this)
  if (wire._source === source) wire._source = null
}

function onfinish() {
  inContext(wireOf(this), finish)
}

/** The writable side has finished: so does the readable one, never half open. */
function finish(wire) {
  wire._isFinished = true
  clearInterval(wire._keepAlive)
  wire._keepAlive = null
  wire.peerRequests.length = 0
  stopDeadlines(wire)
  const isTruncated = !wire._isEndOurs && native.isTruncated(wire._slot)
  takeBack(wire)
  native.close(wire._slot)
  attempt(endOutput, wire)
  attempt(empty, wire)
  discard(wire)
  poll(wire)
  letGo(wire)
  // 'error' comes before 'close', once the output is read.
  if (isTruncated && !wire._isClosed) wire.error = wire._failure = truncated()
}

function letGo(wire) {
  // The core has told of each open request, unless a panic has broken it.
  while (wire.requests.length > 0) {
    attempt(settle, wire, wire.requests.shift(), wire._failure ?? withoutFrames(closed), null)
  }
  wire._source = null
  keepPieces(wire)
  wire._lastCounters = readCounters(wire)
  wire._joined = null
  wire._blocks = []
  wire._handle.release()
}

function keepAlive(wire) {
  native.keepAlive(wire._slot)
  send(wire)
}

module.exports = Wire
