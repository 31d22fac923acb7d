// Loads the package, and makes wires ready for a test.
import { createRequire } from 'node:module'

import { encodeHandshake, frame } from './messages.mjs'

export const pwp = createRequire(import.meta.url)('../index.js')

/** A handshake of a peer without any extension. */
export const HANDSHAKE = encodeHandshake({
  reserved: [0, 0, 0, 0, 0, 0, 0, 0],
  infoHash: { size: 20, fill: 1 },
  peerId: { size: 20, fill: 2 }
})

/** A handshake of a peer that announces the fast extension. */
export const FAST_HANDSHAKE = encodeHandshake({
  reserved: [0, 0, 0, 0, 0, 0x10, 0, 4],
  infoHash: { size: 20, fill: 1 },
  peerId: { size: 20, fill: 2 }
})

export const CHOKE = frame(0)
export const UNCHOKE = frame(1)

/** Overhead that a request of the peer, or a chunk of output, counts against `uploadBacklog`, in bytes. */
export const QUEUED_COST = 192

/**
 * A wire whose peer has sent a handshake.
 *
 * @param {object} [options]
 */
export const greeted = (options) => {
  const wire = pwp(options)
  wire.write(HANDSHAKE)
  return wire
}

/**
 * A wire whose peer has sent a handshake and answers requests.
 *
 * @param {object} [options]
 */
export const unchoked = (options) => {
  const wire = greeted(options)
  wire.write(UNCHOKE)
  return wire
}

/**
 * A wire that has agreed with its peer on the fast extension. Its handshake is read.
 *
 * @param {object} [options]
 */
export const fast = (options) => {
  const wire = pwp(options)
  wire.handshake(Buffer.alloc(20, 1), Buffer.alloc(20, 2), { fast: true })
  wire.write(FAST_HANDSHAKE)
  wire.read()
  return wire
}

/**
 * Records the names of events in the order in which they are emitted.
 *
 * @param {import('node:events').EventEmitter} emitter
 * @param {string[]} names
 * @returns {string[]} a live list
 */
export const record = (emitter, names) => {
  const seen = []
  for (const name of names) emitter.on(name, () => seen.push(name))
  return seen
}

/** Waits until everything due in this turn of the event loop has happened. */
export const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
