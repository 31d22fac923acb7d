// Slows a sender down to a number of bytes per second.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')

/**
 * @param {number} rate bytes per second; Infinity for no limit
 * @returns {(length: number) => Promise<void>} settles when `length` bytes more may be sent
 */
function createPacer(rate) {
  let free = Date.now() // ms, when all that was granted so far has gone out
  return async (length) => {
    const wait = free - Date.now()
    free = Math.max(free, Date.now()) + (length / rate) * 1000
    if (wait > 0) await sleep(wait, undefined, { ref: false })
  }
}

module.exports = { createPacer }
