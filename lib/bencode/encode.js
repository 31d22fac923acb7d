// Bencodes the messages of extensions. A value that bencode cannot express is refused before anything
// is sent, with an error that names its place.
//
// Bencode is part of BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>, its use in messages of
// BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>. Written here because no library we found sorts
// keys by their bytes or writes a BigInt, and code that checks each value has nearly encoded it.
'use strict'

const { isUint8Array } = require('node:util').types
const { byteLength, toBytes } = require('../arguments.js')

/** Deepest nesting of lists and dictionaries: libtorrent, for one, decodes no deeper. */
const MAX_DEPTH = 100

/** A key that needs no quotes in an error message. */
const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/

const KINDS = 'a string, bytes, a safe integer, a BigInt, a list or a plain object'

/**
 * @param {unknown} message - strings, Uint8Arrays, safe integers, BigInts, and lists and plain
 *   objects of such; null is an empty dictionary, as in peer-wire-protocol
 * @returns {Buffer}
 * @throws {TypeError} that names the place of any other value
 */
function encode(message) {
  const encoder = new Encoder()
  try {
    encoder.write(message)
  } catch (cause) {
    if (cause === encoder.refusal) throw cause
    // A getter or a proxy trap has thrown.
    throw new TypeError(`${encoder.place()} cannot be read`, { cause })
  }
  return Buffer.concat(encoder.parts)
}

/**
 * @param {unknown} message - of an extension
 * @returns {Uint8Array} bytes as they are, anything else bencoded
 * @throws {TypeError} as `encode`
 */
function toPayload(message) {
  return toBytes('message', isUint8Array(message) ? message : encode(message))
}

/** One walk through a message. Reads each value once: a getter may return another one next time. */
class Encoder {
  constructor() {
    this.parts = []
    /** Keys and indices from the message down to the current value. */
    this.path = []
    /** The lists and dictionaries around the current value. */
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
    // In UTF-8 all lone surrogates become the same bytes, and so two keys may become the same.
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

/** Copied because a getter that is read later may change the array. */
function copyOf(bytes) {
  const copy = Buffer.alloc(byteLength(bytes))
  copy.set(bytes)
  return copy
}

/** Whether an object, of any realm, is nothing more than its keys: not a Map, Date or class instance. */
function isDictionary(value) {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * BEP 3 wants keys sorted as raw strings, and strict decoders refuse others. JavaScript's own order is by
 * UTF-16 units, which differs beyond U+D7FF.
 */
function sortedKeys(dictionary) {
  const keys = Object.keys(dictionary).map((key) => ({ key, bytes: Buffer.from(key) }))
  return keys.toSorted((one, other) => Buffer.compare(one.bytes, other.bytes))
}

function describeKey(key) {
  if (typeof key === 'number') return `[${key}]`
  return PLAIN_KEY.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

module.exports = { encode, isDictionary, toPayload }
