// Steps of which others must not be kept by what a listener throws in them.
'use strict'

/**
 * Runs a step. What it throws is thrown again in the next tick, as an uncaught exception.
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
