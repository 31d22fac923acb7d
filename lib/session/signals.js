// Listens to AbortSignals, one listener for all that wait for the same one: Node warns of more than ten, and looks
// at all listeners to add or remove one.
'use strict'

const events = require('node:events')

const { attempt } = require('./attempt.js')

/** @type {WeakMap<AbortSignal, Watch>} */
const watches = new WeakMap()

/** All that is to be done when a signal is aborted. */
class Watch {
  constructor(signal) {
    this.signal = signal
    this.steps = new Set()
    this.stopListening = listen(signal, () => this.#abort())
  }

  remove(step) {
    this.steps.delete(step)
    if (this.steps.size === 0) this.#stop()
  }

  #stop() {
    if (watches.get(this.signal) === this) watches.delete(this.signal)
    this.stopListening()
  }

  #abort() {
    const reason = reasonOf(this.signal)
    // What is started meanwhile with this signal fails at once: it is not added here.
    for (const step of this.steps) attempt(step, reason)
  }
}

/**
 * @param {AbortSignal} signal - not aborted
 * @param {(reason: unknown) => void} step
 * @returns {() => void} stops listening
 */
function onAbort(signal, step) {
  let watch = watches.get(signal)
  if (watch === undefined) {
    watch = new Watch(signal)
    watches.set(signal, watch)
  }
  watch.steps.add(step)
  return () => watch.remove(step)
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

module.exports = { onAbort, reasonOf }
