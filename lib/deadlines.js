// Ends a wire whose peer keeps silent, if the options say so.
//
// The timers do not keep the process alive: the connection does, as long as there is one.
'use strict'

const { inContext } = require('./context.js')
const { handshakeTimedOut, inactive } = require('./errors.js')

/**
 * Starts those that are wanted.
 *
 * @param {import('./wire.js')} wire
 * @param {{handshakeTimeout: number, inactivityTimeout: number}} settings - ms, 0 for none
 * @param {(wire: object, error: Error) => void} fail - ends the wire
 */
function startDeadlines(wire, { handshakeTimeout, inactivityTimeout }, fail) {
  if (handshakeTimeout > 0) {
    const miss = () => fail(wire, handshakeTimedOut(handshakeTimeout))
    wire._handshakeTimer = setTimeout(inContext, handshakeTimeout, wire, miss).unref()
  }
  if (inactivityTimeout > 0) {
    const miss = () => fail(wire, inactive(inactivityTimeout))
    wire._inactivityTimer = setTimeout(inContext, inactivityTimeout, wire, miss).unref()
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
 * The wire has ended.
 *
 * @param {import('./wire.js')} wire
 */
function stopDeadlines(wire) {
  endHandshakeDeadline(wire)
  clearTimeout(wire._inactivityTimer)
  wire._inactivityTimer = null
}

module.exports = { endHandshakeDeadline, startDeadlines, stopDeadlines }
