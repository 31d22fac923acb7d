// The speed meters of a wire: the package speedometer, protected from numbers that break it.
'use strict'

const speedometer = require('speedometer')
const { checkInteger } = require('./arguments.js')

/** Steps of speedometer per second. */
const RESOLUTION = 4

/**
 * Makes a meter: it counts the bytes it is called with, if any, and returns the current speed.
 *
 * @param {number} seconds - over which it averages, in its range; see lib/options.js
 * @returns {(bytes?: number | null) => number} bytes per second
 */
function makeMeter(seconds) {
  // It walks a ring of that many places until two positions are equal, which fractions never are.
  const meter = speedometer(Math.round(seconds * RESOLUTION) / RESOLUTION)
  return (bytes) => {
    // Anything else, such as NaN, would spoil its sums for good.
    if (bytes !== undefined && bytes !== null) checkInteger('bytes', bytes, Number.MAX_SAFE_INTEGER)
    return meter(bytes)
  }
}

module.exports = { makeMeter }
