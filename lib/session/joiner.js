// Payloads that are cut between chunks: joined once, in memory of JavaScript.
'use strict'

const { allocate } = require('../own-memory.js')

/** The payload of one message, as far as it was received. */
class Joiner {
  constructor() {
    /** Memory of its own: users keep blocks. */
    this.bytes = null
    this.length = 0
    /** Bytes that the core waits for. */
    this.missing = 0
    /** Bytes that were kept without the core; it hears of them with the next chunk. */
    this.skipped = 0
  }

  /**
   * Keeps a part. The core says how much room to have for all parts so far.
   *
   * @param {Buffer} chunk
   * @param {number} start - in the chunk
   * @param {number} length - bytes
   * @param {number} room - bytes
   * @param {number} missing - bytes, after this part
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
   * Keeps a chunk that lies wholly within the payload, for which there is room.
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

  /** @returns {number} bytes that the core does not know of yet; it is told with this call */
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
