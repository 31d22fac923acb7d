// Peer exchange, BEP 11 <https://www.bittorrent.org/beps/bep_0011.html>: a class for `wire.use()` with the
// interface of the npm package ut_pex. The rules are in the core, the clock is here.
'use strict'

const { EventEmitter } = require('node:events')
const { isIP } = require('node:net')

const { isAgreed, peerHas } = require('./agreement.js')
const { toPeerAddress } = require('./peer-address.js')
const { checkBoolean, checkInteger } = require('../arguments.js')
const { withoutFrames } = require('../errors.js')
const { addon } = require('../native.js')
const { startTimer } = require('../session/deadlines.js')

const NAME = 'ut_pex'

const FLAGS = ['prefersEncryption', 'isSender', 'supportsUtp', 'supportsUtHolepunch', 'isReachable']

/** Ms for which contacts are collected before a message that could leave at once. */
const COLLECTING = 1000

const { Early, Flood, Malformed } = addon.PexOutcome

/**
 * Emits `'peer'` and `'dropped'` with what the peer tells, `'warning'` when it sends too often, and
 * `'malformed'`.
 */
class PeerExchange extends EventEmitter {
  #wire
  #exchange = new addon.PeerExchange()
  #destroysFlooding
  #isStarted = false
  #isFlooding = false
  #timer = null

  constructor(wire, destroysFlooding) {
    super()
    this.#wire = wire
    this.#destroysFlooding = destroysFlooding
    wire.once('close', () => this.stop())
  }

  /** Messages of the peer that came too early, and were ignored. */
  get earlyMessages() {
    return this.#exchange.earlyMessages()
  }

  /** Messages of the peer that could not be decoded. */
  get malformedMessages() {
    return this.#exchange.malformedMessages()
  }

  /** Starts to tell the peer of contacts, now and whenever they change. */
  start() {
    this.#isStarted = true
    this.#arm()
  }

  /** Tells the peer no more. Contacts are still collected. */
  stop() {
    this.#isStarted = false
    clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Stops, and forgets all contacts. */
  reset() {
    this.stop()
    this.#exchange.forget()
  }

  /**
   * Tells the peer of a contact with the next message.
   *
   * @param {string | {address: string, port: number}} address - IPv4 or IPv6
   * @param {object | number} [flags] - by name, or as a byte
   * @returns {boolean} whether the peer will know of it
   */
  addPeer(address, flags) {
    const text = toPeerAddress('address', address)
    const { named, bits } = toFlags(flags)
    const isTold = this.#exchange.add(text, named, bits)
    this.#arm()
    return isTold
  }

  /** The same: one method takes both families. */
  addPeer6(address, flags) {
    return this.addPeer(address, flags)
  }

  /**
   * Tells the peer that a contact has gone, if it was told of it.
   *
   * @param {string | {address: string, port: number}} address
   */
  dropPeer(address) {
    this.#exchange.remove(toPeerAddress('address', address))
    this.#arm()
  }

  /** The same. */
  dropPeer6(address) {
    this.dropPeer(address)
  }

  onExtendedHandshake() {
    this.#arm()
  }

  onMessage(bytes) {
    const news = this.#exchange.receive(bytes, now())
    switch (news.outcome) {
      case Early:
        this.#warn('Peer sends PEX messages too frequently')
        break
      case Flood:
        this.#onFlood()
        break
      case Malformed:
        this.emit(
          'malformed',
          bytes,
          withoutFrames(() => new Error(news.error))
        )
        break
      default:
        this.#isFlooding = false
        this.#tell(news)
    }
  }

  #tell({ added, flags, bits, dropped }) {
    // A listener may destroy the wire.
    for (let index = 0; index < added.length && !this.#wire.destroyed; index++)
      this.emit('peer', added[index], flags[index], bits[index])
    for (let index = 0; index < dropped.length && !this.#wire.destroyed; index++)
      this.emit('dropped', dropped[index])
  }

  /** The first of many messages, of which no other is worth an event. */
  #onFlood() {
    if (this.#isFlooding) return
    this.#isFlooding = true
    if (this.#destroysFlooding) {
      this.#wire.destroy()
      this.#warn('Peer disconnected for sending PEX messages too frequently')
    } else {
      this.#warn('Peer floods with PEX messages')
    }
  }

  #warn(text) {
    this.emit(
      'warning',
      withoutFrames(() => new Error(text))
    )
  }

  /** Sets the timer for the next message, if there is something to tell. */
  #arm() {
    if (!this.#isStarted || this.#timer !== null) return
    if (this.#wire.destroyed || !peerHas(this.#wire, NAME)) return
    const due = this.#exchange.due()
    if (due === null) return
    this.#timer = startTimer(Math.max(due - now(), COLLECTING), () => this.#onTime())
  }

  #onTime() {
    this.#timer = null
    try {
      this.#send()
    } finally {
      this.#arm()
    }
  }

  #send() {
    if (!isAgreed(this.#wire, NAME)) return
    const message = this.#exchange.take(now(), addressesOf(this.#wire))
    if (message !== null) this.#wire.extended(NAME, message)
  }
}

/** Ms on a clock that nobody sets. */
function now() {
  return Math.trunc(performance.now())
}

/** Addresses under which the peer may be known to others, as far as a wire shows them. */
function addressesOf({ peerAddress, peerExtendedHandshake, remoteAddress, remotePort }) {
  const addresses = [peerAddress, remoteAddress].filter((text) => typeof text === 'string')
  // Where it listens, if it has connected to us.
  const ports = [remotePort, peerExtendedHandshake?.p].filter(Number.isInteger)
  const hosts = addresses.map(hostOf)
  return [...addresses, ...hosts.flatMap((host) => ports.map((port) => `${host}:${port}`))]
}

function hostOf(text) {
  if (isIP(text) === 6) return `[${text}]`
  return isIP(text) === 4 ? text : text.slice(0, text.lastIndexOf(':'))
}

/** Keys that are no flags are ignored, as in the package ut_pex. */
function toFlags(flags) {
  if (flags === undefined || flags === null) return { named: {}, bits: 0 }
  if (typeof flags === 'number') {
    checkInteger('flags', flags, 0xff)
    return { named: {}, bits: flags }
  }
  if (typeof flags !== 'object') throw new TypeError('flags must be an object or a byte')
  const named = {}
  for (const name of FLAGS) {
    const value = flags[name]
    if (value === undefined) continue
    checkBoolean(`flags.${name}`, value)
    named[name] = value
  }
  return { named, bits: 0 }
}

/**
 * @param {{destroyOnFlood?: boolean}} [options] - whether a peer that does not stop to send messages too often
 *   costs it the wire; default true
 * @returns {Function} a class for `wire.use()`
 */
function utPex(options) {
  if (typeof options !== 'object' && options !== undefined)
    throw new TypeError('options must be an object')
  const destroyOnFlood = options?.destroyOnFlood ?? true
  checkBoolean('options.destroyOnFlood', destroyOnFlood)

  class UtPex extends PeerExchange {
    constructor(wire) {
      super(wire, destroyOnFlood)
    }
  }
  Object.defineProperty(UtPex.prototype, 'name', { value: NAME })
  return UtPex
}

module.exports = { utPex }
