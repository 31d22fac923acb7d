// The messages of ut_metadata on one wire: requests go to the server, answers to whoever has asked.
'use strict'

const { Server } = require('./server.js')
const { peerHas } = require('../agreement.js')
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
  /**
   * By piece: who has asked, oldest request first, and how many requests are of askers that are gone. These are
   * only counted, as a peer may never answer any.
   *
   * @type {Map<number, {askers: Asker[], gone: number}>}
   */
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
    if (session === null) return peerHas(this.#wire, NAME)
    // Nothing may come before our handshakes, which may wait longer than the peer.
    const { extensions, isClosed } = session
    return !isClosed && extensions?.isSent === true && NAME in extensions.peerMapping
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
    for (const asked of this.#asked.values()) {
      const others = asked.askers.filter((one) => one !== asker)
      asked.gone += asked.askers.length - others.length
      asked.askers = others
    }
  }

  /** Sends a request. */
  ask(asker, piece) {
    const asked = this.#asked.get(piece)
    if (asked === undefined) this.#asked.set(piece, { askers: [asker], gone: 0 })
    else asked.askers.push(asker)
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
    const asked = this.#asked.get(piece)
    if (asked === undefined) return undefined
    // One who is gone may have asked first, and never get an answer.
    const asker = asked.askers.shift() ?? null
    if (asker === null) asked.gone--
    if (asked.askers.length === 0 && asked.gone === 0) this.#asked.delete(piece)
    return asker
  }
}

function send(wire, message) {
  wire.extended(NAME, message)
}

module.exports = { Channel, NAME }
