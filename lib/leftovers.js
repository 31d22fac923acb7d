// What is left unread when the stream that a wire was piped into is over: nobody can get it any more,
// and a wire that waits for a reader would never end.
'use strict'

const { inContext } = require('./context.js')

/**
 * To be called when a wire is no longer piped into a stream.
 *
 * @param {import('./wire.js')} wire
 * @param {import('node:stream').Writable} sink - may be over, or just have been taken off
 */
function onUnpiped(wire, sink) {
  if (!isOver(sink) || hasReader(wire)) return
  wire._isCutOff = true
  if (wire._isFinished) discard(wire)
  else watchSource(wire)
}

function isOver(sink) {
  return sink.destroyed === true || sink.writableEnded === true || sink.writable === false
}

function hasReader(wire) {
  return wire.listenerCount('data') > 0 || wire.listenerCount('readable') > 0
}

/** Input may still come; but a source that closes without an end does not end the wire. */
function watchSource(wire) {
  const source = wire._source
  if (source === null) return
  const onclose = () => {
    if (wire._isCutOff && !wire.writableEnded) inContext(wire, destroy)
  }
  if (source.destroyed === true) onclose()
  else source.once('close', onclose)
}

function destroy(wire) {
  wire.destroy()
}

/**
 * The wire has finished: lets what is left go if it is cut off, so that it ends.
 *
 * @param {import('./wire.js')} wire
 */
function discard(wire) {
  if (wire._isCutOff && !hasReader(wire)) wire.resume()
}

module.exports = { discard, onUnpiped }
