// The API of peer-wire-protocol: a Duplex that checks its arguments and passes them to a session.
'use strict'

const { errorMonitor } = require('node:events')
const { Duplex } = require('node:stream')
const { isNativeError, isUint8Array } = require('node:util').types

const { toAnnounced } = require('./announced.js')
const args = require('./arguments.js')
const { toPayload } = require('./bencode/encode.js')
const { noFast, noNativeSocket, truncated } = require('./errors.js')
const { FACE } = require('./face.js')
const { toSettings } = require('./options.js')
const { defineProperties } = require('./properties.js')
const { sessionOf } = require('./session-of.js')
const { attempt } = require('./session/attempt.js')
const ends = require('./session/ends.js')
const { useExtension } = require('./session/extended.js')
const { sendHandshake } = require('./session/handshakes.js')
const { Session } = require('./session/session.js')
const { makeMeter } = require('./speed.js')
const { defineConnection } = require('./stream/connection.js')
const { defineStream, watchInput } = require('./stream/methods.js')
const { PORT, Port } = require('./stream/port.js')

const noop = () => {}

/** Most pieces of a torrent, as for the option `pieces`. */
const MAX_PIECES = 0x7fffffff

/**
 * One connection to a peer, as a stream of the bytes of the wire.
 *
 * @param {object} [options] - see docs/api.md
 * @throws {TypeError | RangeError} when an option is out of range
 */
function Wire(options) {
  if (!(this instanceof Wire)) return new Wire(options)
  const settings = toSettings(options)
  // destroy() emits 'close' itself, synchronously, as in peer-wire-protocol; Node would do it a tick later.
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
  /** Whether we ended the input, and not the peer. */
  this._isEndOurs = false
  /** Made with the first pipe. */
  this._leftovers = null
  const session = makeSession(this, settings, options?.[PORT])
  this._getSession = () => session

  watchInput(this)
  this.on('finish', onfinish)
}

Object.setPrototypeOf(Wire.prototype, Duplex.prototype)
Object.setPrototypeOf(Wire, Duplex)

defineProperties(Wire.prototype)
defineStream(Wire.prototype)
defineConnection(Wire.prototype)

// Commands

/**
 * Sends a handshake. BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>.
 *
 * @param {Uint8Array | string} infoHash - 20 bytes, or 40 hex digits; of version 2 also all 32 or 64
 * @param {Uint8Array | string} peerId - 20 bytes
 * @param {{dht?: unknown, extended?: boolean, fast?: boolean, v2?: boolean | Uint8Array | string,
 *   reserved?: Uint8Array}} [extensions] - what we support: `dht` may be any truthy value, as in
 *   peer-wire-protocol; `v2` is an info hash of version 2 that the peer may answer with
 */
Wire.prototype.handshake = function (infoHash, peerId, extensions) {
  const session = sessionOf(this)
  const { infoHash: infoHashBytes, isV2 } = args.toInfoHash('infoHash', infoHash)
  const peerIdBytes = args.toId('peerId', peerId, 'utf8')
  // Users of peer-wire-protocol may pass on what the peer has announced, of which only `dht` counts there.
  const isEcho = extensions === session.wire.peerExtensions
  const announced = toAnnounced(extensions, isEcho, isV2 ? infoHashBytes : null)
  sendHandshake(session, infoHashBytes, peerIdBytes, announced)
}

/** Stops answering requests; those that wait are dropped (BEP 3). */
Wire.prototype.choke = function () {
  sessionOf(this).choke()
}

/** Starts answering requests. */
Wire.prototype.unchoke = function () {
  sessionOf(this).unchoke()
}

/** Announces that we want pieces from the peer. */
Wire.prototype.interested = function () {
  sessionOf(this).interested()
}

/** Announces that we want no pieces from the peer. */
Wire.prototype.uninterested = function () {
  sessionOf(this).uninterested()
}

/**
 * Announces a piece that we have.
 *
 * @param {number} piece - piece index
 */
