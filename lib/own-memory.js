// Memory for what is kept, by a wire or by its user: never a part of a larger one, which would live as
// long. The pool that Buffer.allocUnsafe() cuts from has 8 KiB, and 64 KiB on newer Node.
'use strict'

/**
 * @param {number} length - bytes; up to 64 cost no allocation outside of V8's heap
 * @returns {Buffer} uninitialized
 */
function allocate(length) {
  return Buffer.allocUnsafeSlow(length)
}

/**
 * @param {Uint8Array} view
 * @param {number} [start] - in the view
 * @param {number} [end] - likewise
 * @returns {Buffer} the same bytes
 */
function copyOf(view, start = 0, end = view.length) {
  const copy = allocate(end - start)
  copy.set(start === 0 && end === view.length ? view : view.subarray(start, end))
  return copy
}

module.exports = { allocate, copyOf }
