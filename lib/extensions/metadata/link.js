// One wire of a fetch: the extension on it, and what its peer announces.
'use strict'

const { NAME } = require('./channel.js')
const errors = require('./errors.js')
const { infoHashOf } = require('./options.js')
const { channelOf, utMetadata } = require('./ut-metadata.js')

/** Bytes of an info hash in a handshake. */
const ID_LENGTH = 20

class Link {
  #channel = null
  #changed

  /**
   * @param {import('../../session/session.js').Session} session
   * @param {number} id - of the peer
   * @param {{changed: () => void, receive: (message: Buffer) => void}} handlers - what is announced may have
   *   changed; a message of the peer
   * @throws {Error} `ERR_PWP_METADATA_IN_USE`
   */
  constructor(session, id, { changed, receive }) {
    this.session = session
    this.id = id
    /** What the peer has announced. */
    this.size = 0
    this.receive = receive
    this.#changed = changed
    if (isOver(session)) return
    this.#channel = useChannel(session)
    this.#channel.attach(this)
    session.extensions.watch(changed)
  }

  /** @returns {string | undefined} what the peer calls itself */
  get client() {
    return this.session.extensions.peerFields.v
  }

  /** Asks for a piece. */
  ask(piece) {
    this.session.inContext(() => this.#channel.ask(this, piece))
  }

  close() {
    this.#channel?.detach(this)
    this.session.extensions?.unwatch(this.#changed)
  }

  /**
   * What is known of the peer.
   *
   * @param {Buffer[] | null} hashes - of the torrent
   * @returns {{error: Error | null, size: number | null}} why it cannot be used, or the size of its metadata; neither
   *   as long as it has not said so
   */
  judge(hashes) {
    const { announced, extensions, hasMissedHandshake, peerAnnounced } = this.session
    if (isOver(this.session))
      return refused(errors.closed(this.session.failure ?? this.session.wire.error))
    if (announced === null || peerAnnounced === null) return UNKNOWN
    if (!hashes.some((hash) => isHashOf(hash, infoHashOf(this.session))))
      return refused(errors.otherTorrent())
    if (!announced.extended || !peerAnnounced.extended) return refused(errors.unsupported())
    if (extensions.peerHandshake === null)
      return hasMissedHandshake ? refused(errors.missed()) : UNKNOWN
    if (!(NAME in extensions.peerMapping)) return refused(errors.unsupported())
    const size = extensions.peerFields.metadata_size ?? 0
    return size === 0 ? refused(errors.missing()) : { error: null, size }
  }
}

const UNKNOWN = { error: null, size: null }

function refused(error) {
  return { error, size: null }
}

function isOver({ isClosed, isFinished, failure }) {
  return isClosed || isFinished || failure !== null
}

/** A handshake has the first 20 bytes of a SHA-256. */
function isHashOf(hash, infoHash) {
  return hash.subarray(0, ID_LENGTH).equals(infoHash)
}

/** The channel of a wire, which uses the extension from now on. */
function useChannel({ wire }) {
  if (!(NAME in wire)) wire.use(utMetadata())
  const channel = channelOf(wire[NAME])
  if (channel === undefined) throw errors.inUse()
  return channel
}

module.exports = { Link, useChannel }
