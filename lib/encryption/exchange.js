// The native half of an encrypted stream: an exchange, then two ciphers, in one slot of the addon.
'use strict'

const { byteLength } = require('../arguments.js')
const { memoryChanged, toProtocolError } = require('../errors.js')
const { copyOf } = require('../own-memory.js')
const { Slab } = require('../slab.js')
const errors = require('./errors.js')
const { native, ExchangePart, ExchangeState, RANDOMNESS_LENGTH } = require('./native.js')
const { random } = require('./random.js')
const { toAnswer } = require('./torrents.js')

/** By their bits. */
const METHODS = ['none', 'plaintext', 'rc4']

// A stream that is dropped without an end must not leak its slot.
const abandoned = new FinalizationRegistry(native.release)

/** What is sent lives as long as it waits in a stream, so it shares memory. */
const slab = new Slab(64 * 1024)

class Exchange {
  /**
   * @param {object} settings - see wrap.js
   * @param {Uint8Array} payload - of an initiator
   */
  constructor({ isInitiator, methods, mode, infoHash, policy }, payload) {
    const bits = methods.map((method) => METHODS.indexOf(method))
    const parts = [random.bytes(RANDOMNESS_LENGTH)]
    if (isInitiator) parts.push(infoHash, payload)
    this.slot = native.begin(isInitiator, bits, mode !== 'require', Buffer.concat(parts))
    this.isReleased = false
    /** Bytes that may be read, and those that were. */
    this.maxBytes = policy.maxBytes
    this.received = 0
    /** Whether it has cost us keys. */
    this.wasCostly = false
    /** @type {Error | null} why it cannot go on */
    this.failure = null
    abandoned.register(this, this.slot, this)
  }

  /**
   * @param {Uint8Array} chunk
   * @param {number} at - where to begin
   * @returns {{state: number, end: number}} an ExchangeState, and up to where it has read
   */
  receive(chunk, at) {
    const length = byteLength(chunk)
    const limit = at + this.maxBytes - this.received
    const part = limit < length ? chunk.subarray(0, limit) : chunk
    const state = native.receive(this.slot, at, part)
    const end = native.endOfReading()
    this.received += end - at
    if (state === ExchangeState.Failed) this.failure = this.#readFailure()
    if (state !== ExchangeState.Reads || end === length) return { state, end }
    this.failure = errors.tooLong(this.maxBytes)
    return { state: ExchangeState.Failed, end }
  }

  /** @returns {Buffer} what is to be sent; maybe nothing */
  takeOutput() {
    const output = this.#copy(ExchangePart.Output)
    if (output.length > 0) this.wasCostly = true
    return output
  }

  /**
   * Looks up the torrent that the peer asks for.
   *
   * @param {(name: Buffer) => unknown} lookup - gives the info hash, or a promise of it
   * @returns {Error | null | Promise<Error | null>} why the exchange cannot go on
   */
  lookUp(lookup) {
    try {
      const answer = lookup(this.asked())
      if (typeof answer?.then !== 'function') return this.answer(answer)
      return Promise.resolve(answer)
        .then((value) => this.answer(value))
        .catch(errors.toError)
    } catch (error) {
      return errors.toError(error)
    }
  }

  /** @returns {Buffer} the name of the torrent that the peer asks for: see obfuscatedHash() in torrents.js */
  asked() {
    return this.#copy(ExchangePart.Asked)
  }

  /**
   * @param {unknown} answer - the info hash that was asked for; null if there is none
   * @returns {Error | null} why the exchange cannot go on
   * @throws {Error} when it is something else
   */
  answer(answer) {
    // By then the slot may be that of another exchange.
    if (this.isReleased) return null
    const infoHash = toAnswer(answer)
    if (infoHash === null) {
      native.refuse(this.slot)
      return this.#readFailure()
    }
    if (!native.answer(this.slot, infoHash)) {
      throw new RangeError('infoHashes() must give the info hash that is asked for')
    }
    return null
  }

  /** The stream has ended. @returns {Error} what is lacking */
  end() {
    try {
      native.end(this.slot)
      return this.#readFailure()
    } catch (error) {
      // A panic in the addon, which is our bug.
      return error
    }
  }

  /** @returns {import('../errors.js').ProtocolError} */
  #readFailure() {
    return toProtocolError(native.read(this.slot, ExchangePart.Failure).toString().split('\n'))
  }

  /** @returns {{method: 'none' | 'plaintext' | 'rc4', infoHash: Buffer | null}} what was agreed on */
  readOutcome() {
    const [bit] = native.read(this.slot, ExchangePart.Method)
    const infoHash = this.#copy(ExchangePart.InfoHash)
    return { method: METHODS[bit], infoHash: infoHash.length > 0 ? infoHash : null }
  }

  /** @returns {Buffer} what the exchange has read and is payload */
  takePayload() {
    return this.#copy(ExchangePart.Payload)
  }

  /**
   * @param {Uint8Array} chunk
   * @returns {Buffer} in memory of its own
   */
  decrypt(chunk) {
    const length = byteLength(chunk)
    const target = Buffer.allocUnsafe(length)
    if (native.apply(this.slot, 1, chunk, 0, target) !== length) throw memoryChanged()
    return target
  }

  /**
   * @param {Uint8Array[]} chunks
   * @param {boolean} [isAlone] - whether they share no memory with what others send
   * @returns {Buffer} all of them, in other memory
   */
  encrypt(chunks, isAlone = false) {
    let total = 0
    for (const chunk of chunks) total += byteLength(chunk)
    const isOwn = isAlone || total > slab.length
    if (!isOwn && total > slab.buffer.length - slab.start) slab.renew()
    const start = isOwn ? 0 : slab.start
    const target = isOwn ? Buffer.allocUnsafeSlow(total) : slab.buffer
    let end = start
    for (const chunk of chunks) end += native.apply(this.slot, 0, chunk, end, target)
    if (end - start !== total) throw memoryChanged()
    if (isOwn) return target
    slab.start = end
    return target.subarray(start, end)
  }

  /** Releases the slot, at the latest when this object is garbage collected. */
  release() {
    this.isReleased = true
    abandoned.unregister(this)
    try {
      native.release(this.slot)
    } catch {
      // After a panic in the addon, which is our bug, the slot stays: nothing else depends on it.
    }
  }

  #copy(part) {
    return copyOf(native.read(this.slot, part))
  }
}

module.exports = { Exchange, ExchangeState }
