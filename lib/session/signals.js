// Ends requests when a signal is aborted, of blocks and of hashes.
'use strict'

const events = require('node:events')

const { attempt } = require('./attempt.js')

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

/**
 * @param {AbortSignal} signal - which is not aborted
 * @param {{end: (reason: unknown) => void}} guard - of a request, called if the signal is aborted before
 *   `remove(guard)` of what is returned
 * @returns {Watch}
 */
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

module.exports = { reasonOf, watch }
