// A clock of coarse ticks that all wires share: a look at it costs no call of the system for each message.
'use strict'

/** Ms of a tick. */
const TICK = 100

/** Ticks without a look after which the clock stops, so that a process at rest is not woken. */
const MAX_IDLE = 100

/** Looks within a tick after which the time is measured: a timer that was made by fake timers may never fire. */
const MAX_LOOKS = 16

/** Ticks that a timer may be late. */
const MAX_LATE = 10

let ticks = 0
let idle = 0
let looks = 0
let timer = null

/** @returns {number} ticks since some time in the past; as of the last turn of the event loop at best */
function now() {
  idle = 0
  if (timer === null) start()
  else if (++looks === MAX_LOOKS) check()
  return ticks
}

function start() {
  ticks = measure()
  looks = 0
  const started = setInterval(() => advance(started), TICK)
  timer = started
  // Fake timers in tests may be plain numbers.
  timer.unref?.()
}

function check() {
  looks = 0
  if (measure() - ticks > MAX_LATE) start()
}

function advance(fired) {
  // Another was started in its place.
  if (fired !== timer) return clearInterval(fired)
  ticks = measure()
  looks = 0
  if (++idle < MAX_IDLE) return undefined
  clearInterval(timer)
  timer = null
  return undefined
}

function measure() {
  return Math.floor(performance.now() / TICK)
}

module.exports = { TICK, now }
