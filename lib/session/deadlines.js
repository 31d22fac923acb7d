// Fails a session whose peer is silent for too long, if the options set a limit.
//
// The timers do not keep the process alive: the connection does, as long as it is open. Fake timers in
// tests may be plain numbers, without the methods of Node's timers.
'use strict'

const { handshakeTimedOut, inactive } = require('../errors.js')

/**
 * @param {number} ms
 * @param {() => void} fire
 * @returns {NodeJS.Timeout | number} a timer that does not keep the process alive
 */
function startTimer(ms, fire) {
  const timer = setTimeout(fire, ms)
  if (typeof timer?.unref === 'function') timer.unref()
  return timer
}

/** A limit on how long something may take, from now on. */
class Deadline {
  /**
   * @param {number} ms
   * @param {() => void} miss - called when the time is up
   * @param {{catchUp: (step: () => void) => void} | null} [port] - what it has received comes first
   */
  constructor(ms, miss, port = null) {
    this.ms = ms
    this.miss = miss
    this.port = port
    this.timer = null
    /** How often it was put off or stopped. */
    this.changes = 0
    this.start()
  }

  start() {
    this.timer = startTimer(this.ms, () => this.#fire())
  }

  #fire() {
    if (this.port === null) return this.miss()
    const { changes } = this
    this.port.catchUp(() => {
      if (this.changes === changes) this.miss()
    })
  }

  /** Restarts the time from now. */
  putOff() {
    this.changes++
    if (typeof this.timer?.refresh === 'function') {
      this.timer.refresh()
    } else {
      this.stop()
      this.start()
    }
  }

  stop() {
    this.changes++
    clearTimeout(this.timer)
  }
}

/** The deadlines of one session. */
class Deadlines {
  /**
   * @param {{handshakeTimeout: number, inactivityTimeout: number}} settings - ms, 0 for none
   * @param {(error: Error) => void} fail - called when one is missed
   * @param {import('../stream/port.js').Port} port
   */
  constructor({ handshakeTimeout, inactivityTimeout }, fail, port) {
    const start = (ms, miss) => (ms > 0 ? new Deadline(ms, miss, port) : null)
    this.handshake = start(handshakeTimeout, () => fail(handshakeTimedOut(handshakeTimeout)))
    this.inactivity = start(inactivityTimeout, () => fail(inactive(inactivityTimeout)))
  }

  /** Bytes of the peer were received. */
  putOff() {
    this.inactivity?.putOff()
  }

  /** The handshake of the peer was received. */
  meetHandshake() {
    this.handshake?.stop()
  }

  stop() {
    this.handshake?.stop()
    this.inactivity?.stop()
  }
}

/**
 * @param {object} settings - of a session
 * @param {(error: Error) => void} fail - called when one is missed
 * @param {import('../stream/port.js').Port} port
 * @returns {Deadlines | null} null if no limit is set
 */
function startDeadlines(settings, fail, port) {
  const isWanted = settings.handshakeTimeout > 0 || settings.inactivityTimeout > 0
  return isWanted ? new Deadlines(settings, fail, port) : null
}

module.exports = { Deadline, startDeadlines, startTimer }
