// Times our requests with one timer: the time of the one that waits longest begins when it was sent, or when the
// last answer came, whichever was later.
'use strict'

class RequestTimer {
  /** @param {() => void} expire - called when a request has waited for too long */
  constructor(expire) {
    this.expire = expire
    this.ms = 0
    this.isUnref = false
    this.timer = null
    /** Whether no request waits: the timer may go on, but does not keep the process alive. */
    this.isIdle = true
    /** When the time began. */
    this.since = 0
    /** Whether it began after the timer was started. */
    this.hasMoved = false
  }

  /**
   * @param {number} ms - 0 for no limit
   * @param {boolean} isUnref - whether it does not keep the process alive
   * @param {boolean} hasRequests
   */
  set(ms, isUnref, hasRequests) {
    this.stop()
    this.ms = ms
    this.isUnref = isUnref
    if (hasRequests) this.begin()
  }

  /** A request is sent, and none was open before. */
  begin() {
    if (this.ms === 0) return
    this.isIdle = false
    this.#move()
    if (this.timer === null) this.#start(this.ms)
    else if (!this.isUnref) this.timer.ref?.()
  }

  #move() {
    this.since = performance.now()
    this.hasMoved = true
  }

  /**
   * A request has ended. The timer is neither stopped nor started anew for each, which would cost more than all
   * else that is done for a block.
   *
   * @param {boolean} hasRequests - whether others are open
   */
  answered(hasRequests) {
    if (this.ms === 0) return
    this.#move()
    if (hasRequests) {
      if (this.timer === null || this.isIdle) this.begin()
    } else {
      this.isIdle = true
      this.timer?.unref?.()
    }
  }

  stop() {
    clearTimeout(this.timer)
    this.timer = null
    this.isIdle = true
  }

  #start(ms) {
    this.hasMoved = false
    this.timer = setTimeout(() => this.#fire(), ms)
    if (this.isUnref) this.timer.unref?.()
  }

  #fire() {
    this.timer = null
    if (this.isIdle) return
    // Only then is the clock asked, which fake timers in tests may leave as it is.
    const left = this.hasMoved ? this.since + this.ms - performance.now() : 0
    // A timer may fire a little early by this clock.
    if (left > 1) return this.#start(Math.ceil(left))
    this.isIdle = true
    this.expire()
  }
}

module.exports = { RequestTimer }
