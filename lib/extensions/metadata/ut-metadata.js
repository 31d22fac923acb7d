// The extension ut_metadata, BEP 9 <https://www.bittorrent.org/beps/bep_0009.html>, as a class for `wire.use()` of
// our wires and those of bittorrent-protocol, with the surface of the npm package ut_metadata.
'use strict'

const { EventEmitter } = require('node:events')
const { isUint8Array } = require('node:util').types

const { toBytes, viewOf } = require('../../arguments.js')
const { addon } = require('../../native.js')
const { Channel, NAME } = require('./channel.js')
const { Engine } = require('./engine.js')
const { faultOf, missing } = require('./errors.js')
const { LIMITS, infoHashOf } = require('./options.js')
const { infoIn } = require('./torrent.js')

/** The number of the only peer. */
const PEER = 0

/** The channels of instances, for the other modules of metadata. */
const channels = new WeakMap()

/**
 * @param {Uint8Array} [info] - to be served: the info dictionary, or a torrent file; must not change
 * @returns {Function} a class for `wire.use()`
 */
function utMetadata(info) {
  // As in the package ut_metadata, where it may be anything.
  const given = ArrayBuffer.isView(info) ? toBytes('info', info) : null

  return makeClass((extension) => given !== null && extension.setMetadata(given))
}

/**
 * @param {Uint8Array} info - the info dictionary and nothing else
 * @returns {Function} a class for `wire.use()`
 */
function servingMetadata(info) {
  return makeClass((extension) => serve(extension, info))
}

function makeClass(setUp) {
  class UtMetadata extends Extension {
    constructor(wire) {
      super(wire)
      setUp(this)
    }
  }
  Object.defineProperty(UtMetadata.prototype, 'name', { value: NAME })
  return UtMetadata
}

/**
 * Serves an info dictionary in place of what was served before.
 *
 * @type {(extension: Extension, info: Uint8Array) => boolean}
 */
let serve

/** Emits `'metadata'` and `'warning'`. */
class Extension extends EventEmitter {
  static {
    serve = (extension, info) => extension.#setInfo(viewOf(info))
  }

  #wire
  #channel
  /** 20 bytes, as the peer's handshake has them. */
  #infoHash = null
  /** What the peer announces; null before. */
  #size = null
  /** What the peer calls itself. */
  #client
  #engine = null
  #asker = { receive: (message) => this.#engine?.receive(PEER, message) }
  #isFetching = false
  #onChange = () => this.#start()

  constructor(wire) {
    super()
    this.#wire = wire
    this.#channel = new Channel(wire)
    channels.set(this, this.#channel)
    /** The info dictionary, once it is known. */
    this.metadata = undefined
  }

  /** Fetches the metadata from the peer, now or as soon as that announces them. */
  fetch() {
    if (this.metadata !== undefined) return
    this.#isFetching = true
    this.#start()
  }

  /** Asks for nothing more. */
  cancel() {
    this.#isFetching = false
    this.#engine?.pause()
  }

  /**
   * Sets the metadata, which the peer is served from now on.
   *
   * @param {Uint8Array} metadata - the info dictionary, or a torrent file
   * @returns {Promise<boolean>} whether they have the info hash; all is done when this returns
   */
  setMetadata(metadata) {
    if (this.metadata !== undefined) return Promise.resolve(true)
    const bytes = viewOf(toBytes('metadata', metadata))
    return Promise.resolve(this.#setInfo(infoIn(bytes) ?? bytes))
  }

  /** Counts of what the peer has asked for and sent. */
  stats() {
    const { ignored, server } = this.#channel
    return {
      answered: server.answered,
      rejected: server.rejected,
      waiting: server.waiting,
      ignoredRequests: server.ignored,
      ignoredMessages: ignored
    }
  }

  onHandshake(infoHash) {
    this.#infoHash = Buffer.from(infoHash, 'hex')
    if (this.metadata !== undefined && !this.#fits(this.metadata)) this.#withdraw()
    this.#start()
  }

  onExtendedHandshake(handshake) {
    const size = handshake.metadata_size
    this.#size = null
    this.#client = toText(handshake.v)
    if (!size) return this.emit('warning', missing())
    if (!Number.isInteger(size) || size < 0 || size > LIMITS.maxSize)
      return this.emit('warning', faultOf(addon.MetadataFault.Size, size, LIMITS.maxSize))
    this.#size = size
    this.#start()
  }

  onMessage(message) {
    // bittorrent-protocol hands over a Uint8Array.
    this.#channel.onMessage(message)
  }

  #setInfo(info) {
    if (info.length === 0 || !this.#fits(info)) return false
    // First, as it throws where a user has frozen their handshake.
    this.#wire.extendedHandshake.metadata_size = info.length
    this.cancel()
    this.#stop()
    this.metadata = info
    this.#channel.server.info = info
    this.emit('metadata', Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]))
    return true
  }

  /** They were set before the info hash was known, and have another one. */
  #withdraw() {
    this.metadata = undefined
    this.#channel.server.info = null
    delete this.#wire.extendedHandshake.metadata_size
    this.emit('warning', new Error('metadata does not have the info hash of the wire'))
  }

  /** The info hash of the wire: ours where we have sent one. */
  get #expectedHash() {
    return infoHashOf(this.#channel.session) ?? this.#infoHash
  }

  #fits(info) {
    const infoHash = this.#expectedHash
    return infoHash === null || addon.metadataMatches(info, [infoHash])
  }

  #start() {
    const infoHash = this.#expectedHash
    if (!this.#isFetching || this.#size === null || infoHash === null) return
    const extensions = this.#channel.session?.extensions
    // Nothing is asked for before our handshakes have left.
    if (extensions?.isSent === false) return extensions.watch(this.#onChange)
    extensions?.unwatch(this.#onChange)
    if (this.#engine === null) {
      this.#engine = new Engine([infoHash], LIMITS, {
        request: (_, piece) => this.#channel.ask(this.#asker, piece),
        dropped: (_, fault) => this.#fail(fault),
        done: (metadata) => this.#setInfo(metadata)
      })
      this.#channel.attach(this.#asker)
    }
    const fault = this.#engine.join(PEER, this.#size, this.#client)
    // It may have been dropped at once, or have answered.
    if (fault === null) this.#engine?.start()
    else this.#fail(fault)
  }

  /** The peer is asked no more, whatever it announces later, until `fetch()` is called again. */
  #fail(fault) {
    this.#isFetching = false
    this.#stop()
    this.emit('warning', faultOf(fault, this.#size, LIMITS.maxSize))
  }

  #stop() {
    this.#engine?.close()
    this.#engine = null
    this.#channel.detach(this.#asker)
  }
}

/** @returns {Channel | undefined} of an instance of ours */
function channelOf(extension) {
  return channels.get(extension)
}

/** `v` of an extended handshake, which bittorrent-protocol leaves in bytes. */
function toText(v) {
  if (isUint8Array(v)) return viewOf(v).toString()
  return typeof v === 'string' ? v : undefined
}

module.exports = { channelOf, serve, servingMetadata, utMetadata }
