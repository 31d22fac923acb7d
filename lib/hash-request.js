// Checks a request for hashes, of a user.
'use strict'

const { checkInteger, readFields, toHash } = require('./arguments.js')

const NUMBERS = ['baseLayer', 'index', 'length', 'proofLayers']
const FIELDS = [...NUMBERS, 'root', 'parent']

/**
 * @param {string} name - of the argument
 * @param {unknown} request
 * @returns {{baseLayer: number, index: number, length: number, proofLayers: number, root: Buffer,
 *   parent: Buffer | null}}
 * @throws {TypeError | RangeError} when it is none
 */
function toHashRequest(name, request) {
  const { root, parent, ...numbers } = readFields(name, request, FIELDS)
  for (const field of NUMBERS) checkInteger(`${name}.${field}`, numbers[field])
  const hasParent = parent !== undefined && parent !== null
  return {
    ...numbers,
    root: toHash(`${name}.root`, root),
    parent: hasParent ? toHash(`${name}.parent`, parent) : null
  }
}

module.exports = { toHashRequest }
