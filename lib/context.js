// The async context of a wire: what is told later than the call that made it possible runs there.
//
// Else it would run in that of whoever happened to make it possible: a request of the peer that was
// held back in that of the answer to an earlier one, say, and logs and traces would mix the two up.
'use strict'

const { AsyncResource } = require('node:async_hooks')

/**
 * The context of now, to be kept by a wire. Costs some 50 bytes, where a snapshot of
 * AsyncLocalStorage costs 1,400.
 *
 * @returns {AsyncResource}
 */
function takeContext() {
  return new AsyncResource('PeerWire')
}

/**
 * Runs a step in the context in which the wire was made.
 *
 * @param {import('./wire.js')} wire
 * @param {Function} step - takes the wire
 * @param {unknown} [argument] - of the step, behind the wire
 */
function inContext(wire, step, argument) {
  wire._context.runInAsyncScope(step, undefined, wire, argument)
}

module.exports = { inContext, takeContext }
