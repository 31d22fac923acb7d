// What is between an encrypted stream and the one below it: first a key exchange, then ciphers.
//
// What is written before the exchange is over waits here, so its writer is held back. What has come behind the
// exchange, in the same chunk or while a torrent is looked up, is held and read after it.
'use strict'

const { isPromise, isUint8Array } = require('node:util').types

const { byteLength } = require('../arguments.js')
const { ProtocolError, memoryChanged } = require('../errors.js')
const { attempt } = require('../session/attempt.js')
const { Deadline } = require('../session/deadlines.js')
const { onAbort } = require('../session/signals.js')
const { Carrier } = require('./carrier.js')
const errors = require('./errors.js')
const { Exchange, ExchangeState } = require('./exchange.js')
const { MAX_PAYLOAD } = require('./native.js')

const NOTHING = Buffer.alloc(0)
const PLAIN = { method: 'none', infoHash: null }

/** Where a link is. In the order in which it gets there. */
const WAITS = 0
const EXCHANGES = 1
const ASKS = 2
const PAYLOAD = 3

class Link {
  constructor(duplex, stream, settings) {
    this.duplex = duplex
    this.settings = settings
    this.phase = WAITS
    /** @type {Exchange | null} null when there is nothing to encrypt or to decrypt */
    this.exchange = null
    /** Chunks that came too early: each with its length and where to begin. */
    this.held = []
    this.isReading = false
    this.hasEnded = false
    /** A write that waits for the end of the exchange, or for room in the stream below. */
    this.waiting = null
    this.onfinal = null
    this.ticket = null
    this.timer = null
    this.carrier = new Carrier(stream, {
      data: (chunk) => this.#receive(chunk),
      end: () => this.#end(),
      error: (error) => this.#fail(error),
      close: () => this.#close(),
      drain: () => this.#drain()
    })
  }

  // The exchange

  start() {
    const { isInitiator, isPlain, policy, signal, timeout, payload } = this.settings
    const { stream } = this.carrier
    if (signal?.aborted) return this.duplex.destroy(errors.aborted(signal))
    if (stream.destroyed || stream.readableEnded) {
      process.nextTick(() => (stream.destroyed ? this.#close() : this.#end()))
    }
    if (isPlain) return process.nextTick(() => this.#passThrough())
    if (!isInitiator) {
      const ticket = policy._admit(this.settings.address ?? stream.remoteAddress)
      if (ticket instanceof Error) return this.duplex.destroy(ticket)
      this.ticket = ticket
    }
    if (timeout > 0) this.timer = new Deadline(timeout, () => this.#expire())
    const abort = () => this.duplex.destroy(errors.aborted(signal))
    if (signal !== undefined) this.stopListening = onAbort(signal, abort)
    if (payload === 'first-write') this.immediate = setImmediate(() => this.#begin(NOTHING))
    else this.#begin(payload ?? NOTHING)
  }

  #begin(payload) {
    if (this.phase !== WAITS || this.duplex.destroyed) return
    this.phase = EXCHANGES
    try {
      this.exchange = new Exchange(this.settings, payload)
      this.#sendOutput()
    } catch (error) {
      return this.duplex.destroy(error)
    }
    this.#readHeld()
    if (this.phase === EXCHANGES) this.carrier.resume()
  }

  #passThrough() {
    if (this.duplex.destroyed) return
    const { payload } = this.settings
    if (isUint8Array(payload)) this.carrier.write(payload)
    this.#settle(PLAIN, NOTHING)
    this.#readHeld()
  }

  #sendOutput() {
    const output = this.exchange.takeOutput()
    if (output.length > 0) this.carrier.write(output)
  }

  #receive(chunk) {
    if (!isUint8Array(chunk)) {
      return this.duplex.destroy(new TypeError('the stream to the peer must give Buffers'))
    }
    const { held, isReading, phase } = this
    if (phase === PAYLOAD && held.length === 0 && !isReading) return this.#deliver(chunk)
    held.push({ chunk, at: 0, length: byteLength(chunk) })
    if (phase === EXCHANGES || phase === PAYLOAD) this.#readHeld()
    else this.carrier.pause()
  }

  /** A write, or a listener, may bring the next chunk: it is read after those before it. */
  #readHeld() {
    if (this.isReading) return
    this.isReading = true
    try {
      while (this.held.length > 0 && this.phase !== ASKS && !this.duplex.destroyed) {
        const entry = this.held.shift()
        // Its memory was lent to us, and may have been taken away meanwhile.
        if (byteLength(entry.chunk) !== entry.length) throw memoryChanged()
        if (this.phase === EXCHANGES) this.#exchange(entry)
        else this.#deliver(entry.chunk.subarray(entry.at))
      }
    } catch (error) {
      this.duplex.destroy(error)
    } finally {
      this.isReading = false
    }
    if (this.phase !== ASKS && this.hasEnded) this.#end()
  }

