// `wire.stats()`: the counters of the core, and what waits on this side of it.
'use strict'

const { takeBack } = require('./ahead.js')
const { native, PANICKED } = require('./native.js')
const { KINDS } = require('./frames.js')
const { unsent } = require('./output.js')

/** Numbers of 64 bits, see src/binding/diagnostics.rs. */
const COUNTERS_LENGTH = (2 * (KINDS.length + 2) + 5) * 8

const scratch = Buffer.alloc(COUNTERS_LENGTH)

/** How much the newest sample counts in the average latency. */
const NEWEST_SHARE = 1 / 8

/**
 * The counters of the core, in its own form. A wire keeps them after its end, and of all things that
 * hold bytes a string costs least to make.
 *
 * @param {import('./wire.js')} wire
 * @returns {string} a character for each byte
 */
function readCounters(wire) {
  takeBack(wire)
  if (native.readStats(wire._slot, scratch) === PANICKED) scratch.fill(0)
  return scratch.toString('latin1')
}

/**
 * @param {import('./wire.js')} wire
 * @param {string} counters - of `readCounters`
 * @returns {object} see docs/diagnostics.md
 */
function toStats(wire, counters) {
  const bytes = Buffer.from(counters, 'latin1')
  let at = 0
  const next = () => {
    at += 8
    return Number(bytes.readBigUInt64BE(at - 8))
  }
  const traffic = (keptBytes) => {
    const messages = {}
    for (const kind of KINDS) messages[kind] = next()
    const total = next() + keptBytes
    const blockBytes = next()
    return { messages, bytes: total, blockBytes, protocolBytes: total - blockBytes }
  }
  return {
    // What is joined on this side is told to the core with the next chunk.
    received: traffic(wire._kept),
    sent: traffic(0),
    ignoredRequests: next(),
    refusedRequests: next(),
    unanswerableRequests: next(),
    violations: next(),
    heldRequests: next(),
    droppedAnswers: wire._droppedAnswers,
    requests: wire.requests.length,
    peerRequests: wire.peerRequests.length,
    bufferedAmount: unsent(wire),
    requestLatency: wire._latency === null ? null : { ...wire._latency }
  }
}

/**
 * A request is sent. One at a time is timed: that tells as much, and costs next to nothing.
 *
 * @param {import('./wire.js')} wire
 * @param {import('./requests.js').Request} request
 */
function startTiming(wire, request) {
  if (wire._timed !== null) return
  wire._timed = request
  wire._timedSince = performance.now()
}

/**
 * The request that is timed has ended, with a block or without.
 *
 * @param {import('./wire.js')} wire
 * @param {boolean} isAnswered
 */
function endTiming(wire, isAnswered) {
  wire._timed = null
  if (!isAnswered) return
  const last = performance.now() - wire._timedSince
  const { samples, average } = wire._latency ?? { samples: 0, average: last }
  wire._latency = {
    samples: samples + 1,
    last,
    average: average + (last - average) * NEWEST_SHARE
  }
}

module.exports = { endTiming, readCounters, startTiming, toStats }
