// Our requests: the array that users read, edit and replace is all that there is.
'use strict'

const { checkBlock, checkCallback, checkDuration } = require('../arguments.js')
const { cancelled, choking, timedOut } = require('../errors.js')

const noop = () => {}

/**
 * Defines these methods on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineRequests(prototype) {
  Object.assign(prototype, METHODS)
}

/** An element of `wire.requests`. */
class Request {
  constructor(piece, offset, length, callback) {
    this.piece = piece
    this.offset = offset
    this.length = length
    this.callback = callback
  }
}

const METHODS = {
  /**
   * @param {number} index - of the piece
   * @param {number} offset - bytes
   * @param {number} length - bytes
   * @param {(error: Error | null, block: Uint8Array | null) => void} [callback]
   */
  request(index, offset, length, callback) {
    checkBlock(index, offset, length)
    checkCallback('callback', callback)
    const answer = callback ?? noop
    if (this._finished) return answer(new Error('wire is closed'))
    if (this.peerChoking && !(this.hasFast && this.peerAllowedFastSet.includes(index)))
      return answer(choking())
    this.requests.push(new Request(index, offset, length, answer))
    if (this._timer.isIdle) this._timer.begin()
    this._session.sendRequest(index, offset, length)
    return undefined
  },

  /** Ends the oldest request for this block; the message is sent even if there is none. */
  cancel(index, offset, length) {
    checkBlock(index, offset, length)
    this._callback(this._pull(this.requests, index, offset, length), cancelled(), null)
    this._session.sendCancel(index, offset, length)
  },

  /**
   * Limits how long a request may wait while no answer comes.
   *
   * @param {number} ms - 0 for no limit
   * @param {boolean} [unref] - whether the timer does not keep the process alive
   */
  setTimeout(ms, unref) {
    checkDuration('ms', ms)
    this._timer.set(ms, Boolean(unref), this.requests.length > 0)
  },

  /** @param {boolean} [enable] - anything but `false` starts it */
  setKeepAlive(enable) {
    this._session.setKeepAlive(enable !== false)
  },

  /** Ends a request that was taken out of the array. */
  _callback(request, error, block) {
    if (!request) return
    this._timer.answered(this.requests.length > 0 && !this._finished)
    request.callback(error, block)
  },

  /** Takes the oldest request for this block out of an array, the others keep their order. */
  _pull(requests, piece, offset, length) {
    for (let at = 0; at < requests.length; at++) {
      const request = requests[at]
      if (request.piece === piece && request.offset === offset && request.length === length) {
        if (at === 0) requests.shift()
        else requests.splice(at, 1)
        return request
      }
    }
    return null
  },

  /** The oldest request has waited for too long. */
  _onTimeout() {
    if (this.requests.length === 0) return
    this._callback(this.requests.shift(), timedOut(), null)
    this.emit('timeout')
  }
}

module.exports = { defineRequests }
