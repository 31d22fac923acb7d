// The face of peer-wire-protocol: a Duplex that checks what its user gives, and passes it to a session.
'use strict'

const { errorMonitor } = require('node:events')
const { Duplex } = require('node:stream')
const { isNativeError, isUint8Array } = require('node:util').types

const args = require('./arguments.js')
const bencode = require('./bencode.js')
const { truncated } = require('./errors.js')
const { FACE } = require('./face.js')
const { toSettings } = require('./options.js')
const { defineProperties } = require('./properties.js')
const { sessionOf } = require('./session-of.js')
const { attempt } = require('./session/attempt.js')
const ends = require('./session/ends.js')
const { Session } = require('./session/session.js')
const { makeMeter } = require('./speed.js')
const { defineStream, watchInput } = require('./stream/methods.js')
const { Port } = require('./stream/port.js')

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
  this.peerAddress = null
  this.uploaded = 0
  this.downloaded = 0
  this.uploadSpeed = makeMeter(settings.speed)
  this.downloadSpeed = makeMeter(settings.speed)
  this.error = null

  /** What users have written to `destroyed`. */
  this._isDestroyed = undefined
  /** What is piped into the wire. */
  this._source = null
  /** Whether the input was ended by us, and not by the peer. */
  this._isEndOurs = false
  /** Made with the first pipe. */
  this._leftovers = null
  const session = new Session(this, FACE, new Port(this), settings)
  this._getSession = () => session

  watchInput(this)
  this.on('finish', onfinish)
}

Object.setPrototypeOf(Wire.prototype, Duplex.prototype)
Object.setPrototypeOf(Wire, Duplex)

defineProperties(Wire.prototype)
defineStream(Wire.prototype)

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
  const session = sessionOf(this)
  const infoHashBytes = args.toId('infoHash', infoHash, 'hex')
  const peerIdBytes = args.toId('peerId', peerId, 'utf8')
  session.handshake(infoHashBytes, peerIdBytes, extensions?.dht ? 1 : 0)
}

/** Stops answering requests; those that wait are forgotten. */
Wire.prototype.choke = function () {
  sessionOf(this).choke()
}

/** Starts answering requests. */
Wire.prototype.unchoke = function () {
  sessionOf(this).unchoke()
}

/** Tells the peer that we want pieces. */
Wire.prototype.interested = function () {
  sessionOf(this).interested()
}

/** Tells the peer that we want nothing. */
Wire.prototype.uninterested = function () {
  sessionOf(this).uninterested()
}

/**
 * Tells the peer that we have a piece.
 *
 * @param {number} piece - piece index
 */
Wire.prototype.have = function (piece) {
  const session = sessionOf(this)
  args.checkInteger('piece', piece)
  session.have(piece)
}

/**
 * Tells the peer all the pieces we have.
 *
 * @param {Uint8Array | {buffer: Uint8Array}} bitfield - the high bit first
 */
Wire.prototype.bitfield = function (bitfield) {
  sessionOf(this).bitfield(args.toBits(bitfield))
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
  const session = sessionOf(this)
  args.checkBlock(piece, offset, length)
  args.checkCallback('callback', callback)
  return session.request(piece, offset, length, callback ?? noop)
}

/**
 * Withdraws the oldest such request, whose callback gets an error.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 */
Wire.prototype.cancel = function (piece, offset, length) {
  const session = sessionOf(this)
  args.checkBlock(piece, offset, length)
  session.cancel(piece, offset, length)
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
  const session = sessionOf(this)
  args.checkBlock(piece, offset, 0)
  if (!isUint8Array(block) && session.dropAnswer(piece, offset, block)) return
  session.piece(piece, offset, args.toBytes('block', block))
}

/**
 * Sends the UDP port of our DHT node (BEP 5).
 *
 * @param {number} port
 */
Wire.prototype.port = function (port) {
  const session = sessionOf(this)
  args.checkInteger('port', port, 0xffff)
  session.dhtPort(port)
}

/**
 * Sends a message of the extension protocol (BEP 10).
 *
 * @param {number} id - 0 is the extended handshake
 * @param {Uint8Array | object | string | number | bigint | null} message - bytes, or what is
 *   bencoded
 */
Wire.prototype.extended = function (id, message) {
  const session = sessionOf(this)
  args.checkInteger('id', id, 0xff)
  const payload = isUint8Array(message) ? message : bencode.encode(message)
  session.extended(id, args.toBytes('message', payload))
}

/**
 * Sends a keep-alive every minute, or stops that.
 *
 * @param {boolean} [enable] - anything but `false` starts it
 */
Wire.prototype.setKeepAlive = function (enable) {
  sessionOf(this).setKeepAlive(enable !== false)
}

/**
 * Limits how long the oldest request may wait.
 *
 * @param {number} ms - 0 for no limit
 * @param {() => void} [listener] - of `'timeout'`
 */
Wire.prototype.setTimeout = function (ms, listener) {
  const session = sessionOf(this)
  args.checkDuration('ms', ms)
  args.checkCallback('listener', listener)
  session.setTimeout(ms)
  if (listener) this.on('timeout', listener)
}

/**
 * What the wire has counted, and what waits.
 *
 * @returns {object} see docs/diagnostics.md
 */
Wire.prototype.stats = function () {
  return sessionOf(this).stats()
}

// Ends

/**
 * Closes the wire at once: `'close'` is emitted before this returns, nothing of the peer is delivered
 * any more, and both sides end. Callbacks of open requests follow when the writable side has
 * finished. May be called again, and in any listener.
 *
 * @param {Error | null} [error] - kept as `wire.error`; `'error'` is emitted if someone listens
 * @returns {this}
 */
Wire.prototype.destroy = function (error) {
  const session = sessionOf(this)
  const { wire } = session
  // Input after a local end() is from a peer that does not know of it yet: no error.
  const isLateInput = isNativeError(error) && error.code === 'ERR_STREAM_WRITE_AFTER_END'
  // 'close' of a socket, for one, calls with `false`, which is no reason.
  const reason = isLateInput ? null : error || session.failure
  const isOver = wire.readableEnded && wire.writableFinished
  if (!session.isClosed) {
    // Whoever reads the last byte ends the wire, and may do so for any purpose.
    if (isOver) session.inContext(close, reason)
    else close.call(session, reason)
  }
  // The stream's own state follows when there is nothing left to read.
  if (isOver) Duplex.prototype.destroy.call(this)
  return this
}

/** Called on a session. */
function close(error) {
  const { wire } = this
  wire.error = error
  wire._isDestroyed = true
  ends.close(this, error)
  wire.end()
  if (error !== null) attempt(emitError, wire, error)
  wire.emit('close')
}

function emitError(wire, error) {
  if (wire.listenerCount('error') > 0) wire.emit('error', error)
  // 'error' would reach these as well, but throw without a listener of its own.
  else wire.emit(errorMonitor, error)
}

function onfinish() {
  sessionOf(this).inContext(finish)
}

/** Called on a session: its input has ended. */
function finish() {
  const { wire } = this
  const isTruncated = ends.finish(this) && !wire._isEndOurs
  wire._leftovers?.discard()
  wire._source = null
  // 'error' comes before 'close', once the output is read.
  if (isTruncated && !this.isClosed) wire.error = this.failure = truncated()
}

module.exports = Wire
