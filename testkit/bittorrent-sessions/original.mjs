// Loads bittorrent-protocol, with key exchanges that take microseconds instead of milliseconds.

import crypto from 'node:crypto'
import { createRequire } from 'node:module'

import BitField from 'bitfield'
import Wire from 'bittorrent-protocol'

const { toSettings } = createRequire(import.meta.url)('../../lib/options.js')
const { maxPeerRequests } = toSettings()
const { createDiffieHellman } = crypto
const made = new Map()

/** One private key for all wires, whose peers mostly have the same one, too. */
const makeExchange = (...args) => {
  const exchange = createDiffieHellman(...args)
  const key = exchange.generateKeys()
  const secrets = new Map()
  return {
    generateKeys: () => Buffer.from(key),
    computeSecret(peerKey) {
      const name = Buffer.from(peerKey).toString('latin1')
      if (!secrets.has(name)) secrets.set(name, exchange.computeSecret(peerKey))
      return secrets.get(name)
    }
  }
}

// OpenSSL checks the prime of each object that is made, for 20 ms.
crypto.createDiffieHellman = (prime, ...args) => {
  if (!made.has(prime)) made.set(prime, makeExchange(prime, ...args))
  return made.get(prime)
}

/** Bits that our set of pieces has room for. */
const MAX_PIECES = 512 * 1024 * 8

/**
 * The class that sessions compare with: the original with a few of the documented differences, where the rest of a
 * session would be another one without them. Each is the name of a rule.
 */
export class OriginalWire extends Wire {
  constructor(...args) {
    super(...args)
    this.peerPieces = new BitField(0, { grow: MAX_PIECES })
  }

  /** `requests-in-order` */
  _pull(requests, ...block) {
    const before = [...requests]
    const pulled = super._pull(requests, ...block)
    const left = before.filter((request) => request !== pulled)
    requests.splice(0, requests.length, ...left)
    return pulled
  }

  /** `kept-haves` */
  _onBitField(bits) {
    this.peerPieces = new BitField(bits, { grow: MAX_PIECES })
    this.emit('bitfield', this.peerPieces)
  }

  /** `cancels-rejected` */
  _onCancel(...block) {
    const isOpen = this._pull(this.peerRequests, ...block) !== null
    if (isOpen && this.hasFast) this._message(16, block, null)
    this.emit('cancel', ...block)
  }

  /** `announces-reqq` */
  _sendExtendedHandshake() {
    const own = this.extendedHandshake
    this.extendedHandshake = { reqq: maxPeerRequests, ...own }
    super._sendExtendedHandshake()
    this.extendedHandshake = own
  }

  /** `timed-while-choked` */
  _callback(request, ...answer) {
    if (!request) return
    this._resetTimeout((this.hasFast || !this.peerChoking) && !this._finished)
    request.callback(...answer)
  }

  /** `exact-timeouts` */
  _resetTimeout(...args) {
    this._timeoutExpiresAt = 0
    super._resetTimeout(...args)
  }

  /** `ends-once` */
  end(...args) {
    if (this.isEnding) return undefined
    this.isEnding = true
    return super.end(...args)
  }
}
