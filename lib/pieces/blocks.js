// The blocks of one piece that is fetched on the event loop: which are missing, open, or there.
'use strict'

const MISSING = 0
const OPEN = 1
const THERE = 2

class Blocks {
  /** @param {object} fetch - see options.js */
  constructor({ length, blockLength, resume }) {
    this.length = length
    this.blockLength = blockLength
    this.states = new Uint8Array(Math.ceil(length / blockLength))
    this.left = this.states.length
    /** No block before it is missing. */
    this.from = 0
    /** All blocks before it are there. */
    this.prefix = 0
    /** Made with the first block: many pieces may be waiting. */
    this.bytes = null
    if (resume !== null) this.#resume(resume)
  }

  /** A block counts if it is there as a whole within one range. */
  #resume({ ranges, bytes }) {
    this.bytes = Buffer.from(bytes)
    for (const [start, end] of ranges) {
      for (let block = Math.ceil(start / this.blockLength); block < this.states.length; block++) {
        if (this.offsetOf(block) + this.lengthOf(block) > end) break
        this.#note(block)
      }
    }
  }

  #note(block) {
    if (this.states[block] === THERE) return
    this.states[block] = THERE
    this.left--
  }

  offsetOf(block) {
    return block * this.blockLength
  }

  lengthOf(block) {
    return Math.min(this.blockLength, this.length - this.offsetOf(block))
  }

  /** @returns {number} the first that is missing, -1 for none */
  next() {
    const { states } = this
    while (this.from < states.length && states[this.from] !== MISSING) this.from++
    return this.from < states.length ? this.from : -1
  }

  open(block) {
    this.states[block] = OPEN
  }

  /** It has to be asked for again. */
  giveUp(block) {
    this.states[block] = MISSING
    this.from = Math.min(this.from, block)
  }

  /** @param {Uint8Array} bytes - of the block */
  put(block, bytes) {
    // Zeros where nothing has arrived, as nobody is to see memory of others.
    this.bytes ??= Buffer.alloc(this.length)
    this.bytes.set(bytes, this.offsetOf(block))
    this.#note(block)
  }

  /** @returns {number} bytes from the beginning on that are there */
  get reached() {
    while (this.prefix < this.states.length && this.states[this.prefix] === THERE) this.prefix++
    return Math.min(this.offsetOf(this.prefix), this.length)
  }

  /** @returns {[number, number][]} what is there, in bytes: in order, and apart from each other */
  get ranges() {
    const ranges = []
    for (let block = 0; block < this.states.length; block++) {
      if (this.states[block] !== THERE) continue
      const start = this.offsetOf(block)
      const end = start + this.lengthOf(block)
      const last = ranges.at(-1)
      if (last !== undefined && last[1] === start) last[1] = end
      else ranges.push([start, end])
    }
    return ranges
  }
}

module.exports = { Blocks }
