// Runs steps in which a listener may throw, without keeping the steps after them from running.
'use strict'

/**
 * Runs a step. An error that it throws is thrown again in the next tick, as an uncaught exception.
 *
 * @param {Function} step
 * @param {...unknown} args - of the step
 */
function attempt(step, a, b, c, d) {
  try {
    step(a, b, c, d)
  } catch (error) {
    throwLater(error)
  }
}

/** @param {unknown} error */
function throwLater(error) {
  process.nextTick(rethrow, error)
}

function rethrow(error) {
  throw error
}

module.exports = { attempt, throwLater }
