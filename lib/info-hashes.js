// The option `infoHashes`: which torrents are served, as one function whatever the user gives.
'use strict'

const { isSet, isUint8Array } = require('node:util').types
const { toOwnInfoHash } = require('./arguments.js')

/** Sets whose members were checked; they are shared by many wires. */
const checked = new WeakSet()

/**
 * @param {string} name - of the option
 * @param {unknown} value - one info hash, several, or a function
 * @returns {(infoHash: Buffer) => unknown} whether a torrent is served
 * @throws {TypeError | RangeError} when it is none of these
 */
function toServes(name, value) {
  if (typeof value === 'function') return value
  if (typeof value === 'string' || isUint8Array(value)) return serveOne(toOwnInfoHash(name, value))
  return serveMany(toHashes(name, value))
}

/**
 * @param {string} name - of the option
 * @param {unknown} value - an array, or a Set, which may change later
 * @returns {Set<string>} of lower-case hex digits; the same one for a Set
 * @throws {TypeError | RangeError} when it is neither
 */
function toHashes(name, value) {
  if (isArray(value)) return new Set(toList(name, value).map((one) => toHex(name, one)))
  if (isSet(value)) return toHexSet(name, value)
  throw new TypeError(`${name} must be an info hash, an array or Set of them, or a function`)
}

/** Array.isArray() throws for a proxy that has been revoked. */
function isArray(value) {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** Reads the array itself: it may have methods of its own, and holes, and its getters may throw. */
function toList(name, array) {
  try {
    return Array.from({ length: array.length }, (_, index) => array[index])
  } catch (cause) {
    throw new TypeError(`${name} cannot be read`, { cause })
  }
}

function serveOne(served) {
  return (infoHash) => infoHash.equals(served)
}

/** Looked up when a peer connects, so that torrents can be added and removed. */
function serveMany(hexSet) {
  return (infoHash) => hexSet.has(infoHash.toString('hex'))
}

/** A Set finds only what is equal to its members, so these have to be of one form: that of handshakes. */
function toHexSet(name, set) {
  if (checked.has(set)) return set
  for (const member of set) {
    if (typeof member !== 'string' || toHex(name, member) !== member)
      throw new TypeError(`${name} must have strings of 40 lower-case hex digits`)
  }
  checked.add(set)
  return set
}

function toHex(name, value) {
  return toOwnInfoHash(name, value).toString('hex')
}

module.exports = { toHashes, toServes }
