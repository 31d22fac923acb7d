// Ends a wire whose peer keeps silent, if the options say so.
//
// The timers do not keep the process alive: the connection does, as long as there is one.
'use strict'

const { handshakeTimedOut, inactive } = require('./errors.js')

/**
 * Starts those that are wanted.
 *
 * @param {import('./wire.js')} wire
 * @param {{handshakeTimeout: number, inactivityTimeout: number}} settings - ms, 0 for none
 */
function startDeadlines(wire, { handshakeTimeout, inactivityTimeout }) {
  if (handshakeTimeout > 0) {
    const fail = () => wire.destroy(handshakeTimedOut(handshakeTimeout))
    wire._handshakeTimer = setTimeout(fail, handshakeTimeout).unref()
  }
  if (inactivityTimeout > 0) {
    const fail = () => wire.destroy(inactive(inactivityTimeout))
    wire._inactivityTimer = setTimeout(fail, inactivityTimeout).unref()
  }
}

/**
 * The handshake has come.
 *
 * @param {import('./wire.js')} wire
 */
function endHandshakeDeadline(wire) {
  clearTimeout(wire._handshakeTimer)
  wire._handshakeTimer = null
}

/**
 * @param {import('./wire.js')} wire
 */
function stopDeadlines(wire) {
  endHandshakeDeadline(wire)
  clearTimeout(wire._inactivityTimer)
  wire._inactivityTimer = null
}

module.exports = { endHandshakeDeadline, startDeadlines, stopDeadlines }
