// Pairs of wires with the option `encryption`, joined by hand: synchronously, and cut where a test wants.
import { INFO_HASH } from './encryption.mjs'
import { pwp } from './wires.mjs'

export const PEER_IDS = [Buffer.alloc(20, 'a'), Buffer.alloc(20, 'b')]

/** A machine may be too slow for the limit of ten seconds: tests of limits set their own. */
const untimed = (encryption) => ({ timeout: encryption?.policy?.timeout ?? 0, ...encryption })

/** A wire that opens a connection. */
export const initiator = (encryption, options) =>
  pwp({ ...options, encryption: { role: 'initiator', ...untimed(encryption) } })

/** A wire that has accepted one. */
export const responder = (encryption, options) =>
  pwp({
    infoHashes: INFO_HASH,
    ...options,
    encryption: { role: 'responder', ...untimed(encryption) }
  })

/**
 * Both wires, with what they emit.
 *
 * @param {object} [a] the option of the initiator
 * @param {object} [b] that of the responder
 */
export const makePair = (a, b) => [initiator(a), responder(b)]

/**
 * Moves what both have sent until nothing is left.
 *
 * @param {[object, object]} pair
 * @param {number[][]} [cuts] places in what each of them sends, in order
 * @returns {number[]} bytes of both
 */
export const exchange = (pair, cuts = [[], []]) => {
  const sent = [0, 0]
  for (let isIdle = false; !isIdle;) {
    isIdle = true
    for (const side of [0, 1]) {
      const bytes = pair[side].read()
      if (bytes === null) continue
      isIdle = false
      for (const part of split(bytes, sent[side], cuts[side])) pair[1 - side].write(part)
      sent[side] += bytes.length
    }
  }
  return sent
}

/** In memory of its own each, as sockets deliver chunks. */
const split = (bytes, from, cuts) => {
  const inside = cuts.map((place) => place - from).filter((at) => at > 0 && at < bytes.length)
  const ends = [...inside, bytes.length]
  return ends.map((end, at) => Buffer.from(bytes.subarray(ends[at - 1] ?? 0, end)))
}
