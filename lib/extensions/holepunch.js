// Messages of ut_holepunch, BEP 55 <https://www.bittorrent.org/beps/bep_0055.html>, which help two peers that
// cannot reach each other by way of a third. Whom to help, and how to connect, is up to the user.
'use strict'

const { EventEmitter } = require('node:events')

const { peerHas } = require('./agreement.js')
const { toPeerAddress } = require('./peer-address.js')
const { checkInteger } = require('../arguments.js')
const { withoutFrames } = require('../errors.js')
const { addon } = require('../native.js')

const NAME = 'ut_holepunch'

const { Connect, Failed, Rendezvous } = addon.HolepunchKind

/** Emits `'rendezvous'`, `'connect'` and `'failed'` for the messages of the peer, and `'malformed'`. */
class Holepunch extends EventEmitter {
  #wire
  #ignored = 0
  #malformed = 0

  /** The codes of `'failed'` by name. */
  static codes = Object.freeze(addon.holepunchCodes())

  constructor(wire) {
    super()
    this.#wire = wire
  }

  /** Whether the peer has the extension: what is sent before is refused. */
  get isReady() {
    return peerHas(this.#wire, NAME)
  }

  /** Messages of the peer from before it has announced the extension. */
  get ignoredMessages() {
    return this.#ignored
  }

  /** Messages of the peer that could not be decoded. */
  get malformedMessages() {
    return this.#malformed
  }

  /**
   * Asks the peer to help with a connection to a peer of its own.
   *
   * @param {string | {address: string, port: number}} address
   */
  rendezvous(address) {
    this.#send(Rendezvous, address, 0)
  }

  /**
   * Tells the peer to connect to another one now, which is told the same.
   *
   * @param {string | {address: string, port: number}} address
   */
  connect(address) {
    this.#send(Connect, address, 0)
  }

  /**
   * Answers a rendezvous that cannot be.
   *
   * @param {string | {address: string, port: number}} address - that the peer has asked for
   * @param {number} code - one of `codes`
   */
  fail(address, code) {
    checkInteger('code', code)
    this.#send(Failed, address, code)
  }

  onMessage(bytes) {
    // BEP 55 says so: such a peer has not agreed to anything.
    if (!this.isReady) {
      this.#ignored++
      return
    }
    const message = addon.readHolepunch(bytes)
    if (message === null) {
      this.#malformed++
      const error = withoutFrames(() => new Error('message is malformed'))
      this.emit('malformed', bytes, error)
      return
    }
    const { kind, target, code } = message
    if (kind === Rendezvous) this.emit('rendezvous', target)
    else if (kind === Connect) this.emit('connect', target)
    else this.emit('failed', target, code)
  }

  #send(kind, address, code) {
    const target = toPeerAddress('address', address)
    this.#wire.extended(NAME, addon.writeHolepunch({ kind, target, code }))
  }
}

Object.defineProperty(Holepunch.prototype, 'name', { value: NAME })

/** @returns {Function} a class for `wire.use()` */
const utHolepunch = () => Holepunch

module.exports = { utHolepunch }
