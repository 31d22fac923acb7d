// Bencodes the messages of extensions (BEP 3, BEP 10). What bencode has no word for is refused, by the
// name of its place, before anything is sent.
//
// Own code, as no library at hand sorts keys by their bytes or writes a BigInt, and as whoever checks
// each value has all but written it.
'use strict'

const { isUint8Array } = require('node:util').types
const { byteLength } = require('./arguments.js')

/** Most lists and dictionaries inside each other: libtorrent, for one, decodes no more than that. */
const MAX_DEPTH = 100

/** A key that needs no quotes in a message for people. */
const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/

const KINDS = 'a string, bytes, a safe integer, a BigInt, a list or a plain object'

/**
 * @param {unknown} message - strings, Uint8Arrays, safe integers, BigInts, and lists and plain
 *   objects of such; null is an empty dictionary, as in peer-wire-protocol
 * @returns {Buffer}
 * @throws {TypeError} that names the place of a value when it is anything else
 */
function encode(message) {
  const encoder = new Encoder()
  try {
    encoder.write(message)
  } catch (cause) {
    if (cause === encoder.refusal) throw cause
    // A getter or the trap of a proxy.
    throw new TypeError(`${encoder.place()} cannot be read`, { cause })
  }
  return Buffer.concat(encoder.parts)
}

/** One walk through a message. Reads each value once: the next time it may be another one. */
class Encoder {
  constructor() {
    this.parts = []
    /** Keys and indices from the message to where the walk is. */
    this.path = []
    /** The lists and dictionaries around it. */
    this.around = []
    this.refusal = null
  }

  write(value) {
    if (typeof value === 'string') this.writeBytes(Buffer.from(value))
    else if (typeof value === 'bigint') this.writeText(`i${value}e`)
    else if (typeof value === 'number') this.writeNumber(value)
    else if (typeof value === 'object') this.writeObject(value)
    else this.refuse(`must be ${KINDS}, got ${typeof value}`)
  }

  writeNumber(value) {
    if (!Number.isSafeInteger(value))
      this.refuse(`must be a safe integer or a BigInt, got ${value}`)
    this.writeText(`i${value}e`)
  }

  writeObject(value) {
    if (value === null) this.writeText('de')
    else if (isUint8Array(value)) this.writeBytes(copyOf(value))
    else if (Array.isArray(value)) this.within(value, this.writeList)
    else if (isDictionary(value)) this.within(value, this.writeDictionary)
    else this.refuse(`must be ${KINDS}`)
  }

  within(value, write) {
    if (this.around.includes(value)) this.refuse('contains itself')
    if (this.around.length === MAX_DEPTH)
      this.refuse(`is nested more than ${MAX_DEPTH} levels deep`)
    this.around.push(value)
    write.call(this, value)
    this.around.pop()
  }

  writeList(list) {
    this.writeText('l')
    const { length } = list
    for (let index = 0; index < length; index++) this.writeMember(list, index)
    this.writeText('e')
  }

  writeDictionary(dictionary) {
    this.writeText('d')
    for (const { key, bytes } of sortedKeys(dictionary)) {
      this.writeBytes(bytes)
      this.writeMember(dictionary, key)
    }
    this.writeText('e')
  }

  writeMember(holder, key) {
    this.path.push(key)
    // Others would become the same bytes, and so the same key.
    if (typeof key === 'string' && !key.isWellFormed()) this.refuse('must have a key in Unicode')
    this.write(holder[key])
    this.path.pop()
  }

  writeBytes(bytes) {
    this.writeText(`${bytes.length}:`)
    this.parts.push(bytes)
  }

  writeText(text) {
    this.parts.push(Buffer.from(text, 'latin1'))
  }

  refuse(what) {
    this.refusal = new TypeError(`${this.place()} ${what}`)
    throw this.refusal
  }

  place() {
    return `message${this.path.map(describeKey).join('')}`
  }
}

/** A getter that is read later may change the array. */
function copyOf(bytes) {
  const copy = Buffer.alloc(byteLength(bytes))
  copy.set(bytes)
  return copy
}

/** Whether an object, of whatever realm, is no more than its keys: no Map, Date, or class. */
function isDictionary(value) {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** BEP 3: sorted as raw strings, which the order of JavaScript is not beyond U+D7FF. */
function sortedKeys(dictionary) {
  const keys = Object.keys(dictionary).map((key) => ({ key, bytes: Buffer.from(key) }))
  return keys.toSorted((one, other) => Buffer.compare(one.bytes, other.bytes))
}

function describeKey(key) {
  if (typeof key === 'number') return `[${key}]`
  return PLAIN_KEY.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

module.exports = { encode }
