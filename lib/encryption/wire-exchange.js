// The key exchange of a wire, in front of its session, and the cipher of its input after that.
//
// While it goes on, input waits in the stream: the write of a chunk is called back when all of it was read.
// Output waits in the core, so nothing can leave in clear text that should not.
'use strict'

const { isPromise } = require('node:util').types

const { byteLength } = require('../arguments.js')
const { ProtocolError, memoryChanged } = require('../errors.js')
const { native } = require('../native.js')
const { attempt } = require('../session/attempt.js')
const { Deadline } = require('../session/deadlines.js')
const errors = require('./errors.js')
const { Exchange, ExchangeState } = require('./exchange.js')

const NOTHING = Buffer.alloc(0)
const PLAIN = { method: 'none', infoHash: null }

/** An initiator sends it with the exchange: libtorrent refuses anything longer. */
const HANDSHAKE_LENGTH = 68

/** Where it is. In the order in which it gets there. */
const WAITS = 0
const EXCHANGES = 1
const ASKS = 2
const OVER = 3
const FAILED = 4

class WireExchange {
  /**
   * @param {import('../session/encrypted.js').EncryptedSession} session
   * @param {object} settings - see wire-options.js
   */
  constructor(session, settings) {
    this.session = session
    this.settings = settings
    /** What was agreed on; null until then. */
    this.agreement = null
    this.phase = settings.isPlain ? OVER : WAITS
    /** @type {Exchange | null} null when there is nothing to encrypt or to decrypt */
    this.exchange = null
    /** A chunk that is being read: up to where, its length when it was lent to us, and its callback. */
    this.held = null
    this.isReading = false
    /** Bytes of a handshake that leave with the next part of the exchange. */
    this.unsent = 0
    this.ticket = null
    this.timer = null
    this.immediate = null
    this.#start()
  }

  get isOver() {
    return this.phase === OVER
  }

  /** Whether input is for the exchange, or comes before anybody knows that there is none. */
  get delaysInput() {
    return this.phase !== OVER || this.agreement === null
  }

  // The exchange

  #start() {
    const { session, settings } = this
    if (settings.isPlain) {
      process.nextTick(() => session.inContext(() => this.#settlePlain()))
      return
    }
    const { infoHash, timeout } = settings
    const expire = () => session.inContext(() => this.#expire())
    if (timeout > 0) this.timer = new Deadline(timeout, expire, session.port)
    if (infoHash === null || infoHash === undefined) return
    // A handshake that is sent in this turn of the event loop leaves with the exchange.
    this.immediate = setImmediate(() => session.inContext(() => this.#initiate()))
  }

  /** The session has something to send: maybe the handshake of an initiator. */
  onOutput() {
    if (this.settings.isInitiator && this.session.announced !== null) this.#initiate()
  }

  #initiate() {
    const { session, settings } = this
    if (this.phase !== WAITS || session.isClosed || session.isFinished) return
    const hasHandshake = session.announced !== null
    const infoHash = settings.infoHash ?? Buffer.from(session.infoHash, 'latin1')
    const payload = hasHandshake ? session.output.take(HANDSHAKE_LENGTH) : null
    this.#begin({ ...settings, infoHash }, payload ?? NOTHING)
    this.#readHeld()
  }

  #respond() {
    const { port, wire } = this.session
    const { policy, address } = this.settings
    const ticket = port.ticket ?? policy._admit(address ?? addressOf(wire._source))
    if (ticket instanceof Error) return this.fail(ticket)
    this.ticket = ticket
    this.#begin(this.settings, NOTHING)
  }

  #begin(settings, payload) {
    try {
      this.exchange = new Exchange(settings, payload)
      this.phase = EXCHANGES
      this.#sendOutput()
      this.unsent = payload.length
    } catch (error) {
      this.fail(error)
    }
  }

  #sendOutput() {
    const output = this.exchange.takeOutput()
    if (output.length === 0) return
    this.unsent = 0
    // The reader of the output may throw.
    attempt(() => this.session.port.push(output))
  }

  /** @param {() => void} done - called when the chunk was read */
  receive(chunk, done) {
    const { deadlines } = this.session
    if (deadlines !== null) deadlines.putOff()
    const length = byteLength(chunk)
    if (length === 0) return done()
    this.held = { chunk, at: 0, length, done }
    if (this.settings.isPlain) this.#settlePlain()
    if (this.phase === WAITS && !this.settings.isInitiator) this.#respond()
    this.#readHeld()
  }

