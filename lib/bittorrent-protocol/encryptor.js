// The key exchange of such a wire, with the events and the order of bittorrent-protocol, and the cipher of its input.
//
// Until it is settled what the peer sends, input waits: the write of a chunk is called back when all of it was read.
'use strict'

const { byteLength } = require('../arguments.js')
const { memoryChanged } = require('../errors.js')
const { plainRefused } = require('./errors.js')
const { Exchange, ExchangeState } = require('../encryption/exchange.js')
const { commonPolicy } = require('../encryption/policy.js')
const { copyOf } = require('../own-memory.js')
const { attempt } = require('../session/attempt.js')

const NOTHING = Buffer.alloc(0)
const noop = () => {}

/** How a peer begins that does not encrypt. */
const PLAIN = Buffer.from('\u0013BitTorrent protocol', 'latin1')

/** The numbers under which users know the methods. */
const METHODS = { none: null, plaintext: 1, rc4: 2 }

/** Where it is. In the order in which it gets there. */
const WAITS = 0
const EXCHANGES = 1
const ASKS = 2
const OVER = 3

class Encryptor {
  /**
   * @param {import('./wire.js')} wire - whose type says who has opened the connection
   * @param {{refusePlain: boolean}} settings
   */
  constructor(wire, { refusePlain }) {
    this.wire = wire
    this.session = wire._session
    this.refusesPlain = refusePlain
    this.phase = WAITS
    this.isInitiator = !wire.type.includes('Incoming')
    /** In hex, once it is known. */
    this.skeyHex = null
    /** The names of bittorrent-protocol. */
    this.state = 'idle'
    this.encryptionMethod = null
    this.cryptoHandshakeDone = false
    /** @type {Exchange | null} null when there is nothing to encrypt or to decrypt */
    this.exchange = null
    /** A chunk that is being read: up to where, its length when it was lent to us, and its callback. */
    this.held = null
    /** What came before it was clear whether the peer encrypts, as it was less than 20 bytes. */
    this.opening = NOTHING
    this.isReading = false
    /** Whether it has ended well. */
    this.isSettled = false
  }

  get _isEncrypted() {
    return this.encryptionMethod === METHODS.rc4
  }

  /** Whether the write of a chunk may not return before it is known what it is. */
  get delaysInput() {
    return this.phase !== OVER
  }

  get holdsOutput() {
    return this.refusesPlain && !this.isSettled
  }

  // The exchange

  /** @param {Buffer} infoHash - we begin */
  begin(infoHash) {
    if (this.phase !== WAITS || this.wire._isEnding) return
    this.isInitiator = true
    this.skeyHex = infoHash.toString('hex')
    this.#start(infoHash)
    this.state = 'sentPe1'
    const { opening } = this
    if (opening.length > 0) {
      const { chunk, done } = this.held ?? { chunk: NOTHING, done: noop }
      this.#hold(Buffer.concat([opening, chunk]), done)
    }
    this.#readHeld()
  }