Wire.prototype.have = function (piece) {
  const session = sessionOf(this)
  args.checkInteger('piece', piece)
  session.have(piece)
}

/**
 * Announces all pieces that we have. BEP 3 allows this only as the first message.
 *
 * @param {Uint8Array | {buffer: Uint8Array}} bitfield - the high bit first
 */
Wire.prototype.bitfield = function (bitfield) {
  sessionOf(this).bitfield(args.toBits(bitfield))
}

/**
 * Announces that we have all pieces, in place of a bitfield. BEP 6
 * <https://www.bittorrent.org/beps/bep_0006.html>.
 *
 * @throws {Error} `ERR_PWP_NO_FAST` when not both sides have announced the fast extension, as all methods of
 *   BEP 6 do
 */
Wire.prototype.haveAll = function () {
  fastSessionOf(this).haveAll()
}

/** Announces that we have no piece, in place of a bitfield (BEP 6). */
Wire.prototype.haveNone = function () {
  fastSessionOf(this).haveNone()
}

/**
 * Suggests a piece to download (BEP 6).
 *
 * @param {number} piece - piece index
 */
Wire.prototype.suggest = function (piece) {
  args.checkInteger('piece', piece)
  fastSessionOf(this).suggest(piece)
}

/**
 * Serves a piece from now on even while we choke, and tells the peer (BEP 6).
 *
 * @param {number} piece - piece index
 */
Wire.prototype.allowedFast = function (piece) {
  args.checkInteger('piece', piece)
  fastSessionOf(this).allowedFast(piece)
}

/**
 * Rejects the oldest request of the peer for this block (BEP 6); does nothing if none waits.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 */
Wire.prototype.reject = function (piece, offset, length) {
  args.checkBlock(piece, offset, length)
  fastSessionOf(this).reject(piece, offset, length)
}

/**
 * Sets the number of pieces of the torrent once it is known, as the option `pieces` does from the start.
 *
 * @param {number} count
 */
Wire.prototype.setPieces = function (count) {
  const session = sessionOf(this)
  args.checkRange('count', count, 1, MAX_PIECES)
  args.checkInteger('count', count)
  session.setPieces(count)
}

/**
 * Requests a block.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 * @param {{signal?: AbortSignal, timeout?: number} | Function} [options] - what ends this request early, or
 *   the callback
 * @param {(error: Error | null, block: Buffer | null) => void} [callback] - called exactly once
 */
Wire.prototype.request = function (piece, offset, length, options, callback) {
  const session = sessionOf(this)
  args.checkBlock(piece, offset, length)
  if (typeof options === 'function') return session.request(piece, offset, length, options)
  const hasOptions = typeof options === 'object' && options !== null
  if (!hasOptions) args.checkCallback('callback', options)
  args.checkCallback('callback', callback)
  if (!hasOptions) return session.request(piece, offset, length, callback ?? noop)
  return prepare(session, [piece, offset, length], options)(callback ?? noop)
}

/**
 * Requests a block, as {@link Wire#request} does.
 *
 * @param {number} piece - piece index
 * @param {number} offset - bytes
 * @param {number} length - bytes
 * @param {{signal?: AbortSignal, timeout?: number}} [options] - what ends this request early
 * @returns {Promise<Buffer>} the block
 */
Wire.prototype.requestBlock = function (piece, offset, length, options) {
  const session = sessionOf(this)
  args.checkBlock(piece, offset, length)
  const request = prepare(session, [piece, offset, length], options)
  return new Promise((resolve, reject) => {
    request((error, block) => (error ? reject(error) : resolve(block)))
  })
}

/**
 * Fetches a piece: its blocks are requested, put together and checked; with a native socket off the event loop.
 *
 * @param {number} index - piece index
 * @param {object} options - see docs/api.md
 * @returns {Promise<Buffer>} the piece
 */
Wire.prototype.fetchPiece = function (index, options) {
  // Loaded when it is first used, as most wires ask for blocks.
  return require('./pieces/fetch.js').fetchPiece(sessionOf(this), index, options)
}

