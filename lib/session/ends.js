// The ends of a session: it fails, it closes, and its input finishes, in whatever order.
//
// Closed, it delivers nothing more. Finished, it also sends nothing more, and gives its slot back.
'use strict'

const { attempt } = require('./attempt.js')
const channels = require('../diagnostics/channels.js')
const { readCounters } = require('../diagnostics/stats.js')
const { closed, withoutFrames } = require('../errors.js')
const { native } = require('../native.js')

/**
 * The peer has broken a rule that no message can break: it keeps silent.
 *
 * @param {import('./session.js').Session} session
 * @param {Error} error
 */
function fail(session, error) {
  session.failure = error
  native.close(session.core.slot)
  // Open requests get the error, and then the face closes the session with it.
  session.poll()
}

/**
 * Nothing of the peer is delivered any more; what was sent before leaves.
 *
 * @param {import('./session.js').Session} session
 * @param {unknown} error - the reason; null for none
 */
function close(session, error) {
  session.isClosed = true
  stopDeadlines(session)
  session.intake.tellSkipped()
  native.stopReading(session.core.slot)
  // Many readers take 'close' for the end.
  attempt(hurryOutput, session)
  if (session.tracer !== null) session.tracer.close(error)
  if (channels.close.hasSubscribers) channels.close.publish({ wire: session.wire, error })
}

/**
 * The input has ended: so does the output, never half open.
 *
 * @param {import('./session.js').Session} session
 * @returns {boolean} whether the input ended inside a message
 */
function finish(session) {
  const { slot } = session.core
  session.isFinished = true
  session.setKeepAlive(false)
  session.uploads.requests.clear()
  stopDeadlines(session)
  const isTruncated = native.isTruncated(slot)
  native.close(slot)
  attempt(endOutput, session)
  attempt(emptyOutput, session)
  session.poll()
  letGo(session)
  return isTruncated
}

function stopDeadlines(session) {
  if (session.deadlines !== null) session.deadlines.stop()
  session.deadlines = null
}

/** What was gathered in a dispatch leaves now: who hears of the end may destroy the sink. */
function hurryOutput(session) {
  const { isGathering } = session.port
  session.scatter()
  if (isGathering) session.port.gather()
}

/** Whoever reads gets the rest at once, and may throw. */
function endOutput(session) {
  try {
    session.flush()
  } finally {
    session.port.end()
  }
}

function emptyOutput(session) {
  session.port.empty()
}

function letGo(session) {
  const { core, downloads, intake, output, pieces } = session
  // The core has named each open request, unless a panic has broken it.
  while (downloads.requests.size > 0) attempt(dropOldest, session)
  pieces.keep()
  session.counters = readCounters(core)
  intake.clear()
  output.clear()
  core.release()
}

function dropOldest(session) {
  const request = session.downloads.requests.takeOldest()
  session.settle(request, session.failure ?? withoutFrames(closed), null)
}

module.exports = { close, fail, finish }
