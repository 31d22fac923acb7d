// The extension lt_donthave, BEP 54 <https://www.bittorrent.org/beps/bep_0054.html>: a side says that it has a
// piece no longer. For wires of this package and of bittorrent-protocol.
'use strict'

const { EventEmitter } = require('node:events')

const { isAgreed, peerHas } = require('./agreement.js')
const { checkInteger } = require('../arguments.js')
const { pieceLost } = require('../errors.js')
const { addon } = require('../native.js')
const { attempt } = require('../session/attempt.js')

const NAME = 'lt_donthave'

/** Emits `'donthave'` with the piece, before our requests for it fail. */
class LtDonthave extends EventEmitter {
  #wire

  constructor(wire) {
    super()
    this.#wire = wire
    /** Messages of the peer that were malformed, or named a piece that the torrent does not have. */
    this.ignored = 0
  }

  /** Whether the peer has the extension, now. */
  get isReady() {
    return peerHas(this.#wire, NAME)
  }

  /**
   * Tells the peer that we have a piece no longer; does nothing if it does not have the extension, or does not
   * know of ours yet: nothing may come before our handshake.
   *
   * @param {number} index - of the piece
   */
  donthave(index) {
    checkInteger('index', index)
    if (isAgreed(this.#wire, NAME)) this.#wire.extended(NAME, addon.dontHavePayload(index))
  }

  /** @param {Uint8Array} payload - of a message of the peer */
  onMessage(payload) {
    // A wire of this package, perhaps of another copy of it.
    const session = this.#wire._getSession?.()
    if (session === undefined) this.#readFor(this.#wire, payload)
    else this.#readBy(session, payload)
  }

  /** The session knows the pieces and the requests. */
  #readBy(session, payload) {
    try {
      const { outcome, piece } = session.readDontHave(payload)
      if (outcome === addon.DontHaveOutcome.Ignored) this.ignored++
      if (outcome === addon.DontHaveOutcome.Lost) this.emit('donthave', piece)
    } finally {
      session.goOn()
    }
  }

  /** For a wire of bittorrent-protocol, whose extensions keep its pieces and requests themselves. */
  #readFor(wire, payload) {
    const piece = addon.dontHavePiece(payload)
    if (piece === null) {
      this.ignored++
      return
    }
    if (!wire.peerPieces.get(piece)) return
    wire.peerPieces.set(piece, false)
    attempt(emitLoss, this, piece)
    // With the fast extension the peer rejects them.
    if (!wire.hasFast) failRequests(wire, piece)
  }
}

Object.defineProperty(LtDonthave.prototype, 'name', { value: NAME })

function emitLoss(extension, piece) {
  extension.emit('donthave', piece)
}

function failRequests(wire, lost) {
  for (const request of wire.requests.filter(({ piece }) => piece === lost)) {
    const place = wire.requests.indexOf(request)
    // The callback of an earlier one may have taken it out.
    if (place === -1) continue
    wire.requests.splice(place, 1)
    attempt(fail, wire, request)
  }
}

function fail(wire, request) {
  wire._callback(request, pieceLost(), null)
}

/** @returns {typeof LtDonthave} for `wire.use()`: a call, as with the npm package of this name */
function ltDonthave() {
  return LtDonthave
}

module.exports = { ltDonthave }
