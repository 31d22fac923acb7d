// The way out: frames of the core and blocks of the user, in their order, into a port.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')

const { addon, native, record, PANICKED } = require('../native.js')
const { copyOf } = require('../own-memory.js')
const { Slab } = require('../slab.js')

/** Frames are cut out of slabs of this size in bytes; where more waits, it gets its own memory. */
const SLAB_LENGTH = 16 * 1024

/** Blocks up to this many bytes are copied next to other frames; above, a copy costs more. */
const MAX_COPIED_BLOCK = 2 * 1024

/** Bytes of the message of a block before the block. */
const HEAD_LENGTH = addon.memoryLayout().pieceHeadLength

/** Most blocks, and bytes of blocks, that wait for the end of a dispatch. */
const MAX_BLOCKS = 32
const MAX_BLOCK_BYTES = 256 * 1024

const slab = new Slab(SLAB_LENGTH)

class Output {
  /**
   * @param {import('./core.js').Core} core
   * @param {import('../stream/port.js').Port} port
   */
  constructor(core, port) {
    this.core = core
    this.port = port
    /** Whether the core may have something to send. */
    this.isWaiting = false
    this.isFlushing = false
    /** Blocks that the core has only the heads of, oldest first; null while there never was one. */
    this.blocks = null
    this.blockBytes = 0
    /** What users put into the readable side while a flush went on. */
    this.inserted = null
    /** Whether a block follows what was read last, and whether that is all. */
    this.isBlockNext = false
    this.isAll = false
    /** Whether a block was taken away before it could leave: nothing follows then. */
    this.isLost = false
    /** Whether a panic has broken the core. */
    this.isBroken = false
  }

  /**
   * Sends a block.
   *
   * @param {number} piece - piece index
   * @param {number} offset - bytes
   * @param {Uint8Array} block
   * @param {number} length - of the block when it was lent to us: listeners may change it
   * @returns {boolean} whether it is still there
   */
  addBlock(piece, offset, block, length) {
    const { slot } = this.core
    if (!this.#has(block, length)) return false
    if (length <= MAX_COPIED_BLOCK) {
      native.piece(slot, piece, offset, block)
    } else {
      native.pieceHead(slot, piece, offset, length)
      this.blocks ??= []
      this.blocks.push({ block, length })
    }
    this.blockBytes += length
    return true
  }

  /** Whether so much waits that it should not wait for the end of a dispatch. */
  get isFull() {
    const { blocks } = this
    return this.blockBytes >= MAX_BLOCK_BYTES || (blocks !== null && blocks.length >= MAX_BLOCKS)
  }

  /**
   * Pushes what there is. Whoever reads may send more, or insert: that follows, and is not put between
   * a head and its block. What a reader throws is thrown at the end.
   */
  flush() {
    if (this.isFlushing) return
    this.isFlushing = true
    let failure = null
    try {
      while (this.isWaiting || this.inserted !== null) {
        failure = (this.inserted === null ? this.#pushSent() : this.#pushInserted()) ?? failure
      }
    } finally {
      this.isFlushing = false
    }
    if (failure !== null) throw failure.error
  }

  /**
   * Puts something of a user into the readable side while a flush goes on: after what was sent before.
   *
   * @param {() => boolean} put
   * @returns {boolean} whether the reader wants more
   */
  insert(put) {
    this.inserted ??= []
    if (this.isWaiting) {
      for (const part of this.#takeSent()) this.inserted.push(() => this.#push(part))
    }
    this.inserted.push(put)
    return this.port.wantsMore
  }

  /** @returns {number} bytes that were not pushed yet */
  get length() {
    return this.isWaiting ? native.outputLength(this.core.slot) : 0
  }

  /** Forgets what can never leave. */
  clear() {
    this.blocks = null
  }

  #pushSent() {
    const isGathered = this.blocks !== null && this.blocks.length > 0
    if (!isGathered) {
      this.#begin()
      return safely(() => this.#give(this.#read()))
    }
    return this.port.together(() => this.#pushParts(this.#takeSent()))
  }

  #pushParts(parts) {
    let failure = null
    for (const part of parts) failure = safely(() => this.#push(part)) ?? failure
    return failure
  }

  #pushInserted() {
    const steps = this.inserted
    this.inserted = null
    let failure = null
    for (const step of steps) failure = safely(step) ?? failure
    return failure
  }

  #begin() {
    this.isWaiting = false
    this.blockBytes = 0
  }

  /** Frames, each stretch with the block that follows it if one does. */
  #takeSent() {
    this.#begin()
    const parts = []
    for (;;) {
      const bytes = this.#read()
      const next = this.isBlockNext ? this.blocks.shift() : undefined
      if (next === undefined) {
        parts.push({ bytes, block: null, length: 0 })
        return parts
      }
      // Whoever reads the first part must not take the others with it. Slabs are marked.
      if (bytes.buffer !== slab.buffer.buffer) markAsUntransferable?.(bytes.buffer)
      parts.push({ bytes, block: next.block, length: next.length })
      if (this.isAll) return parts
    }
  }

  #push({ bytes, block, length }) {
    if (this.isLost) return
    const frames = this.#has(block, length) ? bytes : bytes.subarray(0, -HEAD_LENGTH)
    try {
      this.#give(frames)
    } finally {
      // Whoever reads the frames may take the block away.
      if (block !== null && this.#has(block, length)) this.port.push(this.#toKeep(block))
    }
  }

  /**
   * A block that Node keeps until somebody reads. Were its memory transferred or resized meanwhile, the
   * wire would wait for its bytes for ever. Behind a pipe that is held back a copy would cost too much.
   */
  #toKeep(block) {
    return this.port.isPiped || this.port.takesNow ? block : copyOf(block)
  }

  #give(bytes) {
    if (bytes.length > 0) this.port.push(bytes)
  }

  /** A block may be transferred or resized before it leaves; its head must not leave alone. */
  #has(block, length) {
    this.isLost ||= block !== null && block.length !== length
    return !this.isLost
  }

  /** The bytes that wait in the core, up to a block of ours. */
  #read() {
    let length = this.#readInto(slab.start, slab.buffer)
    if (length > slab.buffer.length - slab.start) {
      if (length > SLAB_LENGTH) {
        const bytes = Buffer.allocUnsafeSlow(length)
        const taken = bytes.subarray(0, this.#readInto(0, bytes))
        this.#noteRest(record[0], record[1])
        return taken
      }
      slab.renew()
      length = this.#readInto(0, slab.buffer)
    }
    const isBlockNext = record[0]
    const isAll = record[1]
    // What waits would keep the slab, in which frames of other wires lie: one peer that does not read
    // would hold the memory of what all others have read.
    // The port may look at a sink of the user's making, which may do anything.
    const bytes = this.port.takesNow
      ? slab.cut(length)
      : copyOf(slab.buffer, slab.start, slab.start + length)
    this.#noteRest(isBlockNext, isAll)
    return bytes
  }

  #noteRest(isBlockNext, isAll) {
    this.isBlockNext = isBlockNext === 1
    this.isAll = isAll === 1
  }

  /** Gives the length of the output. A core that a panic has broken has none. */
  #readInto(start, buffer) {
    const length = native.readOutput(this.core.slot, start, buffer)
    if (length !== PANICKED) return length
    this.isBroken = true
    record[0] = 0
    record[1] = 1
    return 0
  }
}

/** A reader that throws does not keep the rest back; gives what it threw. */
function safely(step) {
  try {
    step()
    return null
  } catch (error) {
    return { error }
  }
}

module.exports = { Output }
