// The port of such a wire: output is enciphered if need be, in its order, and handed on in a microtask.
//
// Never inside the call that sends: callers attach listeners, or set their state, after it.
'use strict'

const { Port } = require('../stream/port.js')

class DeferredPort extends Port {
  /** @param {import('./wire.js').Wire} stream */
  constructor(stream) {
    super(stream)
    /** What is to leave as a chunk of its own, or in clear text, oldest first; null for nothing. */
    this.kept = null
    this.isKeeping = false
    /** @type {import('../encryption/exchange.js').Exchange | null} null for clear text */
    this.cipher = null
    /** Parts that are enciphered together; null when they are not. */
    this.parts = null
  }

  push(bytes) {
    if (this.parts !== null) this.parts.push(bytes)
    else this.#hand(this.cipher === null ? bytes : this.#encipher([bytes]))
  }

  /** All parts in a step leave as one chunk if they are enciphered, since they get other memory anyway. */
  together(step) {
    if (this.cipher === null) return step()
    this.parts = []
    try {
      return step()
    } finally {
      const { parts } = this
      this.parts = null
      if (parts.length > 0) this.#hand(this.#encipher(parts))
    }
  }

  /** As in bittorrent-protocol the memory of blocks must stay as it is until they are sent. */
  get keepsBlocks() {
    return true
  }

  #encipher(parts) {
    // A peer that does not read must not hold the memory of others.
    return this.cipher.encrypt(parts, !this.takesNow())
  }

  #hand(bytes) {
    if (this.isKeeping) return this.keep(bytes)
    this.release()
    this.stream._handOn(bytes)
  }

  /** @param {Uint8Array} bytes - of memory that stays as it is */
  keep(bytes) {
    this.kept ??= []
    this.kept.push(bytes)
  }

  /** Hands on what was kept. */
  release() {
    const { kept } = this
    this.kept = null
    if (kept !== null) for (const bytes of kept) this.stream._handOn(bytes)
  }

  /** Keeps what a step pushes, instead of handing it on. */
  keepAll(step) {
    this.isKeeping = true
    try {
      step()
    } finally {
      this.isKeeping = false
    }
  }

  takesNow() {
    return !this.isKeeping && super.takesNow()
  }

  end() {
    this.release()
    this.stream._handOn(null)
  }
}

module.exports = { DeferredPort }
