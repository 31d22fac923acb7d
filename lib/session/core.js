// The native half of a session: owns its slot in the addon.
'use strict'

const { native, NO_SLOT } = require('../native.js')

// A session that is dropped without an end must not leak its slot.
const abandoned = new FinalizationRegistry(native.release)

/** Shared by the parts of a session: once the slot is released, calls with it do nothing. */
class Core {
  /** @param {object} settings - see lib/options.js */
  constructor(settings) {
    this.slot = native.create(settings)
    /** Number of the native socket, if there is one. */
    this.socket = NO_SLOT
    abandoned.register(this, this.slot, this)
  }

  /** Releases the slot, at the latest when this object is garbage collected. */
  release() {
    abandoned.unregister(this)
    native.release(this.slot)
    this.slot = NO_SLOT
  }
}

module.exports = { Core }
