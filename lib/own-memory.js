// Allocates memory for bytes that a wire or its user keeps: never part of a larger allocation, which
// would live as long. Buffer.allocUnsafe() cuts from a pool of 8 KiB, or 64 KiB on newer Node.
'use strict'

/**
 * @param {number} length - bytes; up to 64 need no allocation outside of V8's heap
 * @returns {Buffer} uninitialized
 */
function allocate(length) {
  return Buffer.allocUnsafeSlow(length)
}

/**
 * @param {Uint8Array} view
 * @param {number} [start] - in the view
 * @param {number} [end] - in the view
 * @returns {Buffer} the same bytes
 */
function copyOf(view, start = 0, end = view.length) {
  const copy = allocate(end - start)
  copy.set(start === 0 && end === view.length ? view : view.subarray(start, end))
  return copy
}

module.exports = { allocate, copyOf }
