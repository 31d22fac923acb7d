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
    typeof stream.cork === 'function' &&
    typeof stream.uncork === 'function' &&
    isLength(stream.writableLength) &&
    typeof stream.writableNeedDrain === 'boolean' &&
    // In object mode its length counts chunks, not bytes.
    stream.writableObjectMode === false
  )
}

/**
 * @param {object | null} sink
 * @returns {number} bytes that are queued in it, 0 if it does not say
 */
function lengthOf(sink) {
  const length = sink === null ? 0 : sink.writableLength
  return isLength(length) ? length : 0
}

/**
 * @param {object} sink
 * @param {number} limit - bytes
 * @returns {boolean} whether fewer bytes are queued in it
 */
function hasRoom(sink, limit) {
  const length = sink.writableLength
  return isLength(length) && length < limit
}

function isLength(length) {
  return Number.isSafeInteger(length) && length >= 0
}

module.exports = { hasRoom, isKnown, lengthOf }
