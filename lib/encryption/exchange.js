// The native half of an encrypted stream: an exchange, then two ciphers, in one slot of the addon.
'use strict'

const { byteLength } = require('../arguments.js')
const { ProtocolError, memoryChanged } = require('../errors.js')
const { copyOf } = require('../own-memory.js')
const { Slab } = require('../slab.js')
const { native, ExchangePart, ExchangeState, RANDOMNESS_LENGTH } = require('./native.js')
const { random } = require('./random.js')

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
  constructor({ isInitiator, methods, mode, infoHash }, payload) {
    const bits = methods.map((method) => METHODS.indexOf(method))
    const parts = [random.bytes(RANDOMNESS_LENGTH)]
    if (isInitiator) parts.push(infoHash, payload)
    this.slot = native.begin(isInitiator, bits, mode !== 'require', Buffer.concat(parts))
    abandoned.register(this, this.slot, this)
  }

  /**
   * @param {Uint8Array} chunk
   * @param {number} at - where to begin
   * @returns {{state: number, end: number}} an ExchangeState, and up to where it has read
   */
  receive(chunk, at) {
    const state = native.receive(this.slot, at, chunk)
    return { state, end: native.endOfReading() }
  }

  /** @returns {Buffer} what is to be sent; maybe nothing */
  takeOutput() {
    return this.#copy(ExchangePart.Output)
  }

  /** @returns {Buffer} the name of the torrent that the peer asks for */
  get asked() {
    return this.#copy(ExchangePart.Asked)
  }

  /** @returns {boolean} whether it is the one that is asked for */
  answer(infoHash) {
    return native.answer(this.slot, infoHash)
  }

  /** The torrent that is asked for is not served. @returns {ProtocolError} */
  refuse() {
    native.refuse(this.slot)
    return this.readFailure()
  }

  /** The stream has ended. @returns {ProtocolError} */
  end() {
    native.end(this.slot)
    return this.readFailure()
  }

  /** @returns {ProtocolError} */
  readFailure() {
    const text = native.read(this.slot, ExchangePart.Failure).toString()
    const [code, message, ...lines] = text.split('\n')
    const fields = lines.map((line) => line.split(' ')).map(([name, number]) => [name, +number])
    return new ProtocolError(code, message, Object.fromEntries(fields))
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
   * @returns {Buffer} all of them, in other memory
   */
  encrypt(chunks) {
    let total = 0
    for (const chunk of chunks) total += byteLength(chunk)
    const isLarge = total > slab.length
    if (!isLarge && total > slab.buffer.length - slab.start) slab.renew()
    const start = isLarge ? 0 : slab.start
    const target = isLarge ? Buffer.allocUnsafeSlow(total) : slab.buffer
    let end = start
    for (const chunk of chunks) end += native.apply(this.slot, 0, chunk, end, target)
    if (end - start !== total) throw memoryChanged()
    if (isLarge) return target
    slab.start = end
    return target.subarray(start, end)
  }

  /** Releases the slot, at the latest when this object is garbage collected. */
  release() {
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
