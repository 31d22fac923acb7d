// Finds the info dictionary in the bytes of a torrent file, which the user gives.
'use strict'

const INTEGER = 0x69
const LIST = 0x6c
const DICTIONARY = 0x64
const END = 0x65
const COLON = 0x3a

/**
 * @param {Buffer} bytes
 * @returns {Buffer | null} the value of `info`, a view of the same memory; null if they are not a torrent file
 */
function infoIn(bytes) {
  if (bytes[0] !== DICTIONARY) return null
  let at = 1
  while (bytes[at] !== END) {
    const [start, end] = stringAt(bytes, at)
    if (start === end && start === -1) return null
    const valueEnd = endOf(bytes, end)
    if (valueEnd === -1) return null
    if (bytes.toString('latin1', start, end) === 'info') return bytes.subarray(end, valueEnd)
    at = valueEnd
  }
  return null
}

/** @returns {number} where the value at `at` ends; -1 if there is none. Without recursion, whatever the depth */
function endOf(bytes, at) {
  let depth = 0
  do {
    const first = bytes[at]
    if (first === LIST || first === DICTIONARY) {
      depth++
      at++
    } else if (first === END && depth > 0) {
      depth--
      at++
    } else {
      at = first === INTEGER ? bytes.indexOf(END, at) + 1 : stringAt(bytes, at)[1]
      if (at <= 0) return -1
    }
  } while (depth > 0)
  return at
}

/** @returns {[number, number]} where the bytes of a string start and end; -1 if there is none */
function stringAt(bytes, at) {
  const colon = bytes.indexOf(COLON, at)
  const digits = colon === -1 || colon - at > 10 ? '' : bytes.toString('latin1', at, colon)
  const end = colon + 1 + Number(digits)
  return /^\d+$/.test(digits) && end <= bytes.length ? [colon + 1, end] : [-1, -1]
}

module.exports = { infoIn }
