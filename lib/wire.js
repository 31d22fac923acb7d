// The Duplex: chunks in, bytes out, the commands of the local side, and the life of the stream.
'use strict'

const { Buffer } = require('node:buffer')
const { Duplex } = require('node:stream')
const { isUint8Array } = require('node:util').types
const bencode = require('bencode')
const speedometer = require('speedometer')

const { native, acquire, giveBack, NO_SLOT } = require('./native.js')
const { takeBack } = require('./ahead.js')
const args = require('./arguments.js')
const { startDeadlines, stopDeadlines } = require('./deadlines.js')
const { cancelled, choking, closed, truncated } = require('./errors.js')
const { attempt, feed, poll } = require('./dispatch.js')
const { keepWhole } = require('./join.js')
const { flush, send, sendBlock, tellUnsent } = require('./output.js')
const { toSettings } = require('./options.js')
const { keepPieces } = require('./pieces.js')
const { attach, detach } = require('./pipe.js')
const { WIRE, defineProperties } = require('./properties.js')
const { Request, restartTimer, settle, startTimer, takeAt } = require('./requests.js')
const { readCounters, startTiming, toStats } = require('./stats.js')
const { Transcript, trace, traceClose } = require('./trace.js')

/** Between two keep-alives, in ms: peers drop a connection after about two silent minutes. */
const KEEP_ALIVE_INTERVAL = 60 * 1000

/** Largest block in bytes: with its head it must fit the length prefix and a Buffer. */
const MAX_BLOCK = 0x7fffffff

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
  this.uploadSpeed = speedometer(options?.speed)
  this.downloadSpeed = speedometer(options?.speed)
  this.requests = []
  this.peerRequests = []
  this.error = null

  this[WIRE] = this
  this._slot = acquire(this, settings)
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
  this._blocks = []
  this._blockBytes = 0
  this._sink = null
  this._onDrain = null
  this._pipeCount = 0
  this._pipeListener = null
  this._hasFlowed = false
  this._isSinkBusy = false
  this._isHeldBack = false
  this._isHolding = false
  this._unsent = 0
  this._copiesBlocks = settings.copyBlocks
  this._timed = null
  this._timedSince = 0
  this._latency = null
  this._lastCounters = null
  this._isTraced = false
  this._number = null
  this._transcript = settings.transcript === 0 ? null : new Transcript(settings.transcript)
  this._handshakeTimer = null
  this._inactivityTimer = null
  this._joined = null
  this._joinedLength = 0
  this._missing = 0
  this._kept = 0
  this._queued = null
  this._isDispatching = false
  this._isClosed = false
  this._isDestroyed = false
  this._isFinished = false
  this._failure = null
  this._source = null
  this._isEndOurs = false

  this.on('pipe', onpipe)
  this.on('finish', onfinish)
  startDeadlines(this, settings, fail)
  trace(this)
}

Object.setPrototypeOf(Wire.prototype, Duplex.prototype)
Object.setPrototypeOf(Wire, Duplex)

defineProperties(Wire.prototype)

// Commands

/**
 * Sends a handshake (BEP 3).
 *
 * @param {Uint8Array | string} infoHash - 20 bytes, or 40 hex digits
 * @param {Uint8Array | string} peerId - 20 bytes
 * @param {{dht?: boolean}} [extensions] - what we support besides the extension protocol
 */
Wire.prototype.handshake = function (infoHash, peerId, extensions) {
  const infoHashBytes = args.toId('infoHash', infoHash, 'hex')
  const peerIdBytes = args.toId('peerId', peerId, 'utf8')
  const dht = extensions?.dht ? 1 : 0
  native.handshake(this._slot, infoHashBytes, peerIdBytes, dht)
  send(this)
}

/** Stops answering requests; those that wait are forgotten. */
Wire.prototype.choke = function () {
  if (this._amChoking) return
  this._amChoking = true
  this.peerRequests.length = 0
  takeBack(this)
  native.choke(this._slot)
  send(this)
}

/** Starts answering requests. */
Wire.prototype.unchoke = function () {
  if (!this._amChoking) return
  this._amChoking = false
  native.unchoke(this._slot)
  send(this)
}

/** Tells the peer that we want pieces. */
Wire.prototype.interested = function () {
  if (this._amInterested) return
  this._amInterested = true
  native.interested(this._slot)
  send(this)
}

/** Tells the peer that we want nothing. */
Wire.prototype.uninterested = function () {
  if (!this._amInterested) return
  this._amInterested = false
  native.notInterested(this._slot)
  send(this)
}

/**
 * Tells the peer that we have a piece.
 *
 * @param {number} piece - piece index
 */
