// Runs a fetch of the core: gives it the time, and does what it says.
'use strict'

const { addon } = require('../../native.js')
const { copyOf } = require('../../own-memory.js')
const { startTimer } = require('../../session/deadlines.js')

/** Longest delay of a timer in ms. */
const MAX_DELAY = 0x7fffffff

/**
 * What the core says is to be done.
 *
 * @typedef {object} Owner
 * @property {(peer: number, piece: number) => void} request
 * @property {(peer: number, fault: number) => void} dropped - by the core, for good
 * @property {(metadata: Buffer) => void} done - the engine is closed then
 */

class Engine {
  #fetch
  #owner
  #isRunning = false
  #isPaused = true
  #timer = null
  /** When the timer fires. */
  #due = 0
  /** The clock never shows less: a timer of Node may fire a little early. */
  #floor = 0

  /**
   * @param {Uint8Array[]} hashes - of 20 or 32 bytes
   * @param {{maxSize: number, requestTimeout: number}} limits
   * @param {Owner} owner
   */
  constructor(hashes, { maxSize, requestTimeout }, owner) {
    this.#fetch = new addon.MetadataFetch(hashes, maxSize, requestTimeout)
    this.#owner = owner
  }

  /** @returns {boolean} whether the state fits the limits */
  resume(state) {
    return this.#fetch.resume(state)
  }

  /** @returns {object | null} what was received, to resume with */
  get state() {
    return this.#fetch.partial()
  }

  /**
   * @param {number} peer
   * @param {number} size - that it announces, in bytes
   * @param {string | undefined} client - what it calls itself
   * @returns {number | null} of MetadataFault if the peer is not used
   */
  join(peer, size, client) {
    const fault = this.#fetch.join(peer, size, client)
    this.run()
    return fault
  }

  leave(peer) {
    this.#fetch.leave(peer)
    this.run()
  }

  receive(peer, message) {
    this.#fetch.receive(peer, message, this.#now())
    this.run()
  }

  /** Does what there is to do. May be called within itself, as peers may answer at once. */
  run() {
    if (this.#isRunning || this.#isPaused) return
    this.#isRunning = true
    try {
      for (let step = this.#poll(); step !== null; step = this.#poll()) this.#do(step)
    } finally {
      this.#isRunning = false
    }
    this.#wait()
  }

  start() {
    this.#isPaused = false
    this.run()
  }

  /** Asks for nothing until it is started again; answers are still taken. */
  pause() {
    this.#isPaused = true
    this.#stopTimer()
  }

  /** Gives back its memory. */
  close() {
    this.pause()
    this.#fetch.close()
  }

  #poll() {
    return this.#isPaused ? null : this.#fetch.poll(this.#now())
  }

  #do({ peer, piece, fault, metadata }) {
    if (metadata !== undefined) {
      this.close()
      // Memory of V8, which a user may transfer.
      this.#owner.done(copyOf(metadata))
    } else if (fault !== undefined) this.#owner.dropped(peer, fault)
    else this.#owner.request(peer, piece)
  }

  #wait() {
    const deadline = this.#isPaused ? null : this.#fetch.nextDeadline()
    if (deadline === null) return this.#stopTimer()
    // One that is due before does no harm, and most deadlines are put off all the time.
    if (this.#timer !== null && this.#due <= deadline) return
    this.#stopTimer()
    const delay = Math.min(Math.max(deadline - this.#now(), 1), MAX_DELAY)
    this.#due = this.#now() + delay
    this.#timer = startTimer(delay, () => this.#fire())
  }

  #fire() {
    this.#timer = null
    this.#floor = Math.max(this.#floor, this.#due)
    this.run()
  }

  #stopTimer() {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #now() {
    this.#floor = Math.max(this.#floor, Math.floor(performance.now()))
    return this.#floor
  }
}

module.exports = { Engine }
