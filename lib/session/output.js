// The way out: frames of the core and blocks of the user, in their order, into a port.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')

const { addon, native, stretches, PANICKED } = require('../native.js')
const { copyOf } = require('../own-memory.js')
const { Slab } = require('../slab.js')

/** Frames are cut out of slabs of this size in bytes; where more waits, it gets its own memory. */
const SLAB_LENGTH = 16 * 1024

/** Blocks up to this many bytes are copied next to other frames; above, a copy costs more. */
const MAX_COPIED_BLOCK = 2 * 1024

/** Bytes of the message of a block before the block. */
const HEAD_LENGTH = addon.memoryLayout().pieceHeadLength

/** Frames, and the block of the user that follows them, if one does. */
class Part {
  /**
   * @param {Uint8Array | null} block
   * @param {number} length - of the block when it was lent to us
   */
  constructor(block, length) {
    this.frames = null
    this.block = block
    this.length = length
  }
}

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
    /** Parts with blocks that the core has only the heads of, oldest first; null where none wait. */
    this.blocks = null
    this.blockBytes = 0
    /** What users put into the readable side while a flush went on. */
    this.inserted = null
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
      this.blocks.push(new Part(block, length))
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
    if (this.blocks === null) return this.#pushFrames()
    return this.port.together(() => this.#pushParts(this.#takeSent()))
  }

  /** The usual case: no blocks. */
  #pushFrames() {
    this.#begin()
    const { bytes, start, length } = this.#read()
    if (length === 0) return null
    try {
      this.port.push(bytes.subarray(start, start + length))
      return null
    } catch (error) {
      return { error }
    }
  }

  /** A reader that throws does not keep the rest back; gives what it threw. */
  #pushParts(parts) {
    let failure = null
    for (const part of parts) {
      try {
        this.#push(part)
      } catch (error) {
        failure = { error }
      }
    }
    return failure
  }

  #pushInserted() {
    const steps = this.inserted
    this.inserted = null
    let failure = null
    for (const step of steps) {
      try {
        step()
      } catch (error) {
        failure = { error }
      }
    }
    return failure
  }

  #begin() {
    this.isWaiting = false
    this.blocks = null
    this.blockBytes = 0
  }

  /** @returns {Part[]} what waits in the core, with the blocks that belong there */
  #takeSent() {
    const parts = this.blocks ?? []
    this.#begin()
    let count = 0
    for (let isAll = false; !isAll;) {
      const { bytes, start, length } = this.#read()
      const end = start + length
      let at = start
      for (let n = 0; n < stretches[1]; n++) {
        parts[count].frames = bytes.subarray(at, (at += stretches[2 + n]))
        count++
      }
      isAll = stretches[0] === 1
      if (isAll) {
        parts.length = count
        if (at < end) {
          parts.push(new Part(null, 0))
          parts[count].frames = bytes.subarray(at, end)
        }
      }
    }
    return parts
  }

  #push({ frames, block, length }) {
    if (this.isLost) return
    const isThere = block === null || this.#has(block, length)
    const sent = isThere ? frames : frames.subarray(0, -HEAD_LENGTH)
    try {
      if (sent.length > 0) this.port.push(sent)
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
    return this.port.isPiped || this.port.takesNow() ? block : copyOf(block)
  }

  /** A block may be transferred or resized before it leaves; its head must not leave alone. */
  #has(block, length) {
    this.isLost ||= block.length !== length
    return !this.isLost
  }

  /**
   * The bytes that wait in the core. `stretches` says which of them come before which block.
   *
   * @returns {{bytes: Buffer, start: number, length: number}} their memory, and where in it they are
   */
  #read() {
    // Asked first, as it may look at a sink of the user's making, which may do anything.
    const takesNow = this.port.takesNow()
    const { start } = slab
    const length = this.#readInto(start, slab.buffer)
    if (length <= slab.buffer.length - start) return this.#keep(start, length, takesNow)
    if (length <= SLAB_LENGTH) {
      slab.renew()
      return this.#keep(0, this.#readInto(0, slab.buffer), takesNow)
    }
    const bytes = Buffer.allocUnsafeSlow(length)
    // Whoever reads a stretch must not take the others with it. Slabs are marked.
    markAsUntransferable?.(bytes.buffer)
    return { bytes, start: 0, length: this.#readInto(0, bytes) }
  }

  /**
   * Bytes that nobody takes at once would keep the slab, in which frames of other wires lie: one peer
   * that does not read would hold the memory of what all others have read.
   */
  #keep(start, length, takesNow) {
    if (takesNow) {
      slab.start += length
      return { bytes: slab.buffer, start, length }
    }
    const bytes = copyOf(slab.buffer, start, start + length)
    if (stretches[1] > 0) markAsUntransferable?.(bytes.buffer)
    return { bytes, start: 0, length }
  }

  /** Gives the length of the output. A core that a panic has broken has none. */
  #readInto(start, buffer) {
    const length = native.readOutput(this.core.slot, start, buffer)
    if (length !== PANICKED) return length
    this.isBroken = true
    stretches[0] = 1
    stretches[1] = 0
    return 0
  }
}

module.exports = { Output }
