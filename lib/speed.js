// The meters of a wire: speedometer, kept from the numbers that break it.
'use strict'

const speedometer = require('speedometer')
const { checkInteger } = require('./arguments.js')

/** Steps of speedometer in one second. */
const RESOLUTION = 4

/**
 * Makes a meter: called with bytes it counts them, and it always gives the speed of now.
 *
 * @param {number} seconds - over which it averages, in its range; see lib/options.js
 * @returns {(bytes?: number | null) => number} bytes per second
 */
function makeMeter(seconds) {
  // It walks a ring of so many places and ends where the numbers are equal: with a fraction never.
  const meter = speedometer(Math.round(seconds * RESOLUTION) / RESOLUTION)
  return (bytes) => {
    // Anything else would stay in its sums for ever.
    if (bytes !== undefined && bytes !== null) checkInteger('bytes', bytes, Number.MAX_SAFE_INTEGER)
    return meter(bytes)
  }
}

module.exports = { makeMeter }
