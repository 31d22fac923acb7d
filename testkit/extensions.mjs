// Peers that speak the extension protocol, extensions that record what they are told, and what a wire sends.
import bencode from 'bencode'

import { encodeHandshake, frame } from './messages.mjs'
import { readAll } from './read-all.mjs'
import { pwp } from './wires.mjs'

/** Info hash and peer id of the peer. */
export const INFO_HASH = Buffer.alloc(20, 0xa1)
export const PEER_ID = Buffer.alloc(20, 0xb2)

const greeting = (reserved) => encodeHandshake({ reserved, infoHash: INFO_HASH, peerId: PEER_ID })

/** The handshake of a peer with the extension protocol, and of one without. */
export const EXTENDED_HANDSHAKE = greeting([0, 0, 0, 0, 0, 0x10, 0, 0])
export const PLAIN_HANDSHAKE = greeting([0, 0, 0, 0, 0, 0, 0, 0])

const HANDSHAKE_LENGTH = EXTENDED_HANDSHAKE.length
const EXTENDED = 20

/**
 * @param {number} id - 0 for an extended handshake
 * @param {Uint8Array | string} payload - a string has one byte per character
 * @returns {Buffer} a message of the extension protocol
 */
export const extended = (id, payload) =>
  frame(EXTENDED, Buffer.from([id]), Buffer.from(payload, 'latin1'))

/**
 * @param {object} dictionary
 * @returns {Buffer} an extended handshake
 */
export const announce = (dictionary) => extended(0, bencode.encode(dictionary))

/**
 * What a wire has sent since it was last read.
 *
 * @param {import('node:stream').Readable} wire
 * @returns {(string | [number, object | string])[]} `'handshake'`, and each message: its bytes in hex, or of
 *   the extension protocol the id and the payload: decoded of a handshake, else as text
 */
export const sentBy = (wire) => {
  let bytes = readAll(wire)
  const sent = []
  while (bytes.length > 0) {
    const length = bytes[0] === 19 ? HANDSHAKE_LENGTH : 4 + bytes.readUInt32BE(0)
    sent.push(describe(bytes.subarray(0, length)))
    bytes = bytes.subarray(length)
  }
  return sent
}

const describe = (bytes) => {
  if (bytes[0] === 19) return 'handshake'
  if (bytes[4] !== EXTENDED) return bytes.toString('hex')
  const payload = bytes.subarray(6)
  return [bytes[5], bytes[5] === 0 ? bencode.decode(payload, 'utf8') : payload.toString('latin1')]
}

/**
 * Makes the class of an extension that records what it is told.
 *
 * @param {string} name
 * @param {unknown[][]} [log] - a live list: name and arguments of each call, after the name of the extension
 * @param {object} [act] - functions by method, and `onUse` for the constructor: called with the wire and the
 *   arguments after they are recorded
 */
export const extensionOf = (name, log = [], act = {}) => {
  class Extension {
    constructor(wire) {
      this.wire = wire
      act.onUse?.(wire)
    }
  }
  for (const method of ['onHandshake', 'onExtendedHandshake', 'onMessage']) {
    Extension.prototype[method] = function (...args) {
      log.push([name, method, ...args])
      act[method]?.(this.wire, ...args)
    }
  }
  Object.defineProperty(Extension.prototype, 'name', { get: () => name })
  return Extension
}

/** Sends our handshake. */
export const greet = (wire) => wire.handshake(Buffer.alloc(20, 3), Buffer.alloc(20, 4))

/**
 * A wire on which both handshakes have been exchanged, and what it sent has been read.
 *
 * @param {object} [options]
 * @param {Function[]} [Extensions] - used before
 */
export const met = (options, Extensions = []) => {
  const wire = pwp(options)
  for (const Extension of Extensions) wire.use(Extension)
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  sentBy(wire)
  return wire
}

/**
 * The extended handshake that a wire sends without being told more, as `sentBy()` shows it.
 *
 * @param {Record<string, number>} m
 * @param {object} [more] - other keys
 */
export const announced = (m, more) => [0, { m, reqq: 2000, ...more }]

/**
 * Makes a class without methods, for `use()`.
 *
 * @param {unknown} name
 */
export const named = (name) => {
  class Extension {
    get name() {
      return name
    }
  }
  return Extension
}
