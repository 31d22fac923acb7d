// Reads the state of a stream that a wire is piped into. Older streams (readable-stream 1 to 3, through2) and
// those of streamx have fewer properties than those of Node, and a user's own may return anything.
'use strict'

/**
 * Whether a wire may write to the stream directly instead of through the pipe.
 *
 * @param {object} stream
 * @returns {boolean}
 */
function isKnown(stream) {
  return (
    typeof look(stream, 'cork') === 'function' &&
    typeof look(stream, 'uncork') === 'function' &&
    isLength(look(stream, 'writableLength')) &&
    typeof look(stream, 'writableNeedDrain') === 'boolean' &&
    // In object mode its length counts chunks, not bytes.
    look(stream, 'writableObjectMode') === false
  )
}

/**
 * @param {object | null} sink
 * @returns {number} bytes that are queued in it, 0 if it does not say
 */
function lengthOf(sink) {
  const length = sink === null ? 0 : look(sink, 'writableLength')
  return isLength(length) ? length : 0
}

/**
 * @param {object} sink
 * @param {number} limit - bytes
 * @returns {boolean} whether fewer bytes are queued in it
 */
function hasRoom(sink, limit) {
  const length = look(sink, 'writableLength')
  return isLength(length) && length < limit
}

/**
 * @param {object} sink
 * @returns {boolean} whether it will emit 'drain'
 */
function willDrain(sink) {
  return look(sink, 'writableNeedDrain') === true
}

/** Only we look at these properties, so what a getter throws is no error of the application. */
function look(stream, name) {
  try {
    return stream[name]
  } catch {
    return undefined
  }
}

function isLength(length) {
  return Number.isSafeInteger(length) && length >= 0
}

module.exports = { hasRoom, isKnown, lengthOf, willDrain }
