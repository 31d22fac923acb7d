// The option `infoHashes`: finds the torrent that a peer asks for by the hash of its info hash.
'use strict'

const { isUint8Array } = require('node:util').types
const { toBytes, toId, toOwnId } = require('../arguments.js')
const { toHashes } = require('../info-hashes.js')
const { native } = require('./native.js')

/** An info hash as a Set has it. */
const HEX = /^[0-9a-f]{40}$/
const HEX_LENGTH = 40

/** The names of the members of Sets, which many streams share. */
const namesOfSets = new WeakMap()

/**
 * @param {string} name - of the option
 * @param {unknown} value - one info hash, several, or a function
 * @returns {(name: Buffer) => unknown} gives the info hash of a name; or null; or a promise of one
 * @throws {TypeError | RangeError} when it is none of these
 */
function toLookup(name, value) {
  if (typeof value === 'function') return value
  const isOne = typeof value === 'string' || isUint8Array(value)
  const names = namesOf(toHashes(name, isOne ? [value] : value))
  return (asked) => names.find(asked.toString('hex'))
}

function namesOf(set) {
  let names = namesOfSets.get(set)
  if (names === undefined) {
    names = new Names(set)
    namesOfSets.set(set, names)
  }
  return names
}

/** The names of the info hashes in a Set to which others are added, and from which some are removed. */
class Names {
  /** Info hashes by name, and names by info hash. */
  #hashes = new Map()
  #names = new Map()

  constructor(set) {
    this.set = set
  }

  /** @returns {Buffer | null} */
  find(name) {
    if (!this.#has(name)) this.#update()
    return this.#has(name) ? Buffer.from(this.#hashes.get(name), 'hex') : null
  }

  #has(name) {
    return this.set.has(this.#hashes.get(name))
  }

  /** Hashes only what is new. A Set does not tell what has changed, so all of it is looked through. */
  #update() {
    const isNew = (one) => !this.#names.has(one) && typeof one === 'string' && HEX.test(one)
    const added = [...this.set].filter(isNew)
    const names = native.obfuscatedHashes(Buffer.from(added.join(''), 'hex')).toString('hex')
    added.forEach((infoHash, at) => {
      const name = names.slice(at * HEX_LENGTH, (at + 1) * HEX_LENGTH)
      this.#names.set(infoHash, name)
      this.#hashes.set(name, infoHash)
    })
    if (this.#names.size > this.set.size) this.#forget()
  }

  #forget() {
    for (const [infoHash, name] of this.#names) {
      if (this.set.has(infoHash)) continue
      this.#names.delete(infoHash)
      this.#hashes.delete(name)
    }
  }
}

/**
 * @param {unknown} value - what a function has given
 * @returns {Buffer | null} null if the torrent is not served
 * @throws {TypeError} when it is neither
 */
function toAnswer(value) {
  if (value === null || value === undefined) return null
  if (typeof value !== 'string' && !isUint8Array(value)) {
    throw new TypeError('infoHashes() must give an info hash or null')
  }
  return toOwnId('the result of infoHashes()', value, 'hex')
}

/**
 * The name under which peers ask for a torrent: the SHA-1 of `req2` and its info hash.
 *
 * @param {Uint8Array | string} infoHash - 20 bytes, or 40 hex digits
 * @returns {Buffer} 20 bytes
 */
function obfuscatedHash(infoHash) {
  return native.obfuscatedHashes(toBytes('infoHash', toId('infoHash', infoHash, 'hex')))
}

module.exports = { obfuscatedHash, toAnswer, toLookup }
