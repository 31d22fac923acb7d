// The class of bittorrent-protocol: a Duplex with its methods and properties, on a session of this package.
'use strict'

const { Duplex } = require('node:stream')

const args = require('../arguments.js')
const offered = require('../extensions/offered.js')
const { sendHandshake } = require('../session/handshakes.js')
const { oldEncryption, withoutFast } = require('./errors.js')
const { defineEnds } = require('./ends.js')
const { defineExtensions } = require('./extensions.js')
const { FACE } = require('./face.js')
const { defineMessages } = require('./messages.js')
const { makeMeter } = require('./meter.js')
const { PieceSet } = require('./piece-set.js')
const { DeferredPort } = require('./port.js')
const { RequestTimer } = require('./request-timer.js')
const { defineRequests } = require('./requests.js')
const { WireSession } = require('./session.js')
const { toWireSettings } = require('./settings.js')
const { defineStream } = require('./stream.js')

/** What a handshake can announce, by the bits of its flags. */
const ANNOUNCED = Array.from({ length: 4 }, (_, bits) => ({
  dht: (bits & 1) !== 0,
  extended: true,
  fast: (bits & 2) !== 0,
  v2: false,
  v2InfoHash: null,
  reserved: null
}))

/** One connection to a peer, as a stream of the bytes of the wire. */
class Wire extends Duplex {
  /** Whether RC4 is native, whatever the OpenSSL of Node has. */
  static nativeRC4 = true

  /** Extensions of the package, as functions that make a class for `use()`. */
  static extensions = offered.extensions

  /** Options of all wires that are made without them: see docs/compat-bittorrent-protocol.md. */
  static defaults = {}

  /**
   * @param {string} [type] - how the connection was made; for encryption it says 'Incoming' or 'Outgoing'
   * @param {0 | 1 | 2} [peEnabled] - 0 no encryption, 1 plain text is preferred, 2 RC4 only
   * @param {object} [options] - see docs/compat-bittorrent-protocol.md
   */
  constructor(type = '', peEnabled = 0, options) {
    super({ autoDestroy: false })
    // Version 4 had the arguments (type, retries, peEnabled), and an encryption that never worked.
    const isVersion4 = typeof options === 'boolean'
    const settings = toWireSettings(isVersion4 ? null : options, Wire.defaults)

    this.type = type
    this.peerId = null
    this.peerIdBuffer = null
    this.peerChoking = true
    this.peerInterested = false
    this.peerPieces = new PieceSet()
    this.extensions = {}
    this.peerExtensions = {}
    this.requests = []
    this.extendedMapping = {}
    this.peerExtendedMapping = {}
    this.extendedHandshake = {}
    this.peerExtendedHandshake = {}
    this.hasFast = false
    this.allowedFastSet = []
    this.peerAllowedFastSet = []
    this.uploaded = 0
    this.downloaded = 0
    this.uploadSpeed = makeMeter()
    this.downloadSpeed = makeMeter()
    /** Why it has ended, if the peer is the reason; null otherwise. */
    this.error = null

    this._ext = {}
    this._nextExt = 1
    /** The object whose names were counted, and how many it has. */
    this._namesOf = this.peerExtendedMapping
    this._nameCount = 0
    this._handshakeSent = false
    this._extendedHandshakeSent = false
    this._isEnding = false
    this._finished = false
    this._peEnabled = isVersion4 ? 0 : toLevel(peEnabled)
    this._encryptor = null
    this._timer = new RequestTimer(() => this._session.inContext(() => this._onTimeout()))
    this._session = new WireSession(this, FACE, new DeferredPort(this), settings)
    if (this._peEnabled > 0) this._encryptor = makeEncryptor(this, settings)

    this.on('finish', this._onFinish)
  }

  /** By which users tell wires apart in logs: made when it is first read. */
  get _debugId() {
    const value = toDebugId()
    Object.defineProperty(this, '_debugId', { value, writable: true, configurable: true })
    return value
  }

  get amChoking() {
    return this._session.amChoking
  }

  set amChoking(value) {
    this._session.amChoking = Boolean(value)
    this._session.overwriteState()
  }

  get amInterested() {
    return this._session.amInterested
  }

  set amInterested(value) {
    this._session.amInterested = Boolean(value)
    this._session.overwriteState()
  }

  /** The requests of the peer that wait for an answer: users edit the array, or assign another one. */
  get peerRequests() {
    return this._session.lendRequests()
  }

  set peerRequests(array) {
    this._session.replaceRequests(array)
  }

  // Commands

