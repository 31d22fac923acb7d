// What a stream that a wire is piped into tells of itself. Older streams (readable-stream 1 to 3, through2)
// and those of streamx tell less than those of Node, and a user's own may tell anything.
'use strict'

/**
 * Whether a wire may write to the stream itself instead of through the pipe.
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
    // Its length would count chunks.
    stream.writableObjectMode === false
  )
}

/**
 * @param {object | null} sink
 * @returns {number} bytes that wait in it, as far as it tells
 */
function lengthOf(sink) {
  const length = sink === null ? 0 : sink.writableLength
  return isLength(length) ? length : 0
}

/**
 * @param {object} sink
 * @param {number} limit - bytes
 * @returns {boolean} whether less waits in it
 */
function hasRoom(sink, limit) {
  const length = sink.writableLength
  return isLength(length) && length < limit
}

function isLength(length) {
  return Number.isSafeInteger(length) && length >= 0
}

module.exports = { hasRoom, isKnown, lengthOf }
