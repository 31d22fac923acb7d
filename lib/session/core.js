// The native half of a session: a slot in the addon, and who owns it.
'use strict'

const { native, NO_SLOT } = require('../native.js')

// A session that is dropped without an end must not keep its slot for ever.
const abandoned = new FinalizationRegistry(native.release)

/** The parts of a session share it: once the slot is given back, calls with it do nothing. */
class Core {
  /** @param {object} settings - see lib/options.js */
  constructor(settings) {
    this.slot = native.create(settings)
    abandoned.register(this, this.slot, this)
  }

  /** Gives the slot back; it is given back at the latest when this object is collected. */
  release() {
    abandoned.unregister(this)
    native.release(this.slot)
    this.slot = NO_SLOT
  }
}

module.exports = { Core }
