// The extension protocol of one session, BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>: which
// extensions both sides have, under which ids, and what they do with handshakes and messages.
//
// An extension is an instance of a class with the contract of bittorrent-protocol: `prototype.name`, a
// constructor that takes the wire, and `onHandshake`, `onExtendedHandshake` and `onMessage` if it wants.
'use strict'

const { encode, isDictionary, toPayload } = require('../bencode/encode.js')
const { attempt } = require('../session/attempt.js')
const { readPeerHandshake } = require('./peer-handshake.js')
const { native } = require('../native.js')

/** Ids have one byte, and 0 is the handshake. */
const MAX_ID = 255

/** Longest name in bytes that other implementations of this package understand. */
const MAX_NAME_LENGTH = 64

class Extensions {
  /** @param {import('../session/session.js').Session} session */
  constructor(session) {
    this.session = session
    /** What extensions get. */
    this.wire = session.wire
    /** What our handshake says besides `m`: users add to it. */
    this.handshake = {}
    /** Names by our ids, which the peer uses. */
    this.mapping = Object.create(null)
    /** Ids of the peer by name, which we use. */
    this.peerMapping = Object.create(null)
    /** The fields of the peer's handshakes, without `m`. */
    this.peerFields = {}
    /** What the peer's handshakes say; null before the first. */
    this.peerHandshake = null
    /** Extensions by name. */
    this.handlers = new Map()
    /** Whether we have sent a handshake. */
    this.isSent = false
    /** Called when output has drained, if somebody waits for that. */
    this.onDrain = null
    /** Called when what both sides have announced may have changed, or the wire is closed. */
    this.watchers = null
  }

  /**
   * @param {Function} Extension
   * @returns {string} its name
   */
  use(Extension) {
    const { mapping, wire } = this
    const name = checkedName(Extension, wire)
    this.#freeId()
    const handler = new Extension(wire)
    // The constructor may have used another extension.
    checkFree(name, wire)
    const id = this.#freeId()
    // First, as it throws on a wire that takes no further properties.
    wire[name] = handler
    mapping[id] = name
    this.handlers.set(name, handler)
    return name
  }

  /** Tells the peer of an extension that was added, and the extension of the peer. */
  tell(name) {
    this.#adoptHandshake()
    const { peerHandshake } = this
    if (this.isSent) attempt(sendHandshake, this)
    else if (this.session.isIntroduced) this.greet()
    // If the peer has answered meanwhile, the extension was told of that.
    const isTold = peerHandshake === null || this.peerHandshake !== peerHandshake
    if (!isTold && !this.session.isClosed) this.#announce(name)
  }

