// The speed meters of a wire: functions, as users of bittorrent-protocol call them.
'use strict'

const clock = require('./clock.js')

/** Ticks over which a speed is averaged: five seconds. */
const WINDOW = 50

/** Ticks of a second. Before so many have passed, a meter returns what it has counted. */
const SECOND = 1000 / clock.TICK

/** Bytes by tick, over the window. */
class Meter {
  constructor() {
    this.first = clock.now()
    this.last = this.first
    /** Made with the first bytes: most wires that are opened never transfer any. */
    this.slots = null
    this.total = 0
  }

  add(bytes) {
    this.#advance()
    this.slots ??= new Float64Array(WINDOW)
    this.slots[this.last % WINDOW] += bytes
    this.total += bytes
  }

  read() {
    this.#advance()
    const age = this.last - this.first + 1
    return age < SECOND ? this.total : (this.total * SECOND) / Math.min(age, WINDOW)
  }

  /** Forgets what has left the window. */
  #advance() {
    const tick = clock.now()
    const passed = tick - this.last
    if (passed <= 0) return
    this.last = tick
    const { slots } = this
    if (slots === null) return
    if (passed >= WINDOW) {
      slots.fill(0)
      this.total = 0
      return
    }
    for (let at = tick - passed + 1; at <= tick; at++) {
      this.total -= slots[at % WINDOW]
      slots[at % WINDOW] = 0
    }
  }
}

/** @returns {(bytes?: number) => number} counts bytes, if any are given, and returns how many a second these are */
function makeMeter() {
  const meter = new Meter()
  return (bytes) => {
    // What is no number of bytes would spoil its sums for good.
    if (bytes > 0 && bytes < Infinity) meter.add(bytes)
    return meter.read()
  }
}

module.exports = { makeMeter }
