// Measures how long the peer takes to answer requests. Times one request at a time: that says as much as
// timing all of them, and costs next to nothing.
'use strict'

/** Weight of the newest sample in the average. */
const NEWEST_SHARE = 1 / 8

class Latency {
  constructor() {
    /** The request that is being timed. */
    this.request = null
    this.since = 0
    this.samples = 0
    this.last = 0
    this.average = 0
  }

  /**
   * A request was sent.
   *
   * @param {object} request
   */
  start(request) {
    if (this.request !== null) return
    this.request = request
    this.since = performance.now()
  }

  /**
   * A request has ended.
   *
   * @param {object} request
   * @param {boolean} isAnswered
   */
  end(request, isAnswered) {
    if (request !== this.request) return
    this.request = null
    if (!isAnswered) return
    this.last = performance.now() - this.since
    this.average += this.samples === 0 ? this.last : (this.last - this.average) * NEWEST_SHARE
    this.samples++
  }

  /** @returns {{samples: number, last: number, average: number} | null} ms; null before a sample */
  toStats() {
    const { samples, last, average } = this
    return samples === 0 ? null : { samples, last, average }
  }
}

module.exports = { Latency }
