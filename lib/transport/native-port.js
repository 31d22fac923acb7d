// The port of a wire whose bytes leave by a native socket: see ../stream/port.js for what a session asks of it.
'use strict'

const { Buffer } = require('node:buffer')
const { Duplex } = require('node:stream')

const { NativeOutput } = require('./native-output.js')
const { toBytes } = require('../arguments.js')

class NativePort {
  /**
   * @param {import('node:stream').Duplex} stream
   * @param {import('./link.js').Link} link
   */
  constructor(stream, link) {
    this.stream = stream
    this.link = link
    this.isPiped = false
    this.waiting = 0
    this.ahead = 0
    /** Dispatches and steps that send together. */
    this.depth = 0
    this.isCorked = false
    this.isDirty = false
    /** Called when something cannot be enciphered: never, as the I/O thread does that, in memory of its own. */
    this.onbroken = null
  }

  get isNative() {
    return true
  }

  /** What has the addresses, and keeps the process alive. */
  get socket() {
    return this.link
  }

  get ticket() {
    return this.link.ticket?.ofExchange ?? null
  }

  catchUp(step) {
    this.link.catchUp(step)
  }

  /** Whether the input has ended inside a block that did not get to the wire. */
  get isTruncated() {
    return this.link.isTruncated
  }

  handshakeSent() {
    this.link.handshakeSent()
  }

  requested(piece, offset, length) {
    this.link.fetching?.requested(piece, offset, length)
  }

  lost(piece) {
    this.link.fetching?.lost(piece)
  }

  /** @returns {boolean} whether a request that was read is answered without the user */
  takesRequest(piece, offset, length) {
    const { serving } = this.link
    if (serving === null || !serving.isOn) return false
    serving.receive(piece, offset, length)
    return true
  }

  /** @returns {boolean} whether a cancel that was read is of such a request */
  takesCancel(piece, offset, length) {
    const { serving } = this.link
    if (serving === null || !serving.isOn) return false
    serving.withdraw(piece, offset, length)
    return true
  }

  /** We have choked the peer, or no longer do. */
  choked(isChoking) {
    const { serving } = this.link
    if (isChoking) serving?.choke()
    else serving?.unchoke()
  }

  allowedFast(piece) {
    this.link.serving?.allowFast(piece)
  }

  piecesKnown(count) {
    this.link.serving?.setPieces(count)
  }

  keeps(depth) {
    this.link.fetching?.keeps(depth)
  }

  makeOutput(core) {
    return new NativeOutput(core, this)
  }

  /** Something was left with the socket. */
  wrote() {
    this.isDirty = true
    this.#send()
  }

  push(bytes) {
    this.link.write(bytes)
    this.wrote()
  }

  /**
   * What a user puts into the readable side.
   *
   * @returns {boolean} whether more is welcome
   */
  insert(chunk, encoding) {
    if (chunk === null) {
      this.end()
      return false
    }
    this.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : toBytes('chunk', chunk))
    return this.wantsMore
  }

  end() {
    Duplex.prototype.push.call(this.stream, null)
    // Whoever listens to 'readable' has stopped the flow.
    Duplex.prototype.read.call(this.stream)
    this.link.close()
  }

  failed() {
    this.link.fail()
  }

  takeOwnPush() {
    return false
  }

  get wantsMore() {
    return !this.link.isFull
  }

  /** What is pushed is copied at once. Blocks in memory of `pwp.allocate()` may pass it by: see native-output.js. */
  takesNow() {
    return true
  }

  measure() {
    const { unsent, willDrain } = this.link.measure()
    this.waiting = willDrain ? unsent : 0
    this.ahead = willDrain ? 0 : unsent
  }

  together(step) {
    this.depth++
    try {
      return step()
    } finally {
      this.depth--
      this.#send()
    }
  }

  cork() {
    this.isCorked = true
  }

  uncork() {
    this.isCorked = false
    this.#send()
  }

  #send() {
    if (!this.isDirty || this.isCorked || this.depth > 0) return
    this.isDirty = false
    this.link.send()
  }

  /**
   * The exchange is over: the I/O thread encrypts from now on.
   *
   * @param {import('../encryption/exchange.js').Exchange | null} exchange - null for clear text
   * @param {Buffer} payload - what was read after it already
   */
  endExchange(exchange, payload) {
    this.link.endExchange(exchange, payload)
  }

  drop() {}

  pump() {}

  empty() {}
}

module.exports = { NativePort }
