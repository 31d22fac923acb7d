// Payloads that are cut between chunks: joined once, in memory of JavaScript.
'use strict'

const { allocate } = require('./own-memory.js')

/**
 * Keeps a part of a payload. The core has told how much room to have for all parts so far.
 *
 * @param {import('./wire.js')} wire
 * @param {Buffer} chunk
 * @param {number} start - in the chunk
 * @param {number} length - bytes
 * @param {number} room - bytes
 */
function keepPart(wire, chunk, start, length, room) {
  const joined = wire._joined
  if (joined === null || joined.length < room) {
    wire._joined = allocate(room)
    if (joined !== null) joined.copy(wire._joined, 0, 0, wire._joinedLength)
  }
  chunk.copy(wire._joined, wire._joinedLength, start, start + length)
  wire._joinedLength += length
}

/**
 * Keeps a chunk that lies wholly within a payload, for which there is room. The core hears of it
 * with the next chunk that is handed in.
 *
 * @param {import('./wire.js')} wire
 * @param {Buffer} chunk
 * @returns {boolean} whether it is such a chunk
 */
function keepWhole(wire, chunk) {
  const length = wire._joinedLength + chunk.length
  if (chunk.length >= wire._missing || length > wire._joined.length) return false
  wire._joined.set(chunk, wire._joinedLength)
  wire._joinedLength = length
  wire._missing -= chunk.length
  wire._kept += chunk.length
  return true
}

/**
 * Ends the joining.
 *
 * @param {import('./wire.js')} wire
 * @returns {Buffer} the payload
 */
function finishJoin(wire) {
  const joined = wire._joined
  wire._joined = null
  wire._joinedLength = 0
  wire._missing = 0
  return joined
}

module.exports = { finishJoin, keepPart, keepWhole }
