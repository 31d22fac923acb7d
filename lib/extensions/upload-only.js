// The state of a side that wants no blocks, BEP 21 <https://www.bittorrent.org/beps/bep_0021.html>: a key of
// the extended handshake, and a message where both sides have the extension `upload_only`.
'use strict'

const { EventEmitter } = require('node:events')

const { announceAgain, isAnnounced, peerHas } = require('./agreement.js')
const { checkBoolean } = require('../arguments.js')
const { withoutFrames } = require('../errors.js')
const { addon } = require('../native.js')

const NAME = 'upload_only'

/** The id of extended handshakes in the event `'extended'`; bittorrent-protocol has a word for it. */
const HANDSHAKES = new Set([0, 'handshake'])

/** Emits `'change'` when the state of the peer is known or changes, and `'malformed'`. */
class UploadOnly extends EventEmitter {
  #wire
  #isUploadOnly = false
  #peerIsUploadOnly = null
  #malformed = 0

  constructor(wire) {
    super()
    this.#wire = wire
    this.#peerIsUploadOnly = readState(wire.peerExtendedHandshake)
    // Extensions are only told of the handshakes of peers that have the extension, and the key is for all.
    wire.on('extended', (id, message) => {
      if (HANDSHAKES.has(id)) this.#learn(readState(readHandshake(message)))
    })
  }

  /** Whether we want no blocks. */
  get isUploadOnly() {
    return this.#isUploadOnly
  }

  /** Whether the peer wants none; null as long as it has not said so. */
  get peerIsUploadOnly() {
    return this.#peerIsUploadOnly
  }

  /** Messages of the peer that could not be decoded. */
  get malformedMessages() {
    return this.#malformed
  }

  /**
   * Says that we want no blocks, or want some again.
   *
   * @param {boolean} isUploadOnly
   */
  set(isUploadOnly) {
    checkBoolean('isUploadOnly', isUploadOnly)
    if (isUploadOnly === this.#isUploadOnly) return
    const wire = this.#wire
    // All later handshakes have it, too.
    wire.extendedHandshake.upload_only = Number(isUploadOnly)
    this.#isUploadOnly = isUploadOnly
    if (!isAnnounced(wire)) return
    if (peerHas(wire, NAME)) wire.extended(NAME, addon.writeUploadOnly(isUploadOnly))
    else announceAgain(wire)
  }

  onMessage(bytes) {
    const state = addon.readUploadOnly(bytes)
    if (state !== null) return this.#learn(state)
    this.#malformed++
    const error = withoutFrames(() => new Error('message has not one byte'))
    this.emit('malformed', bytes, error)
  }

  #learn(state) {
    if (state === null || state === this.#peerIsUploadOnly) return
    this.#peerIsUploadOnly = state
    this.emit('change', state)
  }
}

/** A handshake by itself: the wire adds up all of them, and a message may have come in between. */
function readHandshake(message) {
  if (!ArrayBuffer.isView(message)) return message
  try {
    return addon.peerHandshake(message)
  } catch {
    // The core refuses it, too.
    return null
  }
}

/** bittorrent-protocol hands over whatever the peer has sent. */
function readState(handshake) {
  const state = handshake?.upload_only
  if (typeof state === 'boolean') return state
  return typeof state === 'number' ? state !== 0 : null
}

Object.defineProperty(UploadOnly.prototype, 'name', { value: NAME })

/** @returns {Function} a class for `wire.use()` */
const uploadOnly = () => UploadOnly

module.exports = { uploadOnly }
