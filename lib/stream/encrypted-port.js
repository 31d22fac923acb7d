// The port of a wire whose output may be enciphered: all that leaves passes here, once and in its order.
'use strict'

const { isUint8Array } = require('node:util').types

const { Port } = require('./port.js')

class EncryptedPort extends Port {
  /** @param {import('node:stream').Duplex} stream */
  constructor(stream) {
    super(stream)
    /** @type {import('../encryption/exchange.js').Exchange | null} null for clear text */
    this.cipher = null
    /** Called with the error when something cannot be enciphered; nothing is sent after that. */
    this.onbroken = null
    this.isBroken = false
  }

  /** @param {import('../encryption/exchange.js').Exchange | null} exchange - that is over; null for clear text */
  endExchange(exchange) {
    this.cipher = exchange
  }

  /** Nothing follows. */
  drop() {
    this.cipher = null
  }

  push(bytes) {
    const sent = this.#encipher(bytes)
    if (sent !== null) super.push(sent)
  }

  /** @returns {unknown} enciphered bytes; what is no bytes is for Node to refuse */
  toSend(chunk, encoding) {
    if (this.cipher === null) return chunk
    if (typeof chunk === 'string') return this.#encipher(Buffer.from(chunk, encoding)) ?? ''
    return isUint8Array(chunk) ? (this.#encipher(chunk) ?? '') : chunk
  }

  /** Blocks stay with the user, so other memory is written. Returns null when that has failed. */
  #encipher(bytes) {
    if (this.isBroken) return null
    if (this.cipher === null) return bytes
    try {
      // A peer that does not read must not hold the memory of others.
      return this.cipher.encrypt([bytes], !this.takesNow())
    } catch (error) {
      this.isBroken = true
      this.onbroken(error)
      return null
    }
  }
}

module.exports = { EncryptedPort }
