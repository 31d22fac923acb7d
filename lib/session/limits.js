// Ends single requests early: when a signal is aborted, or a deadline of their own has passed. Puts their blocks into
// memory of the caller.
//
// A request without these knows nothing of them: the callback that it is opened with does it all. This module
// is loaded late, so where modules are reset (by jest, for one) a session may be of another copy of the code:
// only its own methods reach its addon.
'use strict'

const { onAbort, reasonOf } = require('./signals.js')
const { byteLength, viewOf } = require('../arguments.js')
const { memoryChanged, requestTimedOut } = require('../errors.js')

/**
 * Requests a block, as `session.request()` does.
 *
 * @param {import('./session.js').Session} session
 * @param {[number, number, number]} block - piece index, offset and length in bytes
 * @param {{signal: AbortSignal | null, timeout: number, into: Uint8Array | null}} limits - ms, 0 for none
 * @param {Function} callback - called once with `(error, block)`
 * @returns {unknown} what the callback returns if it is called at once
 */
function requestWithin(session, [piece, offset, length], { signal, timeout, into }, callback) {
  if (signal !== null && signal.aborted) return callback(reasonOf(signal))
  const settle = into === null ? callback : filling(into, callback)
  if (signal === null && timeout === 0) return session.request(piece, offset, length, settle)
  const guard = new Guard(session, settle)
  guard.start(signal, timeout)
  return session.request(piece, offset, length, guard.settle)
}

/** A callback that gets a view of the caller's memory, with the block in it. */
function filling(into, callback) {
  return (error, block) => {
    if (error) return callback(error)
    // The caller may have transferred or resized it meanwhile.
    if (byteLength(into) < block.length) return callback(memoryChanged())
    const view = viewOf(into).subarray(0, block.length)
    view.set(block)
    return callback(null, view)
  }
}

/** Over one request, until it is settled. */
class Guard {
  /**
   * @param {import('./session.js').Session} session - which opens the request next, under its next id
   * @param {Function} callback
   */
  constructor(session, callback) {
    this.session = session
    this.id = session.downloads.nextId
    this.stopListening = null
    this.timer = undefined
    /** The callback of the request. */
    this.settle = (...outcome) => {
      this.stopListening?.()
      clearTimeout(this.timer)
      return callback(...outcome)
    }
  }

  start(signal, timeout) {
    if (signal !== null) this.stopListening = onAbort(signal, (reason) => this.end(reason))
    // It keeps the process alive, as that of wire.setTimeout() does: whoever waits for the block is to hear
    // of it, also where no socket is open.
    if (timeout === 0) return
    const expire = () => this.end(requestTimedOut(timeout))
    this.timer = setTimeout(() => this.session.port.catchUp(expire), timeout)
  }

  /** Ends the request with an error, in the session's own async context. */
  end(error) {
    this.session.inContext(this.session.withdraw, this.id, error)
  }
}

module.exports = { requestWithin }
