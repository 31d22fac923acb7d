// Memory into which the I/O thread may write pieces.
'use strict'

const { Buffer } = require('node:buffer')

const { native } = require('./native.js')
const { checkInteger } = require('../arguments.js')

/** Most bytes at once: those of the longest piece. */
const MAX_LENGTH = 2 ** 30

/**
 * @param {number} length - bytes, up to 2**30
 * @returns {Buffer} zeros; ordinary memory where the runtime allows no other
 * @throws {TypeError | RangeError} when the length is wrong, or there is not enough memory
 */
function allocate(length) {
  checkInteger('length', length, MAX_LENGTH)
  const memory = length === 0 ? null : native.allocate(length)
  return memory === null ? Buffer.alloc(length) : Buffer.from(memory)
}

module.exports = { allocate }
