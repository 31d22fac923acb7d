// Ends single requests early: when a signal is aborted, or a deadline of their own has passed.
//
// A request without these knows nothing of them: the callback that it is opened with does it all. This module
// is loaded late, so where modules are reset (by jest, for one) a session may be of another copy of the code:
// only its own methods reach its addon.
'use strict'

const events = require('node:events')

const { attempt } = require('./attempt.js')
const { requestTimedOut } = require('../errors.js')

/**
 * Requests a block, as `session.request()` does.
 *
 * @param {import('./session.js').Session} session
 * @param {[number, number, number]} block - piece index, offset and length in bytes
 * @param {{signal: AbortSignal | null, timeout: number}} limits - ms, 0 for none
 * @param {Function} callback - called once with `(error, block)`
 * @returns {unknown} what the callback returns if it is called at once
 */
function requestWithin(session, [piece, offset, length], { signal, timeout }, callback) {
  if (signal !== null && signal.aborted) return callback(reasonOf(signal))
  const guard = new Guard(session, callback)
  guard.start(signal, timeout)
  return session.request(piece, offset, length, guard.settle)
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
    this.watch = null
    this.timer = undefined
    /** The callback of the request. */
    this.settle = (...outcome) => {
      this.watch?.remove(this)
      clearTimeout(this.timer)
      return callback(...outcome)
    }
  }

  start(signal, timeout) {
    if (signal !== null) this.watch = watch(signal, this)
    // It keeps the process alive, as that of wire.setTimeout() does: whoever waits for the block is to hear
    // of it, also where no socket is open.
    if (timeout > 0) this.timer = setTimeout(() => this.end(requestTimedOut(timeout)), timeout)
  }

  /** Ends the request with an error, in the session's own async context. */
  end(error) {
    this.session.inContext(this.session.withdraw, this.id, error)
  }
}

/**
 * By signal. One listener serves all requests with a signal, of all wires: Node warns of more than ten, and
 * looks at all listeners to add or remove one.
 *
 * @type {WeakMap<AbortSignal, Watch>}
 */
const watches = new WeakMap()

/** The guards of a signal. */
class Watch {
  constructor(signal) {
    this.signal = signal
    this.guards = new Set()
    this.stopListening = listen(signal, () => this.#abort())
  }

  remove(guard) {
    this.guards.delete(guard)
    if (this.guards.size === 0) this.#stop()
  }

  #stop() {
    if (watches.get(this.signal) === this) watches.delete(this.signal)
    this.stopListening()
  }

  #abort() {
    const reason = reasonOf(this.signal)
    // What a callback requests with this signal fails at once: it is not added here.
    for (const guard of this.guards) attempt(end, guard, reason)
  }
}

function end(guard, reason) {
  guard.end(reason)
}

function watch(signal, guard) {
  let found = watches.get(signal)
  if (found === undefined) {
    found = new Watch(signal)
    watches.set(signal, found)
  }
  found.guards.add(guard)
  return found
}

/**
 * @param {AbortSignal} signal
 * @param {() => void} listener - called also if another one has stopped the event, where Node can do that
 * @returns {() => void} stops listening
 */
function listen(signal, listener) {
  // Node 20.5 and later.
  if (typeof events.addAbortListener === 'function') {
    const listening = events.addAbortListener(signal, listener)
    return () => listening[Symbol.dispose]()
  }
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

/** Why a signal is aborted. A callback tells a failure from a block by an error that is truthy. */
function reasonOf(signal) {
  return signal.reason || new DOMException('This operation was aborted', 'AbortError')
}

module.exports = { requestWithin }