Wire.prototype.have = function (piece) {
  args.checkInteger('piece', piece)
  native.have(this._slot, piece)
  send(this)
}

/**
 * Tells the peer all the pieces we have.
 *
 * @param {Uint8Array | {buffer: Uint8Array}} bitfield - the high bit first
 */
Wire.prototype.bitfield = function (bitfield) {
  const bits = args.toBits(bitfield)
  native.sendBitfield(this._slot, bits)
  send(this)
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
  args.checkBlock(piece, offset, length)
  args.checkCallback('callback', callback)
  const settled = callback ?? noop
  if (this._isFinished || this._failure !== null) return settled(closed())
  if (this._peerChoking) return settled(choking())
  const request = new Request(piece, offset, length, settled)
  this.requests.push(request)
  startTiming(this, request)
  native.request(this._slot, piece, offset, length)
  startTimer(this)
  send(this)
}

/**
 * Withdraws the oldest such request, whose callback gets an error.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 */
Wire.prototype.cancel = function (piece, offset, length) {
  args.checkBlock(piece, offset, length)
  takeBack(this)
  const place = native.takeRequest(this._slot, piece, offset, length)
  if (place !== 0) settle(this, takeAt(this.requests, place - 1), cancelled(), null)
  native.cancel(this._slot, piece, offset, length)
  send(this)
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
  args.checkBlock(piece, offset, 0)
  args.checkBytes('block', block)
  args.checkInteger('block.length', block.length, MAX_BLOCK)
  takeBack(this)
  settleAnswered(this, piece, offset, block.length)
  upload(this, piece, offset, block)
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
 * Sends the UDP port of our DHT node (BEP 5).
 *
 * @param {number} port
 */
Wire.prototype.port = function (port) {
  args.checkInteger('port', port, 0xffff)
  native.port(this._slot, port)
  send(this)
}

/**
 * Sends a message of the extension protocol (BEP 10).
 *
 * @param {number} id - 0 is the extended handshake
 * @param {Uint8Array | object | string | number} message - bytes, or what is bencoded
 */
Wire.prototype.extended = function (id, message) {
  args.checkInteger('id', id, 0xff)
  if (message === undefined || message === null) {
    throw new TypeError('message must be a Buffer, a Uint8Array or a value to bencode')
  }
  const payload = isUint8Array(message) ? message : bencode.encode(message)
  native.extended(this._slot, id, payload)
  send(this)
}

/**
 * Sends a keep-alive every minute, or stops that.
 *
 * @param {boolean} [enable] - anything but `false` starts it
 */
Wire.prototype.setKeepAlive = function (enable) {
  clearInterval(this._keepAlive)
  this._keepAlive = null
  if (enable === false || this._isFinished) return
  this._keepAlive = setInterval(keepAlive, KEEP_ALIVE_INTERVAL, this)
}

/**
 * Limits how long the oldest request may wait.
 *
 * @param {number} ms - 0 for no limit
 * @param {() => void} [listener] - of `'timeout'`
 */
Wire.prototype.setTimeout = function (ms, listener) {
  args.checkDuration('ms', ms)
  args.checkCallback('listener', listener)
  this._timeoutMs = ms
  restartTimer(this)
  if (listener) this.on('timeout', listener)
}

/**
 * What the wire has counted, and what waits.
 *
 * @returns {object} see docs/diagnostics.md
 */
Wire.prototype.stats = function () {
  return toStats(this, this._lastCounters ?? readCounters(this))
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
  // Input after a local end() is from a peer that does not know of it yet: no error.
  const isLateInput = error?.code === 'ERR_STREAM_WRITE_AFTER_END'
  if (!this._isClosed) close(this, isLateInput ? null : (error ?? this._failure))
  // The stream's own state follows when there is nothing left to read.
  if (this.readableEnded && this.writableFinished) Duplex.prototype.destroy.call(this)
  return this
}

/**
 * Takes a chunk. A Buffer that finds nothing before it, as pipe() brings them, needs none of the
 * bookkeeping of Writable, which costs more than many a message: it is used up when this returns.
 */
Wire.prototype.write = function (chunk, encoding, callback) {
  const isPlain = chunk instanceof Buffer && encoding === undefined && callback === undefined
  if (!isPlain || !isAtRest(this))
    return Duplex.prototype.write.call(this, chunk, encoding, callback)
  take(this, chunk, noop)
  return true
}

Wire.prototype._write = function (chunk, encoding, callback) {
  // Node forgets to finish a stream that ends within the write of the last chunk that was corked, if
  // this write is done at once.
  const done = () => {
    if (this.writableEnded && this.writableLength === chunk.length) process.nextTick(callback)
    else callback()
  }
  if (this._isClosed) done()
  else take(this, chunk, done)
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
  if (wire._inactivityTimer !== null) wire._inactivityTimer.refresh()
  if (wire._missing !== 0 && !wire._isDispatching && keepWhole(wire, chunk)) done()
  else feed(wire, chunk, done)
}

/** Ends the input: for the peer, unless it is a listener that ends it, or a pipe goes on. */
Wire.prototype.end = function (chunk, encoding, callback) {
  if (!this.writableEnded) {
    const source = this._source
    const goesOn = source !== null && source.readableEnded === false && !source.destroyed
    this._isEndOurs = this._isDispatching || goesOn
  }
  return Duplex.prototype.end.call(this, chunk, encoding, callback)
}

Wire.prototype._read = noop

// Who reads, or stops reading, within a dispatch gets the frames that wait for its end.

Wire.prototype.read = function (size) {
  flush(this)
  try {
    return Duplex.prototype.read.call(this, size)
  } finally {
    this._release()
  }
}

Wire.prototype.pause = function () {
  flush(this)
  return Duplex.prototype.pause.call(this)
}

Wire.prototype.resume = function () {
  flush(this)
  return Duplex.prototype.resume.call(this)
}

Wire.prototype.pipe = function (destination, options) {
  flush(this)
  Duplex.prototype.pipe.call(this, destination, options)
  attach(this, destination)
  if (this._sink === destination) this._pipeListener = this.listeners('data').at(-1)
  this._release()
  return destination
}

Wire.prototype.unpipe = function (destination) {
  flush(this)
  detach(this, destination)
  this._release()
  return Duplex.prototype.unpipe.call(this, destination)
}

/** The output may have room again: tells of requests that were held back. */
Wire.prototype._release = function () {
  tellUnsent(this)
  if (!this._isHolding) return
  this._isHolding = false
  this._pollSoon()
}

Wire.prototype._pollSoon = function () {
  process.nextTick(poll, this)
}

/** Answers a request of the peer, unless it is no longer waiting. */
Wire.prototype._respond = function (request, id, error, block) {
  const position = this.peerRequests.indexOf(request)
  if (position === -1) return
  if (!error) checkAnswer(request, block)
  takeAt(this.peerRequests, position)
  native.answer(this._slot, id)
  if (!error) upload(this, request.piece, request.offset, block)
  else if (this._isHolding) this._release()
}

/** A request has gone with it: those held back go on, even if a listener throws. */
function upload(wire, piece, offset, block) {
  wire.uploaded += block.length
  wire.uploadSpeed(block.length)
  try {
    wire.emit('upload', block.length)
    if (!wire._isFinished) sendBlock(wire, piece, offset, block)
  } finally {
    if (wire._isHolding) wire._release()
  }
}

function checkAnswer(request, block) {
  args.checkBytes('block', block)
  if (block.length !== request.length) {
    throw new RangeError(`block must have ${request.length} bytes, got ${block.length}`)
  }
}

function close(wire, error) {
  wire._isClosed = true
  wire._isDestroyed = true
  wire.error = error
  stopDeadlines(wire)
  traceClose(wire, error)
  takeBack(wire)
  native.stopReading(wire._slot)
  wire.end()
  if (error !== null) attempt(tellError, wire, error)
  wire.emit('close')
}

function tellError(wire, error) {
  if (wire.listenerCount('error') > 0) wire.emit('error', error)
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
  this._source = source
  this.once('unpipe', onunpipe)
}

function onunpipe(source) {
  if (this._source === source) this._source = null
}

/** The writable side has finished: so does the readable one, never half open. */
function onfinish() {
  this._isFinished = true
  clearInterval(this._keepAlive)
  this._keepAlive = null
  this.peerRequests.length = 0
  stopDeadlines(this)
  const isTruncated = !this._isEndOurs && native.isTruncated(this._slot)
  takeBack(this)
  native.close(this._slot)
  attempt(endOutput, this)
  poll(this)
  letGo(this)
  // 'error' comes before 'close', once the output is read.
  if (isTruncated && !this._isClosed) this.error = this._failure = truncated()
}

function letGo(wire) {
  // The core has told of each open request, unless a panic has broken it.
  while (wire.requests.length > 0) {
    attempt(settle, wire, wire.requests.shift(), wire._failure ?? closed(), null)
  }
  wire._source = null
  keepPieces(wire)
  wire._lastCounters = readCounters(wire)
  wire._joined = null
  wire._blocks = []
  giveBack(wire, wire._slot)
  wire._slot = NO_SLOT
}

function keepAlive(wire) {
  native.keepAlive(wire._slot)
  send(wire)
}

module.exports = Wire