/**
 * Serves pieces: requests of the peer are answered from this source off the event loop, and no `'request'` is emitted
 * for them. Only for wires with a native socket.
 *
 * @param {import('./transport/piece-source.js').PieceSource | object | null} source - or the options of one; null to
 *   serve no longer
 */
Wire.prototype.serve = function (source) {
  const session = sessionOf(this)
  if (!session.port.isNative) throw noNativeSocket('serve')
  require('./transport/serving.js').serve(session, source)
}

/**
 * Limits how fast this wire is read and written. Only for wires with a native socket.
 *
 * @param {{download?: number, upload?: number}} limits - in bytes a second, 0 for none; one that is left out stays
 */
Wire.prototype.setRateLimits = function (limits) {
  const session = sessionOf(this)
  if (!session.port.isNative) throw noNativeSocket('setRateLimits')
  require('./transport/rates.js').limitRates(session.port.link, limits)
}

/**
 * Shares limits with other wires. Only for wires with a native socket.
 *
 * @param {import('./transport/rates.js').RateGroup | null} group - null for none
 */
Wire.prototype.setRateGroup = function (group) {
  const session = sessionOf(this)
  if (!session.port.isNative) throw noNativeSocket('setRateGroup')
  require('./transport/rates.js').joinGroup(session.port.link, group)
}

/**
 * Cancels the oldest request for this block; its callback gets an error.
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
 * Sends a block. Usually the callback of a `'request'` event does this.
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
 * Sends the UDP port of our DHT node. BEP 5 <https://www.bittorrent.org/beps/bep_0005.html>.
 *
 * @param {number} port
 */
Wire.prototype.port = function (port) {
  const session = sessionOf(this)
  args.checkInteger('port', port, 0xffff)
  session.dhtPort(port)
}

/**
 * Uses an extension. BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>.
 *
 * @param {Function} Extension - a class whose prototype has a `name`; see docs/api.md
 * @returns {object} its instance, which is also the property of this name
 */
Wire.prototype.use = function (Extension) {
  return useExtension(sessionOf(this), Extension)
}

/**
 * Sends a message of the extension protocol. BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>.
 *
 * @param {number | string} id - the peer's id, or the name of an extension of the peer; 0 is the extended
 *   handshake
 * @param {Uint8Array | object | string | number | bigint | null} message - bytes, or a value to
 *   bencode
 */
Wire.prototype.extended = function (id, message) {
  const session = sessionOf(this)
  const { extensions } = session
  const isName = typeof id === 'string' && extensions !== null
  const number = isName ? extensions.idOf(id) : id
  args.checkInteger('id', number, 0xff)
  if (number === 0 && extensions !== null) extensions.sendByHand(message)
  else session.extended(number, toPayload(message))
}

/**
 * Fetches the info dictionary of the torrent from the peer. BEP 9
 * <https://www.bittorrent.org/beps/bep_0009.html>.
 *
 * @param {{signal?: AbortSignal, timeout?: number, maxSize?: number}} [options] - see docs/api.md
 * @returns {Promise<Buffer>} it has the info hash of the wire
 */
Wire.prototype.metadata = function (options) {
  return metadataCalls().fetchMetadata(sessionOf(this), options)
}

/**
 * Serves the info dictionary of the torrent to the peer (BEP 9).
 *
 * @param {Uint8Array} info - must not change
 */
Wire.prototype.serveMetadata = function (info) {
  metadataCalls().serveMetadata(sessionOf(this), info)
}

/**
 * Requests a part of the hash tree of a file. BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>.
 *
 * @param {{root: Uint8Array | string, baseLayer: number, index: number, length: number,
 *   proofLayers: number, parent?: Uint8Array | string}} request - see docs/api.md
 * @param {{signal?: AbortSignal, timeout?: number}} [options] - `timeout` in ms, 0 for no limit
 * @returns {Promise<Buffer>} the hashes of the base layer, 32 bytes each, which are checked
 */