  /**
   * @param {Uint8Array | string} infoHash - 20 bytes, or hex digits
   * @param {Uint8Array | string} peerId - the same
   * @param {{dht?: unknown, fast?: unknown}} [extensions] - what we support besides BEP 10
   */
  handshake(infoHash, peerId, extensions) {
    const infoHashBytes = args.toId('infoHash', infoHash, 'hex')
    const peerIdBytes = args.toId('peerId', peerId, 'hex')
    const [dht, fast] = [Boolean(extensions?.dht), Boolean(extensions?.fast)]
    this.extensions = { extended: true, dht, fast }
    if (fast && this.peerExtensions.fast) this.hasFast = true
    const session = this._session
    // Peers may wait for a chunk of exactly this length.
    session.cut()
    sendHandshake(session, infoHashBytes, peerIdBytes, ANNOUNCED[+dht | (+fast << 1)])
    session.cut()
    this._handshakeSent = true
    if (this.peerExtensions.extended && !this._extendedHandshakeSent) this._sendExtendedHandshake()
  }

  /** Stops answering requests: those that wait are dropped, and rejected with the fast extension. */
  choke() {
    if (!this.amChoking) this._session.choke()
  }

  unchoke() {
    this._session.unchoke()
  }

  interested() {
    this._session.interested()
  }

  uninterested() {
    this._session.uninterested()
  }

  /** @param {number} index - of a piece that we have */
  have(index) {
    args.checkInteger('index', index)
    this._session.have(index)
  }

  /** @param {Uint8Array | {buffer: Uint8Array}} bitfield - all pieces that we have, the high bit first */
  bitfield(bitfield) {
    this._session.bitfield(args.toBits(bitfield))
  }

  /**
   * @param {number} index - of the piece
   * @param {number} offset - bytes
   * @param {Uint8Array} buffer - must not change until it is sent
   */
  piece(index, offset, buffer) {
    args.checkBlock(index, offset, 0)
    this._session.piece(index, offset, args.toBytes('buffer', buffer))
  }

  /** @param {number} port - of our DHT node */
  port(port) {
    args.checkInteger('port', port, 0xffff)
    this._session.dhtPort(port)
  }

  keepAlive() {
    this._session.sendKeepAlive()
  }

  /** @param {number} index - of a piece that we suggest to request */
  suggest(index) {
    args.checkInteger('index', index)
    this._fastSession()?.suggest(index)
  }

  haveAll() {
    this._fastSession()?.haveAll()
  }

  haveNone() {
    this._fastSession()?.haveNone()
  }

  /**
   * @param {number} index - of the piece
   * @param {number} offset - bytes
   * @param {number} length - bytes
   */
  reject(index, offset, length) {
    args.checkBlock(index, offset, length)
    this._fastSession()?.reject(index, offset, length)
  }

  /** @param {number} index - of a piece that we serve even while we choke */
  allowedFast(index) {
    args.checkInteger('index', index)
    const session = this._fastSession()
    if (!this.allowedFastSet.includes(index)) this.allowedFastSet.push(index)
    session?.allowedFast(index)
  }

  /** Null after the end, when nothing is sent. */
  _fastSession() {
    if (this.hasFast && this._finished) return null
    if (!this.hasFast || this._session.fast === null) throw withoutFast()
    return this._session
  }

  // Encryption

  /** @param {string} infoHash - in hex: we begin with a key exchange */
  startEncryption(infoHash) {
    if (this._encryptor !== null) this._encryptor.begin(args.toOwnId('infoHash', infoHash, 'hex'))
  }

  /** @param {string} infoHash - in hex: the torrent that 'crypto-infohash' asked for */
  setInfoHash(infoHash) {
    if (this._encryptor !== null) this._encryptor.answer(args.toOwnId('infoHash', infoHash, 'hex'))
  }

  /** What version 4 had for encryption: ends the wire, whose user needs version 5 for that. */
  sendPe1() {
    this._endFor(oldEncryption())
  }

  get _peState() {
    return this._encryptor?.state ?? 'idle'
  }

  get _encryptionMethod() {
    return this._encryptor?.encryptionMethod
  }

  get _cryptoHandshakeDone() {
    return this._encryptor?.cryptoHandshakeDone === true
  }
}

defineEnds(Wire.prototype)
defineExtensions(Wire.prototype)
defineMessages(Wire.prototype)
defineRequests(Wire.prototype)
defineStream(Wire.prototype)

/** Applications pass on what their users have set: anything falsy is none, and beyond the last is the last. */
function toLevel(peEnabled) {
  if (!peEnabled) return 0
  const level = Math.min(Number(peEnabled), 2)
  if (![0, 1, 2].includes(level)) throw new RangeError('peEnabled must be 0, 1 or 2')
  return level
}

/** Eight hex digits. */
function toDebugId() {
  const number = Math.floor(Math.random() * 2 ** 32)
  return number.toString(16).padStart(8, '0')
}

/** Loaded when it is first used: who does not encrypt does not pay for it. */
function makeEncryptor(wire, settings) {
  const { Encryptor } = require('./encryptor.js')
  const encryptor = new Encryptor(wire, settings)
  wire._session.encryption = encryptor
  return encryptor
}

module.exports = Wire
