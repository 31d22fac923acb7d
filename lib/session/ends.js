// How a session ends: it fails, it closes, and its input finishes, in any order.
//
// Once closed, it delivers nothing more. Once finished, it also sends nothing more, and releases its slot.
'use strict'

const { attempt } = require('./attempt.js')
const channels = require('../diagnostics/channels.js')
const { readCounters } = require('../diagnostics/stats.js')
const { closed, withoutFrames } = require('../errors.js')
const { native } = require('../native.js')

/**
 * The peer has broken a rule that the core cannot check, as it has no clock: it was silent for too long.
 *
 * @param {import('./session.js').Session} session
 * @param {Error} error
 */
function fail(session, error) {
  session.failure = error
  native.close(session.core.slot)
  // The callbacks of open requests get the error, then the face closes the session with it.
  session.poll()
}

/**
 * Nothing more is delivered from the peer; output that was sent before is still flushed.
 *
 * @param {import('./session.js').Session} session
 * @param {unknown} error - the reason; null for none
 */
function close(session, error) {
  session.isClosed = true
  stopDeadlines(session)
  if (session.hashes !== null) session.hashes.close(session.failure)
  if (session.fetching !== null) session.fetching.close()
  session.intake.reportSkipped()
  native.stopReading(session.core.slot)
  if (session.encryption !== null) session.encryption.close()
  // Many readers of streams, stream.pipeline() for one, take 'close' for the end of the output.
  attempt(flushBeforeClose, session)
  if (error !== null) session.port.failed()
  if (session.extensions !== null) session.extensions.changed()
  if (session.tracer !== null) session.tracer.close(error)
  if (channels.close.hasSubscribers) channels.close.publish({ wire: session.wire, error })
}

/**
 * The input has ended, and so does the output: a wire is never half open, as in peer-wire-protocol.
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
  const isTruncated = session.port.isTruncated || native.isTruncated(slot)
  native.close(slot)
  if (session.hashes !== null) session.hashes.close(session.failure)
  if (session.fetching !== null) session.fetching.close()
  attempt(endOutput, session)
  attempt(emptyOutput, session)
  session.poll()
  if (session.extensions !== null) session.extensions.changed()
  tearDown(session)
  return isTruncated
}

function stopDeadlines(session) {
  if (session.fast !== null) session.fast.stop()
  if (session.deadlines !== null) session.deadlines.stop()
  session.deadlines = null
}

/** Frames that are corked for a dispatch leave now, because a listener of the end may destroy the sink. */
function flushBeforeClose(session) {
  const { isCorked } = session.port
  session.uncork()
  if (isCorked) session.port.cork()
}

/** The reader gets the rest at once, and may throw. */
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

function tearDown(session) {
  const { core, downloads, intake, output, pieces } = session
  // The core has reported each open request as dropped, unless a panic has broken it.
  while (downloads.requests.size > 0) attempt(dropOldest, session)
  if (session.encryption !== null) session.encryption.finish()
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
