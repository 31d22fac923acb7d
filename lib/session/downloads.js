// Our requests: their callbacks, the timer of the oldest one, and the latency of the peer.
'use strict'

const { Request, Requests } = require('./requests.js')
const { Latency } = require('../diagnostics/latency.js')
const { native } = require('../native.js')

const MAX_UINT32 = 0xffffffff

class Downloads {
  /** @param {import('./core.js').Core} core */
  constructor(core) {
    this.core = core
    this.requests = new Requests()
    this.lastId = 0
    /** How long the oldest request may wait; 0 for no limit. */
    this.timeoutMs = 0
    this.onTimeout = null
    /** Made with the first request. */
    this.latency = null
  }

  /** @returns {number} the id of the request that is opened next */
  get nextId() {
    // In events of the core the id 0 means that a block answers no request.
    return this.lastId === MAX_UINT32 ? 1 : this.lastId + 1
  }

  /**
   * Opens a request and sends it.
   *
   * @param {number} piece - piece index
   * @param {number} offset - bytes
   * @param {number} length - bytes
   * @param {Function} callback - called once with `(error, block)`
   */
  open(piece, offset, length, callback) {
    const request = new Request(piece, offset, length, callback)
    this.lastId = this.nextId
    this.requests.add(this.lastId, request)
    this.latency ??= new Latency()
    this.latency.start(request)
    native.request(this.core.slot, this.lastId, piece, offset, length)
    this.startTimer()
  }

  /**
   * Withdraws the oldest request for this block, without a message to the peer.
   *
   * @returns {Request | undefined}
   */
  withdraw(piece, offset, length) {
    return this.requests.take(native.takeRequest(this.core.slot, piece, offset, length))
  }

  /** Whether this is the oldest request still, and its timer has not been taken away. */
  isTimed(request) {
    return request.timeout !== null && this.requests.oldest === request
  }

  /** @returns {Request | undefined} the oldest request, withdrawn because it has timed out */
  expire() {
    native.expireRequest(this.core.slot)
    return this.requests.takeOldest()
  }

  /**
   * Ends a request that was taken out of the queue; the timer of the next one starts first.
   *
   * @param {Request} request
   * @param {Error | null} error
   * @param {Buffer | null} block
   * @param {boolean} isRunning - whether the peer may still answer the others
   */
  settle(request, error, block, isRunning) {
    this.latency.end(request, error === null)
    if (request.timeout !== null) clearTimeout(request.timeout)
    if (isRunning) this.startTimer()
    request.callback(error, block)
  }

  /** Starts the timer of the oldest request, if there is a timeout and it has no timer yet. */
  startTimer() {
    if (this.timeoutMs === 0) return
    const { oldest } = this.requests
    if (oldest !== undefined) oldest.timeout ??= setTimeout(this.onTimeout, this.timeoutMs)
  }

  /**
   * Limits how long the oldest request may wait, starting now.
   *
   * @param {number} ms - 0 for no limit
   * @param {() => void} onTimeout - called when it has waited for too long
   */
  setTimeout(ms, onTimeout) {
    this.timeoutMs = ms
    this.onTimeout = onTimeout
    const { oldest } = this.requests
    if (oldest !== undefined && oldest.timeout !== null) {
      clearTimeout(oldest.timeout)
      oldest.timeout = null
    }
    this.startTimer()
  }
}

module.exports = { Downloads }
