// `wire.stats()`: the counters of the core, in the shape that users see.
'use strict'

const { KINDS } = require('./frames.js')
const { addon, native, PANICKED } = require('../native.js')

const scratch = Buffer.alloc(addon.diagnosticsLayout().countersLength)

/**
 * Reads the counters of the core, as bytes in its own layout. A session keeps them after its end; of all
 * things that hold bytes a string is the cheapest to make.
 *
 * @param {import('../session/core.js').Core} core
 * @returns {string} one character for each byte
 */
function readCounters(core) {
  if (native.readStats(core.slot, core.socket, scratch) === PANICKED) scratch.fill(0)
  return scratch.toString('latin1')
}

/**
 * @param {string} counters - from `readCounters`
 * @param {number} skipped - bytes received that the core does not know of yet
 * @returns {object} see docs/diagnostics.md
 */
function toStats(counters, skipped) {
  const bytes = Buffer.from(counters, 'latin1')
  let at = 0
  const next = () => {
    at += 8
    return Number(bytes.readBigUInt64BE(at - 8))
  }
  const traffic = (uncounted) => {
    const messages = {}
    for (const { name } of KINDS) messages[name] = next()
    const all = next() + uncounted
    const blockBytes = next()
    return { messages, bytes: all, blockBytes, protocolBytes: all - blockBytes }
  }
  return {
    received: traffic(skipped),
    sent: traffic(0),
    ignoredRequests: next(),
    refusedRequests: next(),
    unanswerableRequests: next(),
    violations: next(),
    heldRequests: next(),
    servedRequests: next()
  }
}

module.exports = { readCounters, toStats }