  #hold(chunk, done) {
    this.opening = NOTHING
    this.held = { chunk, at: 0, length: byteLength(chunk), done }
  }

  #start(infoHash) {
    const { isInitiator, refusesPlain, wire } = this
    // The method 'plaintext' would send everything after the exchange in clear text.
    const methods = refusesPlain || wire._peEnabled === 2 ? ['rc4'] : ['plaintext', 'rc4']
    const mode = refusesPlain ? 'require' : 'accept'
    const policy = commonPolicy()
    this.exchange = new Exchange({ isInitiator, methods, mode, infoHash, policy }, NOTHING)
    this.phase = EXCHANGES
    this.#sendOutput()
  }

  /** @returns {boolean} whether there was any */
  #sendOutput() {
    const output = this.exchange.takeOutput()
    if (output.length > 0) this.session.sendRaw(output)
    return output.length > 0
  }

  /** @param {Buffer} infoHash - that the peer has asked for */
  answer(infoHash) {
    if (this.phase !== ASKS) return
    this.skeyHex = infoHash.toString('hex')
    try {
      const failure = this.exchange.answer(infoHash)
      if (failure !== null) return this.#fail(failure)
      this.phase = EXCHANGES
    } catch (error) {
      return this.#fail(error)
    }
    // Also inside the event that asks: the exchange is over when this returns, if all of it has come.
    this.isReading = false
    this.#readHeld()
  }

  // Input

  /** @param {() => void} done - called when the chunk was read */
  receive(chunk, done) {
    if (this.phase === OVER) return this.#pass(chunk, done)
    if (byteLength(chunk) === 0) return done()
    const { opening } = this
    this.#hold(opening.length === 0 ? chunk : Buffer.concat([opening, chunk]), done)
    if (this.phase === WAITS) this.#open()
    this.#readHeld()
  }

  /** The first bytes, unless we have begun. */
  #open() {
    if (!this.isInitiator) return this.#attemptStart()
    // A peer that we have not asked yet may begin, but only with a handshake is it clear what it means.
    const { chunk, done } = this.held
    const isPlain = chunk.subarray(0, PLAIN.length).equals(PLAIN)
    if (isPlain && this.refusesPlain) return this.#fail(plainRefused())
    if (isPlain) {
      this.held = null
      this.#settle('none', true)
      this.session.receiveClear(chunk, done)
    } else if (chunk.length < PLAIN.length) {
      this.opening = copyOf(chunk)
      this.#letGo()
    }
  }

  #attemptStart() {
    try {
      this.#start(null)
    } catch (error) {
      this.#fail(error)
    }
  }

  #readHeld() {
    if (this.isReading) return
    this.isReading = true
    try {
      while (this.held !== null && this.phase === EXCHANGES) this.#exchange(this.held)
    } catch (error) {
      this.#fail(error)
    } finally {
      this.isReading = false
    }
  }

  #exchange(held) {
    if (byteLength(held.chunk) !== held.length) throw memoryChanged()
    const { state, end } = this.exchange.receive(held.chunk, held.at)
    held.at = end
    // A key was received and answered.
    if (this.#sendOutput() && state === ExchangeState.Reads)
      this.state = this.isInitiator ? 'sentPe3' : 'sentPe2'
    if (state === ExchangeState.Asks) this.#ask()
    else if (state === ExchangeState.Done) this.#finishExchange(held)
    else if (state === ExchangeState.Failed) this.#fail(this.exchange.failure)
    else this.#letGo()
  }

  #ask() {
    this.phase = ASKS
    this.state = 'gotPe3'
    const name = this.exchange.asked().toString('hex')
    attempt(() => this.wire.emit('crypto-infohash', name))
  }

  #finishExchange({ chunk, at, length, done }) {
    const { method } = this.exchange.readOutcome()
    const payload = this.exchange.takePayload()
    this.held = null
    // Before any listener, which may take the memory of the chunk away.
    const rest = chunk.subarray(at, length)
    const isEncrypted = method === 'rc4'
    const clear = isEncrypted && rest.length > 0 ? this.exchange.decrypt(rest) : rest
    const bytes = payload.length === 0 ? clear : Buffer.concat([payload, clear])
    // What was sent before is not enciphered.
    this.session.cut()
    if (isEncrypted) this.session.port.cipher = this.exchange
    else this.#dropExchange()
    this.#settle(method, this.isInitiator || method !== 'none')
    if (bytes.length === 0) done()
    else this.session.receiveClear(bytes, done)
  }

  /** An answer in clear text counts as the end of an exchange, a peer that begins so has none. */
  #settle(method, isExchange) {
    this.phase = OVER
    this.isSettled = true
    if (isExchange) {
      this.state = 'done'
      this.encryptionMethod = METHODS[method]
      this.cryptoHandshakeDone = true
      attempt(() => this.wire.emit('crypto-handshake'))
    }
    // What had to wait may leave.
    this.session.uncork()
  }

  #pass(chunk, done) {
    if (this.exchange === null) return this.session.receiveClear(chunk, done)
    try {
      this.session.receiveClear(this.exchange.decrypt(chunk), done)
    } catch (error) {
      this.#fail(error)
      done()
    }
    return undefined
  }

  // Ends

  #fail(error) {
    this.wire._endFor(error)
    this.letGo()
  }

  /** No further input is wanted: writes that wait are called back. */
  letGo() {
    if (this.phase === OVER) return
    this.phase = OVER
    this.#dropExchange()
    this.#letGo()
  }

  #letGo() {
    const { held } = this
    this.held = null
    if (held !== null) held.done()
  }

  close() {
    this.letGo()
  }

  finish() {
    this.session.port.cipher = null
    this.#dropExchange()
  }

  #dropExchange() {
    this.exchange?.release()
    this.exchange = null
  }
}

module.exports = { Encryptor }
