// What ties a wire to its slot in the addon, and finds the wire behind whatever a method is called on.
'use strict'

const { native, NO_SLOT } = require('./native.js')

// A wire that is dropped without an end must not keep its slot for ever.
const abandoned = new FinalizationRegistry(native.release)

/**
 * The property `_handle` of each wire.
 *
 * The object that a method is called on need not be the wire: proxies and `Object.create(wire)` have
 * one behind them, and others carry a copy of its properties. The handle leads to the one object
 * whose state goes with the slot.
 */
class Handle {
  /**
   * @param {import('./wire.js')} wire
   * @param {object} settings - see lib/options.js
   */
  constructor(wire, settings) {
    this.wire = wire
    wire._slot = native.create(settings)
    abandoned.register(wire, wire._slot, this)
  }

  /** Gives the slot back; it is given back at the latest when the wire is collected. */
  release() {
    abandoned.unregister(this)
    native.release(this.wire._slot)
    this.wire._slot = NO_SLOT
  }

  /** Proxies that wrap the values of properties, as Vue's do, leave objects alone that have one. */
  get [Symbol.toStringTag]() {
    return 'Handle'
  }
}

/**
 * @param {unknown} receiver - of a method
 * @returns {import('./wire.js')} the wire that it stands for
 * @throws {TypeError} when there is none
 */
function wireOf(receiver) {
  const handle = receiver?._handle
  if (!(handle instanceof Handle)) throw new TypeError('the receiver of this method must be a Wire')
  return handle.wire
}

/**
 * @param {unknown} receiver - of an accessor, which may be a prototype
 * @returns {import('./wire.js') | null} the wire that it stands for
 */
function findWire(receiver) {
  const handle = receiver?._handle
  return handle instanceof Handle ? handle.wire : null
}

module.exports = { Handle, findWire, wireOf }
