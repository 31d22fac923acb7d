// Ends a wire whose peer keeps silent, if the options say so.
//
// The timers do not keep the process alive: the connection does, as long as there is one. Fake timers of
// tests may be numbers, without the methods of Node's own.
'use strict'

const { inContext } = require('./context.js')
const { handshakeTimedOut, inactive } = require('./errors.js')

class Deadline {
  /**
   * @param {number} ms - until it is missed
   * @param {() => void} miss
   */
  constructor(ms, miss) {
    this.ms = ms
    this.miss = miss
    this.timer = null
    this.start()
  }

  start() {
    this.timer = setTimeout(this.miss, this.ms)
    if (typeof this.timer?.unref === 'function') this.timer.unref()
  }

  /** Puts it off: it is missed so many ms from now. */
  putOff() {
    if (typeof this.timer?.refresh === 'function') {
      this.timer.refresh()
    } else {
      this.stop()
      this.start()
    }
  }

  stop() {
    clearTimeout(this.timer)
  }
}

/**
 * Starts those that are wanted.
 *
 * @param {import('./wire.js')} wire
 * @param {{handshakeTimeout: number, inactivityTimeout: number}} settings - ms, 0 for none
 * @param {(wire: object, error: Error) => void} fail - ends the wire
 */
function startDeadlines(wire, { handshakeTimeout, inactivityTimeout }, fail) {
  if (handshakeTimeout > 0) {
    const miss = () => inContext(wire, fail, handshakeTimedOut(handshakeTimeout))
    wire._handshakeDeadline = new Deadline(handshakeTimeout, miss)
  }
  if (inactivityTimeout > 0) {
    const miss = () => inContext(wire, fail, inactive(inactivityTimeout))
    wire._inactivityDeadline = new Deadline(inactivityTimeout, miss)
  }
}

/**
 * The handshake has come.
 *
 * @param {import('./wire.js')} wire
 */
function endHandshakeDeadline(wire) {
  if (wire._handshakeDeadline !== null) wire._handshakeDeadline.stop()
  wire._handshakeDeadline = null
}

/**
 * The wire has ended.
 *
 * @param {import('./wire.js')} wire
 */
function stopDeadlines(wire) {
  endHandshakeDeadline(wire)
  if (wire._inactivityDeadline !== null) wire._inactivityDeadline.stop()
  wire._inactivityDeadline = null
}

module.exports = { endHandshakeDeadline, startDeadlines, stopDeadlines }
