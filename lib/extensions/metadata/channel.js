// The messages of ut_metadata on one wire: requests go to the server, answers to whoever has asked.
'use strict'

const { Server } = require('./server.js')
const { addon } = require('../../native.js')
const { findSession } = require('../../session-of.js')
const { attempt } = require('../../session/attempt.js')

const { Data, Other, Reject, Request } = addon.MetadataKind

/** The name of the extension, as peers announce it. */
const NAME = 'ut_metadata'

/**
 * Who asks for pieces.
 *
 * @typedef {object} Asker
 * @property {(message: Buffer) => void} receive - an answer, or what nobody has asked for
 */

class Channel {
  #wire
  /** The askers of each piece, oldest request first; null for those that are gone. */
  #asked = new Map()
  /** @type {Set<Asker>} */
  #askers = new Set()

  /** @param {object} wire - one of ours, or of bittorrent-protocol */
  constructor(wire) {
    this.#wire = wire
    /** Null for a wire of bittorrent-protocol. */
    this.session = findSession(wire)
    this.server = new Server(this, wire, this.session)
    /** Messages that make no sense, or that nobody has asked for. */
    this.ignored = 0
  }

  /** Whether the peer wants messages of the extension. */
  get canSend() {
    const { session } = this
    if (session === null) return Boolean(this.#wire.peerExtendedMapping?.[NAME])
    return !session.isClosed && NAME in session.extensions.peerMapping
  }

  /** Sends a message if the peer wants it. */
  send(message) {
    if (this.canSend) attempt(send, this.#wire, message)
  }

  /** @param {Asker} asker - gets what nobody has asked for, too, as that counts against the peer */
  attach(asker) {
    this.#askers.add(asker)
  }

  /** Answers to this one are dropped. */
  detach(asker) {
    this.#askers.delete(asker)
    for (const askers of this.#asked.values())
      for (const [place, one] of askers.entries()) if (one === asker) askers[place] = null
  }

  /** Sends a request. */
  ask(asker, piece) {
    const askers = this.#asked.get(piece)
    if (askers === undefined) this.#asked.set(piece, [asker])
    else askers.push(asker)
    this.send(addon.metadataRequest(piece))
  }

  /** @param {Buffer} message - of the peer */
  onMessage(message) {
    const { kind, piece } = addon.metadataHead(message)
    if (kind === Request) return this.server.onRequest(piece)
    if (kind === Other) return
    const isAnswer = kind === Data || kind === Reject
    const asker = isAnswer ? this.#takeAsker(piece) : undefined
    if (asker !== undefined) {
      if (asker !== null) asker.receive(message)
      return
    }
    this.ignored++
    for (const one of this.#askers) one.receive(message)
  }

  /** @returns {Asker | null | undefined} undefined if nobody has asked */
  #takeAsker(piece) {
    const askers = this.#asked.get(piece)
    if (askers === undefined) return undefined
    // One who is gone may have asked first, and never get an answer.
    const place = Math.max(
      askers.findIndex((asker) => asker !== null),
      0
    )
    const [asker] = askers.splice(place, 1)
    if (askers.length === 0) this.#asked.delete(piece)
    return asker
  }
}

function send(wire, message) {
  wire.extended(NAME, message)
}

module.exports = { Channel, NAME }
