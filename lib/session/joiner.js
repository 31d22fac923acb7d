// Joins a payload that is split over several chunks: once, in memory of JavaScript.
//
// Memory grows with bytes received, never with an announced length: the core says how much to allocate.
'use strict'

const { allocate } = require('../own-memory.js')

/** The payload of one message, as far as it has been received. */
class Joiner {
  constructor() {
    /** Never part of a larger allocation, because users keep blocks. */
    this.bytes = null
    this.length = 0
    /** Bytes that the core waits for. */
    this.missing = 0
    /** Bytes that were kept without the core; reported to it before the next chunk that it gets. */
    this.skipped = 0
  }

  /**
   * Keeps a part.
   *
   * @param {Buffer} chunk
   * @param {number} start - in the chunk
   * @param {number} length - bytes
   * @param {number} room - bytes to have for all parts so far, as the core says
   * @param {number} missing - bytes after this part
   */
  keep(chunk, start, length, room, missing) {
    const { bytes } = this
    if (bytes === null || bytes.length < room) {
      this.bytes = allocate(room)
      if (bytes !== null) bytes.copy(this.bytes, 0, 0, this.length)
    }
    chunk.copy(this.bytes, this.length, start, start + length)
    this.length += length
    this.missing = missing
  }

  /**
   * Keeps a chunk if it lies entirely within the payload and there is room for it.
   *
   * @param {Buffer} chunk
   * @returns {boolean} whether it is such a chunk
   */
  keepWhole(chunk) {
    const length = this.length + chunk.length
    if (chunk.length >= this.missing || length > this.bytes.length) return false
    this.bytes.set(chunk, this.length)
    this.length = length
    this.missing -= chunk.length
    this.skipped += chunk.length
    return true
  }

  /** @returns {number} bytes that the core does not know of yet; the caller reports them */
  takeSkipped() {
    const { skipped } = this
    this.skipped = 0
    return skipped
  }

  /**
   * Adds the last part.
   *
   * @param {Buffer} chunk
   * @param {number} start - in the chunk
   * @param {number} length - bytes of the whole payload
   * @returns {Buffer} the payload
   */
  finish(chunk, start, length) {
    this.keep(chunk, start, length - this.length, length, 0)
    return this.bytes
  }
}

module.exports = { Joiner }
