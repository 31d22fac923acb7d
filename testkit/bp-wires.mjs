// Makes wires of the class of bittorrent-protocol ready for a test, and says what they send and emit.
import { createRequire } from 'node:module'

import { encodeHandshake, frame } from './messages.mjs'

export const Wire = createRequire(import.meta.url)('../bittorrent-protocol.js')

export const INFO_HASH = Buffer.alloc(20, 1)
export const PEER_ID = Buffer.alloc(20, 2)

const handshakeWith = (reserved) =>
  encodeHandshake({ reserved, infoHash: { size: 20, fill: 1 }, peerId: { size: 20, fill: 3 } })

/** Handshakes of a peer: without an extension bit, with the fast extension, with that of BEP 10. */
export const PLAIN_HANDSHAKE = handshakeWith([0, 0, 0, 0, 0, 0, 0, 0])
export const FAST_HANDSHAKE = handshakeWith([0, 0, 0, 0, 0, 0, 0, 4])
export const EXTENDED_HANDSHAKE = handshakeWith([0, 0, 0, 0, 0, 0x10, 0, 0])

export const CHOKE = frame(0)
export const UNCHOKE = frame(1)

/** Waits until everything due in this turn of the event loop has happened. */
export const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** One microtask: by its end what was sent before has left. */
export const turn = () => Promise.resolve()

/**
 * Collects what a wire sends.
 *
 * @param {import('node:stream').Duplex} wire
 * @returns {{chunks: Buffer[], take: () => string}} live; `take()` gives the bytes since the last call, in hex
 */
export const outputOf = (wire) => {
  const chunks = []
  wire.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
  return { chunks, take: () => Buffer.concat(chunks.splice(0)).toString('hex') }
}

/**
 * A wire whose handshake was answered by that of a peer, and whose output is read.
 *
 * @param {Buffer} [handshake] - of the peer
 * @param {object} [options] - of the wire
 */
export const met = async (handshake = PLAIN_HANDSHAKE, options = undefined) => {
  const wire = new Wire('', 0, options)
  const output = outputOf(wire)
  wire.handshake(INFO_HASH, PEER_ID, { fast: true })
  wire.write(handshake)
  await settled()
  output.take()
  return { wire, output }
}

/** Frames as a wire sends them, in hex. */
export const hexOf = (...frames) => Buffer.concat(frames).toString('hex')

/**
 * Records events with their arguments in the order in which they are emitted, bytes in hex.
 *
 * @param {import('node:events').EventEmitter} wire
 * @param {string[]} names
 * @returns {unknown[][]} a live list
 */
export const record = (wire, names) => {
  const seen = []
  for (const name of names) wire.on(name, (...args) => seen.push([name, ...args.map(toText)]))
  return seen
}

const toText = (value) => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return typeof value === 'function' ? 'function' : value
}
