// Decodes bencode of a peer into plain values. What a peer may make of it is bounded by the core
// (src/protocol/extended/bencode.rs); here its tokens become values of JavaScript.
'use strict'

const { addon, native } = require('../native.js')
const { copyOf } = require('../own-memory.js')

const { BencodeToken } = addon
const { Bytes, Dictionary, End, Integer, List } = BencodeToken

/** Numbers of a token. */
const TOKEN_LENGTH = 3

/** Most tokens that the core gives: those that it counts, and an end for each. */
const MAX_TOKENS = 20_000

/**
 * @param {Buffer} bytes - a value of bencode; what follows it is ignored
 * @returns {unknown} Buffers with memory of their own, integers (BigInts beyond the safe ones), arrays, and
 *   objects without a prototype; undefined if there is no value, or one that is too large or too deep
 */
function decode(bytes) {
  const count = Math.min(bytes.length, MAX_TOKENS) * TOKEN_LENGTH
  const room = count * Uint32Array.BYTES_PER_ELEMENT
  // The core writes tokens into the front of the bytes that it reads.
  const memory = Buffer.from(new ArrayBuffer(room + bytes.length))
  memory.set(bytes, room)
  const length = native.bencodeTokens(room, memory)
  return length === 0
    ? undefined
    : new Reader(bytes, new Uint32Array(memory.buffer, 0, count)).read()
}

/** Reads tokens one after the other. The core limits the depth to 100. */
class Reader {
  constructor(bytes, tokens) {
    this.bytes = bytes
    this.tokens = tokens
    this.at = 0
  }

  read() {
    const { bytes, tokens } = this
    const kind = tokens[this.at]
    const first = tokens[this.at + 1]
    const second = tokens[this.at + 2]
    this.at += TOKEN_LENGTH
    switch (kind) {
      case Integer:
        return toInteger(first, second)
      case Bytes:
        return copyOf(bytes, first, first + second)
      case List:
        return this.#readList()
      case Dictionary:
        return this.#readDictionary()
    }
    throw new Error(`unknown token ${kind}`)
  }

  #readList() {
    const list = []
    while (!this.#isEnd()) list.push(this.read())
    return list
  }

  /** Without a prototype, so that no key of a peer has a meaning for JavaScript. */
  #readDictionary() {
    const dictionary = Object.create(null)
    while (!this.#isEnd()) {
      const key = this.read().toString()
      dictionary[key] = this.read()
    }
    return dictionary
  }

  #isEnd() {
    const isEnd = this.tokens[this.at] === End
    if (isEnd) this.at += TOKEN_LENGTH
    return isEnd
  }
}

function toInteger(high, low) {
  const number = (high | 0) * 2 ** 32 + low
  if (Number.isSafeInteger(number)) return number
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))
}

module.exports = { decode }
