// A clock of coarse ticks that all wires share: a look at it costs no call of the system for each message.
'use strict'

/** Ms of a tick. */
const TICK = 100

/** Ticks without a look after which the clock stops, so that a process at rest is not woken. */
const MAX_IDLE = 100

let ticks = 0
let idle = 0
let timer = null

/** @returns {number} ticks since some time in the past; as of the last turn of the event loop at best */
function now() {
  idle = 0
  if (timer === null) start()
  return ticks
}

function start() {
  ticks = measure()
  timer = setInterval(advance, TICK)
  // Fake timers in tests may be plain numbers.
  timer.unref?.()
}

function advance() {
  ticks = measure()
  if (++idle < MAX_IDLE) return
  clearInterval(timer)
  timer = null
}

function measure() {
  return Math.floor(performance.now() / TICK)
}

module.exports = { TICK, now }
