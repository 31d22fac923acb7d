// Events that the core has told ahead of the listeners, and takes back when one of these acts.
//
// A batch of events crosses the border at once. The core has applied all of them, while the listeners
// of the first run. So before a command that would have changed the others, these are taken back; what
// follows then is polled anew.
'use strict'

const { native } = require('./native.js')

/**
 * To be called before any command that src/protocol/wire/ahead.rs lists.
 *
 * @param {import('./wire.js')} wire
 */
function takeBack(wire) {
  if (wire._ahead === 0) return
  native.takeBack(wire._slot, wire._ahead)
  wire._ahead = 0
  wire._isTakenBack = true
}

module.exports = { takeBack }
