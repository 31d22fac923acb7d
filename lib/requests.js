// The requests of both sides as users see them: live arrays, callbacks, and the timer of the head.
'use strict'

const { takeBack } = require('./ahead.js')
const { inContext } = require('./context.js')
const { native } = require('./native.js')
const { timedOut } = require('./errors.js')
const { endTiming } = require('./stats.js')

/** An element of `wire.requests` or `wire.peerRequests`. */
class Request {
  /**
   * @param {number} piece - piece index
   * @param {number} offset - bytes
   * @param {number} length - bytes
   * @param {Function} callback - takes `(error, block)`
   */
  constructor(piece, offset, length, callback) {
    this.piece = piece
    this.offset = offset
    this.length = length
    this.callback = callback
    this.timeout = null
  }
}

/**
 * Takes a request out of its array.
 *
 * @param {Request[]} requests
 * @param {number} position - its place, 0 the oldest
 * @returns {Request | undefined}
 */
function takeAt(requests, position) {
  return position === 0 ? requests.shift() : requests.splice(position, 1)[0]
}

/**
 * Ends a request that was taken out of `wire.requests`; the next head's timer starts first.
 *
 * @param {import('./wire.js')} wire
 * @param {Request | undefined} request
 * @param {Error | null} error
 * @param {Buffer | null} block
 */
function settle(wire, request, error, block) {
  if (request === undefined) return
  if (request === wire._timed) endTiming(wire, error === null)
  if (request.timeout !== null) clearTimeout(request.timeout)
  if (!wire._peerChoking && !wire._isFinished) startTimer(wire)
  request.callback(error, block)
}

/**
 * Times the head of the requests, if there is a timeout and it is not timed yet.
 *
 * @param {import('./wire.js')} wire
 */
function startTimer(wire) {
  if (wire._timeoutMs === 0 || wire.requests.length === 0) return
  const head = wire.requests[0]
  if (head.timeout === null)
    head.timeout = setTimeout(() => inContext(wire, expire), wire._timeoutMs)
}

/**
 * Starts the timer of the head again, with the timeout of now.
 *
 * @param {import('./wire.js')} wire
 */
function restartTimer(wire) {
  const head = wire.requests[0]
  if (head !== undefined && head.timeout !== null) {
    clearTimeout(head.timeout)
    head.timeout = null
  }
  startTimer(wire)
}

function expire(wire) {
  takeBack(wire)
  native.expireRequest(wire._slot)
  settle(wire, wire.requests.shift(), timedOut(), null)
  wire.emit('timeout')
}

module.exports = { Request, takeAt, settle, startTimer, restartTimer }