  /** The callback of a chunk brings the next one: it is read after this one, never within it. */
  #readHeld() {
    if (this.isReading) return
    this.isReading = true
    try {
      while (this.held !== null && (this.phase === EXCHANGES || this.phase === OVER)) {
        if (byteLength(this.held.chunk) !== this.held.length) throw memoryChanged()
        if (this.phase === EXCHANGES) this.#exchange(this.held)
        else this.#pass(this.held.chunk)
      }
    } catch (error) {
      this.fail(error)
    } finally {
      this.isReading = false
    }
  }

  #exchange(held) {
    const { state, end } = this.exchange.receive(held.chunk, held.at)
    held.at = end
    this.#sendOutput()
    // The reader of the output may have destroyed the wire.
    if (this.phase !== EXCHANGES) return
    if (state === ExchangeState.Asks) this.#ask()
    else if (state === ExchangeState.Done) this.#finishExchange(held)
    else if (state === ExchangeState.Failed) this.fail(this.exchange.failure)
    else this.#letGo()
  }

  #ask() {
    const { session, settings } = this
    this.phase = ASKS
    const failure = this.exchange.lookUp(settings.lookup)
    if (!isPromise(failure)) return this.#goOn(failure)
    failure.then((later) =>
      session.inContext(() => {
        this.#goOn(later)
        this.#readHeld()
      })
    )
  }

  /** @param {Error | null} failure - of looking up */
  #goOn(failure) {
    if (this.phase !== ASKS) return
    if (failure === null) this.phase = EXCHANGES
    else this.fail(failure)
  }

  #finishExchange({ chunk, at, length }) {
    const agreement = this.exchange.readOutcome()
    const payload = this.exchange.takePayload()
    if (agreement.method !== 'rc4') this.#dropExchange()
    // Before any listener, which may take the memory of the chunk away.
    const rest = chunk.subarray(at, length)
    const clear = this.exchange === null ? rest : this.#decrypt(rest)
    const bytes = payload.length === 0 ? clear : Buffer.concat([payload, clear])
    const { port } = this.session
    port.endExchange(this.exchange, bytes)
    // The I/O thread has the ciphers then.
    if (port.isNative) this.#dropExchange()
    this.phase = OVER
    this.#stop(false)
    this.#settle(agreement)
    if (this.held !== null) this.#pass(bytes)
  }

  #settlePlain() {
    if (this.agreement === null && this.phase === OVER) this.#settle(PLAIN)
  }

  #settle(agreement) {
    const { session } = this
    this.agreement = agreement
    if (agreement.infoHash !== null) session.tellServed(agreement.infoHash)
    attempt(session.face.encryption, session.wire, agreement)
    if (!session.isClosed) attempt(() => session.open())
  }

  // Input after it

  /** Gives the chunk that is held to the session, which calls back. */
  #pass(bytes) {
    const { done } = this.held
    this.held = null
    if (bytes.length === 0) done()
    else this.session.receiveClear(bytes, done)
  }

  /** @returns {Buffer | null} what the chunk says; null if the session has failed */
  decrypt(chunk) {
    if (this.exchange === null) return chunk
    try {
      return this.#decrypt(chunk)
    } catch (error) {
      this.fail(error)
      return null
    }
  }

  #decrypt(chunk) {
    return chunk.length === 0 ? chunk : this.exchange.decrypt(chunk)
  }

  #letGo() {
    const { held } = this
    this.held = null
    if (held !== null) held.done()
  }

  // Ends

  /** @param {Error} error - with which the session fails */
  fail(error) {
    const { session } = this
    if (this.phase === FAILED || session.isClosed) return
    this.phase = FAILED
    this.#stop(error instanceof ProtocolError)
    session.failure ??= error
    native.close(session.core.slot)
    session.goOn()
  }

  #expire() {
    this.fail(errors.timedOut(this.settings.timeout, this.exchange?.end()))
  }

  /** The input has ended. @returns {Error | null} what an exchange that is not over lacks */
  lack() {
    const isUnfinished = this.phase === EXCHANGES || this.phase === ASKS
    return isUnfinished ? this.exchange.end() : null
  }

  /** Nothing more is delivered from the peer. What was sent before may still leave, if the exchange is over. */
  close() {
    if (this.phase !== OVER) {
      this.phase = FAILED
      this.#stop(false)
      this.#dropExchange()
    }
    this.#letGo()
  }

  /** Both directions have ended. */
  finish() {
    this.phase = FAILED
    this.#stop(false)
    this.session.port.drop()
    this.#dropExchange()
    this.#letGo()
  }

  #stop(hasFailed) {
    clearImmediate(this.immediate)
    this.timer?.stop()
    this.timer = null
    this.unsent = 0
    this.ticket?.leave(hasFailed && this.exchange?.wasCostly === true)
    this.ticket = null
  }

  #dropExchange() {
    this.exchange?.release()
    this.exchange = null
  }
}

/** A user's own stream may have anything there. */
function addressOf(stream) {
  try {
    const address = stream?.remoteAddress
    return typeof address === 'string' ? address : undefined
  } catch {
    return undefined
  }
}

module.exports = { WireExchange }