Wire.prototype.requestHashes = function (request, options) {
  const session = sessionOf(this)
  // Loaded when it is first used: few wires are of version 2.
  return require('./session/hash-requests.js').requestHashes(session, request, options)
}

/**
 * Sends a keep-alive every minute, or stops sending them.
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
 * Returns the counters of the wire, and how much is queued.
 *
 * @returns {object} see docs/diagnostics.md
 */
Wire.prototype.stats = function () {
  return sessionOf(this).stats()
}

// Ends

/**
 * Closes the wire at once: `'close'` is emitted before this returns, nothing more is delivered from the
 * peer, and both sides end. The callbacks of open requests are called when the writable side has finished.
 * May be called again, and in any listener.
 *
 * @param {Error | null} [error] - kept as `wire.error`; `'error'` is emitted if someone listens
 * @returns {this}
 */
Wire.prototype.destroy = function (error) {
  const session = sessionOf(this)
  const { wire } = session
  // Input after a local end() is from a peer that has not noticed the end yet: not an error.
  const isLateInput = isNativeError(error) && error.code === 'ERR_STREAM_WRITE_AFTER_END'
  // `false` is not a reason: the 'close' event of a socket, for one, passes it on.
  const reason = isLateInput ? null : error || session.failure
  const isOver = wire.readableEnded && wire.writableFinished
  if (!session.isClosed) {
    // The reader of the last byte ends the wire, and may be running in any async context.
    if (isOver) session.inContext(close, reason)
    else close.call(session, reason)
  }
  // The stream's own state follows once there is nothing left to read.
  if (isOver) Duplex.prototype.destroy.call(this)
  return this
}

/** Checks the options of a request; returns how to make it. What they need is loaded with the first of them. */
function prepare(session, block, options) {
  const isMissing = options === undefined || options === null
  const limits = isMissing
    ? null
    : require('./request-options.js').toBlockOptions(options, block[2])
  if (limits === null) return (callback) => session.request(...block, callback)
  const { requestWithin } = require('./session/limits.js')
  return (callback) => requestWithin(session, block, limits, callback)
}

/** @param {((wire: Wire) => object) | undefined} makePort - of a wire that is no stream */
function makeSession(wire, settings, makePort) {
  if (settings.encryption !== null) return makeEncryptedSession(wire, settings, makePort)
  const port = makePort === undefined ? new Port(wire) : makePort(wire)
  return new Session(wire, FACE, port, settings)
}

/** Loaded when it is first used: who does not encrypt does not pay for it. */
function makeEncryptedSession(wire, settings, makePort) {
  const { EncryptedSession } = require('./session/encrypted.js')
  const { EncryptedPort } = require('./stream/encrypted-port.js')
  const port = makePort === undefined ? new EncryptedPort(wire) : makePort(wire)
  return new EncryptedSession(wire, FACE, port, settings)
}

/** Loaded when it is first used, as most wires use none of it. */
function metadataCalls() {
  return require('./extensions/metadata/calls.js')
}

function fastSessionOf(receiver) {
  const session = sessionOf(receiver)
  if (session.fast === null) throw noFast()
  return session
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
  // Emitting 'error' would reach the monitors as well, but throws when 'error' has no listener.
  else wire.emit(errorMonitor, error)
}

function onfinish() {
  sessionOf(this).inContext(finish)
}

/** Called on a session: its input has ended. */
function finish() {
  const { wire } = this
  // Asked first, as the end releases the exchange.
  const unfinished = this.encryption === null ? null : this.encryption.lack()
  const isTruncated = ends.finish(this)
  wire._leftovers?.discard()
  wire._source = null
  if (wire._isEndOurs || this.isClosed) return
  // destroy() emits 'error' and then 'close', once the output is read.
  if (unfinished !== null) wire.error = this.failure = unfinished
  else if (isTruncated) wire.error = this.failure = truncated()
}

module.exports = Wire
