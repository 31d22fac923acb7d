// Checks the numbers of a request for hashes, of a user.
'use strict'

const { checkInteger } = require('./arguments.js')

const FIELDS = ['baseLayer', 'index', 'length', 'proofLayers']

/**
 * @param {string} name - of the argument
 * @param {unknown} request
 * @returns {{baseLayer: number, index: number, length: number, proofLayers: number}} each read once
 * @throws {TypeError | RangeError} when it has not these numbers
 */
function checkNumbers(name, request) {
  if (typeof request !== 'object' || request === null)
    throw new TypeError(`${name} must be an object`)
  const numbers = {}
  for (const field of FIELDS) {
    numbers[field] = request[field]
    checkInteger(`${name}.${field}`, numbers[field])
  }
  return numbers
}

module.exports = { checkNumbers }