  #exchange({ chunk, at, length }) {
    const { state, end } = this.exchange.receive(chunk, at)
    this.#sendOutput()
    if (this.duplex.destroyed) return
    if (end < length) this.held.unshift({ chunk, at: end, length })
    if (state === ExchangeState.Asks) this.#ask()
    else if (state === ExchangeState.Done) this.#finishExchange()
    else if (state === ExchangeState.Failed) this.duplex.destroy(this.exchange.failure)
  }

  #ask() {
    this.phase = ASKS
    const failure = this.exchange.lookUp(this.settings.lookup)
    if (!isPromise(failure)) return this.#goOn(failure)
    if (this.duplex.destroyed) return
    this.carrier.pause()
    failure.then((later) => {
      this.#goOn(later)
      this.#readHeld()
      if (this.phase === EXCHANGES && !this.duplex.destroyed) this.carrier.resume()
    })
  }

  /** @param {Error | null} failure - of looking up */
  #goOn(failure) {
    if (this.duplex.destroyed) return
    if (failure === null) this.phase = EXCHANGES
    else this.duplex.destroy(failure)
  }

  #finishExchange() {
    const outcome = this.exchange.readOutcome()
    const payload = this.exchange.takePayload()
    if (outcome.method !== 'rc4') this.#dropExchange()
    this.#settle(outcome, payload)
  }

  #settle(outcome, payload) {
    const { duplex } = this
    this.phase = PAYLOAD
    this.#stopExchange(false)
    duplex.encryption = outcome
    attempt(() => duplex.emit('encryption', outcome))
    if (duplex.destroyed) return
    if (payload.length > 0) this.#push(payload)
    this.#flush()
    // Nothing was read for the reader yet.
    if (duplex.readableLength < duplex.readableHighWaterMark) this.carrier.resume()
  }

  // Input

  #deliver(chunk) {
    try {
      this.#push(this.exchange === null ? chunk : this.exchange.decrypt(chunk))
    } catch (error) {
      this.duplex.destroy(error)
    }
  }

  #push(payload) {
    if (!this.duplex.push(payload)) this.carrier.pause()
  }

  read() {
    if (this.phase === PAYLOAD) this.carrier.resume()
  }

  #end() {
    this.hasEnded = true
    if (this.duplex.destroyed) return
    if (this.phase === PAYLOAD) this.duplex.push(null)
    else if (this.phase === EXCHANGES) this.duplex.destroy(this.exchange.end())
    else if (this.phase === WAITS && !this.settings.isPlain) this.#begin(NOTHING)
  }

  // Output

  write(chunks, done) {
    const { payload } = this.settings
    this.waiting = { chunks, done, lengths: null }
    if (this.phase === PAYLOAD) return this.#flush()
    this.waiting.lengths = chunks.map(byteLength)
    if (this.phase !== WAITS || payload !== 'first-write') return
    const [chunk] = chunks
    if (chunks.length > 1 || byteLength(chunk) > MAX_PAYLOAD) return
    this.waiting.chunks = []
    this.waiting.lengths = []
    this.#begin(chunk)
  }

  finish(done) {
    this.onfinal = done
    if (this.phase === PAYLOAD) this.#flush()
  }

  /** Sends what waited for the end of the exchange. */
  #flush() {
    const { waiting } = this
    if (waiting !== null && waiting.chunks !== null) {
      const { chunks, done, lengths } = waiting
      waiting.chunks = null
      try {
        if (lengths?.some((length, at) => length !== byteLength(chunks[at]))) throw memoryChanged()
        const hasRoom = this.#send(chunks)
        // The write may have been enough for 'drain', or for the end.
        if (!hasRoom || this.waiting !== waiting) return
      } catch (error) {
        return this.duplex.destroy(error)
      }
      this.waiting = null
      done()
    } else if (waiting === null && this.onfinal !== null) {
      const { onfinal } = this
      this.onfinal = null
      this.carrier.end(onfinal)
    }
  }

  /** @returns {boolean} whether the stream below takes more */
  #send(chunks) {
    if (this.exchange !== null) return this.carrier.write(this.exchange.encrypt(chunks))
    let hasRoom = true
    for (const chunk of chunks) hasRoom = this.carrier.write(chunk)
    return hasRoom
  }

  #drain() {
    const { waiting } = this
    // What waits for the end of the exchange was not sent.
    if (waiting === null || waiting.chunks !== null) return
    this.waiting = null
    waiting.done()
  }

  // Ends

  #expire() {
    const { timeout } = this.settings
    this.duplex.destroy(errors.timedOut(timeout, this.exchange?.end()))
  }

  /** The stream below has failed. */
  #fail(error) {
    const isReset = errors.RESETS.includes(error?.code)
    if (!isReset || this.exchange === null || this.phase === PAYLOAD) {
      return this.duplex.destroy(error)
    }
    this.duplex.destroy(Object.assign(this.exchange.end(), { cause: error }))
  }

  /** The stream below has closed. */
  #close() {
    const { duplex } = this
    if (this.phase === PAYLOAD) {
      // What has come is still read.
      if (!this.hasEnded || !duplex.writableFinished) duplex.destroy()
    } else if (this.exchange === null) duplex.destroy()
    else duplex.destroy(this.exchange.end())
  }

  #dropExchange() {
    this.exchange?.release()
    this.exchange = null
  }

  #stopExchange(hasFailed) {
    clearImmediate(this.immediate)
    this.timer?.stop()
    this.timer = null
    this.stopListening?.()
    this.ticket?.leave(hasFailed && this.exchange?.wasCostly === true)
    this.ticket = null
  }

  /** The encrypted stream is destroyed. */
  stop(error) {
    this.#stopExchange(error instanceof ProtocolError)
    this.#dropExchange()
    this.held = []
    this.carrier.destroy()
    const { waiting, onfinal } = this
    this.waiting = null
    this.onfinal = null
    if (waiting !== null) waiting.done(error ?? errors.destroyed())
    if (onfinal !== null) onfinal(error ?? errors.destroyed())
  }
}

module.exports = { Link }
