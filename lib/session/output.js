// The output: pushes frames of the core and blocks of the user, in their order, into a port.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')

const { addon, native, stretches, PANICKED } = require('../native.js')
const { allocate, copyOf } = require('../own-memory.js')
const { Slab } = require('../slab.js')

/** Bytes of a slab, out of which frames are cut; output that is longer gets memory of its own. */
const SLAB_LENGTH = 16 * 1024

/** Blocks up to this many bytes are copied next to other frames; above, the copy would cost more. */
const MAX_COPIED_BLOCK = 2 * 1024

/** Bytes of a piece message before its block. */
const HEAD_LENGTH = addon.memoryLayout().pieceHeadLength

/** Frames, and the block of the user that follows them, if any. */
class Part {
  /**
   * @param {Uint8Array | null} block
   * @param {number} length - of the block when it was lent to us, in bytes
   */
  constructor(block, length) {
    this.frames = null
    this.block = block
    this.length = length
  }
}

/** Most blocks, and most bytes of blocks, that wait for the end of a dispatch. */
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
    /** Parts with blocks of which the core has only the heads, oldest first; null if none wait. */
    this.blocks = null
    this.blockBytes = 0
    /** What users put into the readable side during a flush. */
    this.inserted = null
    /** Whether a block was transferred or resized before it was pushed: nothing is sent after that. */
    this.isLost = false
    /** Whether that block had its place in the output: nothing is pushed after that. */
    this.isCut = false
    /** Whether a panic has broken the core. */
    this.isBroken = false
  }

  /**
   * Sends a block.
   *
   * @param {number} piece - piece index
   * @param {number} offset - bytes
   * @param {Uint8Array} block
   * @param {number} length - of the block when it was lent to us: a listener may resize it
   * @returns {boolean} whether the block is still there
   */
  addBlock(piece, offset, block, length) {
    const { slot } = this.core
    this.isLost ||= block.length !== length
    if (this.isLost) return false
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

  /** Whether too much is queued to wait for the end of a dispatch. */
  get isFull() {
    const { blocks } = this
    return this.blockBytes >= MAX_BLOCK_BYTES || (blocks !== null && blocks.length >= MAX_BLOCKS)
  }

  /**
   * Pushes all output. The reader may send or insert more meanwhile: that is pushed afterwards, never
   * between a head and its block. An error that the reader throws is thrown at the end.
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
   * Puts bytes of a user into the readable side during a flush, after all that was sent before.
   *
   * @param {() => boolean} put
   * @returns {boolean} whether the reader wants more
   */
  insert(put) {
    this.inserted ??= []
    if (this.isWaiting) {
      const parts = this.#takeSent(this.port.takesNow())
      for (const part of parts) this.inserted.push(() => this.#push(part))
    }
    this.inserted.push(put)
    return this.port.wantsMore
  }

  /** @returns {number} bytes that have not been pushed yet */
  get length() {
    return this.isWaiting ? native.outputLength(this.core.slot) : 0
  }

  /**
   * Takes all output out if it has this length.
   *
   * @param {number} length - bytes
   * @returns {Buffer | null}
   */
  take(length) {
    if (this.blocks !== null || this.inserted !== null || this.length !== length) return null
    const bytes = allocate(length)
    this.isWaiting = false
    return this.#readInto(0, bytes) === length ? bytes : null
  }

  /** Drops blocks that can no longer be sent. */
  clear() {
    this.blocks = null
  }

  #pushSent() {
    // Asked before anything is taken, as it may call code of the user, the getters of a sink, and that
    // may send more: a head must not be taken without its block.
    const takesNow = this.port.takesNow()
    if (this.blocks === null) return this.#pushFrames(takesNow)
    return this.port.together(() => forAll(this.#takeSent(takesNow), (part) => this.#push(part)))
  }

  /** The usual case: no blocks. */
  #pushFrames(takesNow) {
    this.#begin()
    const { bytes, start, length } = this.#read(takesNow)
    if (length === 0 || this.isCut) return null
    try {
      this.port.push(bytes.subarray(start, start + length))
      return null
    } catch (error) {
      return { error }
    }
  }

  #pushInserted() {
    const steps = this.inserted
    this.inserted = null
    return forAll(steps, (step) => step())
  }

  #begin() {
    this.isWaiting = false
    this.blocks = null
    this.blockBytes = 0
  }

  /**
   * @param {boolean} takesNow - whether the reader takes what is pushed at once
   * @returns {Part[]} the frames that wait in the core, with the blocks that belong between them
   */
  #takeSent(takesNow) {
    const parts = this.blocks ?? []
    this.#begin()
    let count = 0
    for (let isAll = false; !isAll;) {
      const { bytes, start, length } = this.#read(takesNow)
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
    if (this.isCut) return
    const isThere = block === null || this.#has(block, length)
    const sent = isThere ? frames : frames.subarray(0, -HEAD_LENGTH)
    try {
      if (sent.length > 0) this.port.push(sent)
    } finally {
      // The reader of the frames may transfer or resize the block.
      if (block !== null && this.#has(block, length)) this.port.push(this.#toKeep(block))
    }
  }

  /**
   * Copies a block that Node keeps until somebody reads it. If its memory were transferred or resized
   * meanwhile, Node would go on counting its bytes and the wire would never end. Some ports do without: see there.
   */
  #toKeep(block) {
    return this.port.keepsBlocks || this.port.takesNow() ? block : copyOf(block)
  }

  /** A block may be transferred or resized before it is pushed; its head must not be sent alone. */
  #has(block, length) {
    if (block.length !== length) this.isLost = this.isCut = true
    return !this.isCut
  }

  /**
   * Reads the frames that wait in the core. `stretches` says which of them precede which block.
   *
   * @param {boolean} takesNow
   * @returns {{bytes: Buffer, start: number, length: number}} their memory, and their place in it
   */
  #read(takesNow) {
    const { start } = slab
    const length = this.#readInto(start, slab.buffer)
    if (length <= slab.buffer.length - start) return this.#keep(start, length, takesNow)
    if (length <= SLAB_LENGTH) {
      slab.renew()
      return this.#keep(0, this.#readInto(0, slab.buffer), takesNow)
    }
    const bytes = Buffer.allocUnsafeSlow(length)
    return whole(bytes, this.#readInto(0, bytes))
  }

  /**
   * Bytes that are not read at once are copied, because they would keep the whole slab alive, with the
   * frames of other wires in it: one peer that does not read would hold memory of all the others.
   */
  #keep(start, length, takesNow) {
    if (takesNow) {
      slab.start += length
      return { bytes: slab.buffer, start, length }
    }
    return whole(copyOf(slab.buffer, start, start + length), length)
  }

  /** Returns the length of the output. A core that a panic has broken has none. */
  #readInto(start, buffer) {
    const length = native.readOutput(this.core.slot, start, buffer)
    if (length !== PANICKED) return length
    this.isBroken = true
    stretches[0] = 1
    stretches[1] = 0
    return 0
  }
}

/** Does a step for each item, even if a reader throws in one; returns what was thrown last. */
function forAll(items, step) {
  let failure = null
  for (const item of items) {
    try {
      step(item)
    } catch (error) {
      failure = { error }
    }
  }
  return failure
}

/** What was read into memory of its own. */
function whole(bytes, length) {
  // A reader that transfers one stretch must not detach the others. Slabs are marked already.
  if (stretches[1] > 0) markAsUntransferable?.(bytes.buffer)
  return { bytes, start: 0, length }
}

module.exports = { Output }
