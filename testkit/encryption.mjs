// Streams to encrypt, and exchanges whose random bytes a test chooses.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { Duplex } from 'node:stream'

import { pwp } from './wires.mjs'

const { random } = createRequire(import.meta.url)('../lib/encryption/random.js')

export const { encryption } = pwp

export const INFO_HASH = Buffer.alloc(20, 7)

/** What both sides of most tests agree on. */
export const INITIATOR = { role: 'initiator', infoHash: INFO_HASH }
export const RESPONDER = { role: 'responder', infoHashes: INFO_HASH }

/** Most bytes of a pad. */
const MAX_PAD = 512

/**
 * One end of a pipe in memory, with the back-pressure of a socket.
 *
 * @property {number[]} cuts places in all that is written where chunks end
 */
class End extends Duplex {
  other = null
  cuts = []
  written = 0
  #resume = null

  constructor(options) {
    super({ ...options, emitClose: true })
  }

  _read() {
    const resume = this.#resume
    this.#resume = null
    resume?.()
  }

  _write(chunk, encoding, done) {
    const { other } = this
    let hasRoom = true
    for (const part of this.#cut(chunk)) hasRoom = other.push(part)
    if (hasRoom) done()
    else other.#resume = done
  }

  _final(done) {
    this.other.push(null)
    done()
  }

  _destroy(error, done) {
    const { other } = this
    // As a socket that is reset, unless the other side has everything already.
    if (!other.destroyed && !other.readableEnded && !this.writableFinished) {
      setImmediate(() => other.destroy())
    }
    done(error)
  }

  /** In memory of its own each, as sockets deliver chunks. */
  #cut(chunk) {
    const places = this.cuts.map((place) => place - this.written)
    this.written += chunk.length
    const inside = places.filter((place) => place > 0 && place < chunk.length)
    const ends = [...inside, chunk.length]
    return ends.map((end, at) => ownCopy(chunk.subarray(ends[at - 1] ?? 0, end)))
  }
}

const ownCopy = (bytes) => {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/**
 * @param {object} [options] of a Duplex
 * @returns {[End, End]} both ends of a pipe
 */
export const pipe = (options) => {
  const [a, b] = [new End(options), new End(options)]
  a.other = b
  b.other = a
  return [a, b]
}

/**
 * Two encrypted streams over a pipe.
 *
 * @param {object} [a] options of the initiator
 * @param {object} [b] options of the responder
 * @returns {[Duplex, Duplex]}
 */
export const pair = (a, b, [left, right] = pipe()) => [
  encryption.wrap(left, { ...INITIATOR, ...a }),
  encryption.wrap(right, { ...RESPONDER, ...b })
]

/** What both agreed on. */
export const agreed = async ([a, b]) => {
  await Promise.all([a, b].map((stream) => stream.encryption ?? once(stream, 'encryption')))
  return [a.encryption.method, b.encryption.method]
}

/** Everything that is read up to the end. Unlike `toArray()` it leaves the writable side open. */
export const readToEnd = (stream) =>
  new Promise((resolve, reject) => {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    stream.once('end', () => resolve(Buffer.concat(chunks)))
    stream.once('close', () => reject(stream.error ?? new Error('closed before the end')))
  })

/**
 * How a stream ended.
 *
 * @returns {Promise<Error | null>}
 */
export const closed = async (stream) => {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  return stream.error
}

/**
 * The random bytes of one side.
 *
 * @param {{privateKey: Buffer, keyPad?: Buffer, methodPad?: Buffer}} choice
 * @returns {Buffer}
 */
export const randomness = ({ privateKey, keyPad = NONE, methodPad = NONE }) =>
  Buffer.concat([privateKey, padOf(keyPad), padOf(methodPad)])

const NONE = Buffer.alloc(0)

const padOf = (bytes) => {
  const field = Buffer.alloc(2 + MAX_PAD)
  field.writeUInt16BE(bytes.length)
  bytes.copy(field, 2)
  return field
}

/**
 * Makes exchanges that begin during `act` use these bytes, one after the other.
 *
 * @param {Buffer[]} choices
 * @param {() => T} act
 * @returns {T}
 * @template T
 */
export const withRandomness = (choices, act) => {
  const { bytes } = random
  const left = [...choices]
  random.bytes = () => left.shift()
  try {
    return act()
  } finally {
    random.bytes = bytes
  }
}
