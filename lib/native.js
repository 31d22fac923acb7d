// Loads the addon and keeps the table of its slots: one slot for each living wire.
'use strict'

const native = load()

/** A slot number that is never in use: every call with it does nothing. */
const NO_SLOT = 0xffffffff

// A wire that is dropped without an end must not keep its slot for ever.
const abandoned = new FinalizationRegistry((slot) => native.release(slot))

/**
 * Makes the native half of a wire.
 *
 * @param {object} owner - the wire; the slot is given back at the latest when it is collected
 * @param {{maxMessageLength: number, maxRequestLength: number, maxPeerRequests: number,
 *   pieces: number}} limits - see lib/options.js
 * @returns {number} the slot
 */
function acquire(owner, limits) {
  const { maxMessageLength, maxRequestLength, maxPeerRequests, pieces } = limits
  const slot = native.create(maxMessageLength, maxRequestLength, maxPeerRequests, pieces)
  abandoned.register(owner, slot, owner)
  return slot
}

/**
 * Gives a slot back.
 *
 * @param {object} owner - the wire
 * @param {number} slot - its slot
 */
function giveBack(owner, slot) {
  abandoned.unregister(owner)
  native.release(slot)
}

function load() {
  try {
    return require('../native.js')
  } catch (cause) {
    const platform = `${process.platform} ${process.arch}`
    throw new Error(
      `peer-wire-native has no binary for ${platform}: install Rust (https://rustup.rs) and run ` +
        '"npm rebuild peer-wire-native"',
      { cause }
    )
  }
}

module.exports = { native, acquire, giveBack, NO_SLOT }
