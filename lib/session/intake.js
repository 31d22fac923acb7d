// The input: passes chunks to the core and its events to their handlers, one message at a time.
'use strict'

const { throwLater } = require('./attempt.js')
const { deliver } = require('./dispatch.js')
const { Joiner } = require('./joiner.js')
const { addon, native, record, PANICKED } = require('../native.js')
const { allocate, copyOf } = require('../own-memory.js')

const { HELD, JOINED, LAST, REPLIED } = addon

/** The bits of an event that are its kind. */
const KIND = LAST - 1

class Intake {
  /**
   * @param {import('./core.js').Core} core
   * @param {boolean} copiesBlocks - whether payloads are copied into memory of their own
   */
  constructor(core, copiesBlocks) {
    this.core = core
    this.copiesBlocks = copiesBlocks
    /** The payload that is being joined. */
    this.joiner = null
    /** Whether the core holds back requests of the peer. */
    this.isHolding = false
    /** Whether there is an event after the one that was the last. */
    this.goesOn = false
  }

  /** @returns {number} bytes received that the core does not know of yet */
  get skipped() {
    return this.joiner === null ? 0 : this.joiner.skipped
  }

  /**
   * Keeps a chunk that lies entirely within a payload, without a call of the core.
   *
   * @param {Buffer} chunk
   * @returns {boolean} whether it is such a chunk
   */
  keep(chunk) {
    return this.joiner !== null && this.joiner.keepWhole(chunk)
  }

  /**
   * Delivers each message of a chunk, and the events that follow from it. What a listener does takes effect
   * before the next message. An error that it throws is thrown again in the next tick, so that the rest of
   * the chunk is delivered.
   *
   * @param {Buffer | null} lent - null to deliver only events that the core has without new input
   * @param {number} length - of the chunk when it was lent to us, in bytes
   * @param {import('./session.js').Session} session - whose handlers are called
   */
  drain(lent, length, session) {
    this.reportSkipped()
    let chunk = lent
    let at = 0
    let isLast = false
    while (!isLast) {
      if (chunk !== null && chunk.length !== length) {
        // A listener has transferred the chunk with a block, which is a view of it, or resized it: the rest
        // of its bytes is lost.
        session.onLost()
        chunk = null
      }
      const { slot } = this.core
      const event = chunk === null ? native.next(slot) : native.poll(slot, at, chunk)
      // The next event reports the failure.
      if (event === PANICKED) continue
      at = record[0]
      isLast = (event & LAST) !== 0
      this.isHolding = (event & HELD) !== 0
      try {
        deliver(event & KIND, record, session, this, chunk)
      } catch (error) {
        throwLater(error)
      }
      if ((event & REPLIED) !== 0) session.onReplied()
      session.onDelivered()
      if (this.goesOn) isLast = false
      this.goesOn = false
    }
  }

  /**
   * What was just done has ended the wire: the event that says so is delivered before `drain` returns. Until
   * then the core sends nothing, and the user has no reason to expect that.
   */
  goOn() {
    this.goesOn = true
  }

  /** Reports to the core the bytes that were kept without it. */
  reportSkipped() {
    if (this.joiner !== null && this.joiner.skipped > 0)
      native.skipPart(this.core.slot, this.joiner.takeSkipped())
  }

  /** Keeps a part of a payload that is split over several chunks. */
  keepPart(chunk, start, length, room, missing) {
    this.joiner ??= new Joiner()
    this.joiner.keep(chunk, start, length, room, missing)
  }

  /** The payload of `length` bytes, of which all, or the last part, begins at `start` in the chunk. */
  payload(chunk, start, length) {
    if (start === JOINED) return this.joined(length)
    const { joiner } = this
    if (joiner !== null) {
      this.joiner = null
      return joiner.finish(chunk, start, length)
    }
    const view = chunk.subarray(start, start + length)
    return this.copiesBlocks ? copyOf(view) : view
  }

  /** A payload that the core has joined. */
  joined(length) {
    return this.read(allocate(length))
  }

  /**
   * @param {Buffer} bytes - to fill with a payload that the core has
   * @returns {Buffer} the same Buffer
   */
  read(bytes) {
    if (native.readPayload(this.core.slot, bytes) === PANICKED) bytes.fill(0)
    return bytes
  }

  /** Nothing more is received. */
  clear() {
    this.joiner = null
  }
}

module.exports = { Intake }