  /** Takes the handshake that a user has assigned before the first extension was used. */
  #adoptHandshake() {
    const { wire } = this
    const own = Object.getOwnPropertyDescriptor(wire, 'extendedHandshake')?.value
    if (typeof own !== 'object' || own === null) return
    Reflect.deleteProperty(wire, 'extendedHandshake')
    this.handshake = own
  }

  #freeId() {
    for (let id = 1; id <= MAX_ID; id++) if (!(id in this.mapping)) return id
    throw new RangeError(`a wire has at most ${MAX_ID} extensions`)
  }

  /**
   * @param {string} name - of an extension
   * @returns {number} the id that the peer has announced for it
   * @throws {Error} with the text of bittorrent-protocol if it has not
   */
  idOf(name) {
    const id = this.peerMapping[name]
    if (id === undefined) throw new Error(`Unrecognized extension: ${name}`)
    return id
  }

  /** Sends our handshake once both sides have announced the extension protocol. */
  greet() {
    const { announced, peerAnnounced } = this.session
    if (!this.isSent && announced?.extended && peerAnnounced?.extended) attempt(sendHandshake, this)
    if (this.watchers !== null) this.changed()
  }

  /** @param {() => void} watcher */
  watch(watcher) {
    this.watchers ??= new Set()
    this.watchers.add(watcher)
  }

  /** @param {() => void} watcher */
  unwatch(watcher) {
    this.watchers?.delete(watcher)
  }

  /** Something was announced, or the wire is closed. */
  changed() {
    if (this.watchers === null) return
    // Without those that are added meanwhile, or it might never end.
    const watchers = [...this.watchers]
    for (const watcher of watchers) attempt(watcher)
  }

  /**
   * A user sends a handshake, which counts as ours. A dictionary has ours added to it.
   *
   * @param {unknown} message
   */
  sendByHand(message) {
    if (isMergeable(message)) this.sendHandshake(message)
    else this.#send(toPayload(message))
  }

  /** @param {object | null} own - of a user, to which ours is added; null for none */
  sendHandshake(own) {
    const handshake = this.#toHandshake(own)
    const payload = encode(handshake)
    this.#learn(handshake.m)
    this.#send(payload)
  }

  #send(payload) {
    this.isSent = true
    this.session.extended(0, payload)
  }

  /** The handshake to send now. What a user gives counts before what we would send. */
  #toHandshake(own) {
    try {
      return this.#merge(own)
    } catch (cause) {
      // A getter or a proxy trap has thrown.
      throw new TypeError('message cannot be read', { cause })
    }
  }

  #merge(own) {
    const m = Object.create(null)
    for (const [id, name] of Object.entries(this.mapping)) m[name] = Number(id)
    // Copied first, as a getter may return something else the next time.
    const usual = { ...this.handshake }
    const given = { ...own }
    Object.assign(m, usual.m, given.m)
    return { reqq: this.session.settings.maxPeerRequests, ...usual, ...given, m }
  }

  /**
   * A handshake is sent: a user may have announced extensions that have no class.
   *
   * @param {Record<string, unknown>} m
   */
  #learn(m) {
    for (const [name, id] of Object.entries(m))
      if (Number.isInteger(id) && id >= 1 && id <= MAX_ID) this.mapping[id] ??= name
  }

  /** The peer's handshake was read. */
  onHandshake(infoHash, peerId) {
    const infoHashHex = infoHash.toString('hex')
    const peerIdHex = peerId.toString('hex')
    for (const handler of this.handlers.values()) {
      if (this.session.isClosed) return
      attempt(notify, handler, 'onHandshake', [infoHashHex, peerIdHex, this.wire.peerExtensions])
    }
  }

  /**
   * The peer's extended handshake was read, which may be a further one.
   *
   * @param {Buffer} payload
   */
  onExtendedHandshake(payload) {
    const { names, known, others } = readPeerHandshake(payload)
    for (const name of names) this.#learnPeerId(name)
    Object.assign(this.peerFields, known)
    this.peerHandshake = Object.assign(others, this.peerFields, { m: this.peerMapping })
    // Without those that are used meanwhile, which are told at once.
    const used = [...this.handlers.keys()]
    for (const name of used) if (!this.session.isClosed) this.#announce(name)
    this.changed()
  }

  /** Only for the names in a handshake, as one of a few bytes may follow one with hundreds of names. */
  #learnPeerId(name) {
    const id = native.peerExtensionId(this.session.core.slot, Buffer.from(name))
    if (id === 0) delete this.peerMapping[name]
    else this.peerMapping[name] = id
  }

  #announce(name) {
    if (name in this.peerMapping)
      attempt(notify, this.handlers.get(name), 'onExtendedHandshake', [this.peerHandshake])
  }

  /**
   * @param {number} id - one of ours
   * @param {Buffer} payload
   */
  onMessage(id, payload) {
    const handler = this.handlers.get(this.mapping[id])
    if (handler !== undefined) attempt(notify, handler, 'onMessage', [payload])
  }
}

function sendHandshake(extensions) {
  extensions.sendHandshake(null)
}

/** Whether our handshake can be added to a message of a user. */
function isMergeable(message) {
  try {
    return message === null || (typeof message === 'object' && isDictionary(message))
  } catch {
    // A proxy that cannot be read: to bencode it says so.
    return false
  }
}

function notify(handler, method, args) {
  if (typeof handler[method] === 'function') handler[method](...args)
}

function checkedName(Extension, wire) {
  if (typeof Extension !== 'function') throw new TypeError('Extension must be a class')
  const name = Extension.prototype?.name
  if (!name) throw new Error('Extension class requires a "name" property on the prototype')
  if (typeof name !== 'string') throw new TypeError('Extension.prototype.name must be a string')
  // Bencode could not express it.
  if (!name.isWellFormed()) throw new TypeError('Extension.prototype.name must be in Unicode')
  if (Buffer.byteLength(name) > MAX_NAME_LENGTH)
    throw new RangeError(`Extension.prototype.name must have at most ${MAX_NAME_LENGTH} bytes`)
  checkFree(name, wire)
  return name
}

function checkFree(name, wire) {
  if (name in wire) throw new Error(`extension name ${name} is a member of the wire`)
}

module.exports = { Extensions }
