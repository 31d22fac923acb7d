// Draws random valid messages of a peer of a bittorrent-protocol wire, as plain data.

import { encodeBencode } from '../bencode.mjs'
import { drawPayload } from '../sessions/peer-messages.mjs'

/** Names of the extensions that either side may have. */
export const EXTENSION_NAMES = ['ut_alpha', 'ut_beta', 'lt_gamma', 'xx_delta']

/**
 * Draws a block from a small range, so that blocks repeat, now and then with large numbers. None is above
 * 2^31: the original reads those as negative.
 *
 * @param {import('../random.mjs').Random} random
 * @returns {{piece: number, offset: number, length: number}}
 */
export const drawBlock = (random) => ({
  piece: random.chance(0.03) ? random.pick(LARGE_NUMBERS) : random.below(4),
  offset: random.chance(0.03) ? random.pick(LARGE_NUMBERS) : random.below(3) * 16,
  length: random.chance(0.04) ? random.pick([1, 16384]) : random.pick([8, 16, 24])
})

const LARGE_NUMBERS = [65535, 2 ** 24, 2 ** 31 - 1]

/**
 * Draws messages, now and then with a run of haves.
 *
 * @param {object} draw of `makeSession`
 * @param {number} count
 * @returns {object[]}
 */
export const drawMessages = (draw, count) => {
  const { random } = draw
  const messages = random.times(count, () => drawMessage(draw))
  if (random.chance(0.08)) {
    messages.push(...random.times(random.between(2, 8), () => MESSAGES.have(draw)))
  }
  return messages
}

const WEIGHTS = {
  'keep-alive': 3,
  choke: 3,
  unchoke: 8,
  interested: 4,
  uninterested: 4,
  have: 7,
  bitfield: 2,
  request: 14,
  piece: 16,
  cancel: 6,
  port: 3,
  extended: 9,
  unknown: 3
}

const FAST_WEIGHTS = { suggest: 3, 'have-all': 2, 'have-none': 2, reject: 6, 'allowed-fast': 5 }

/** Types of all messages in sessions. */
export const MESSAGE_TYPES = ['handshake', ...Object.keys(WEIGHTS), ...Object.keys(FAST_WEIGHTS)]

/** Types that nobody may send without the fast extension. */
export const FAST_TYPES = Object.keys(FAST_WEIGHTS)

const drawMessage = (draw) => {
  const weights = draw.isFast ? { ...WEIGHTS, ...FAST_WEIGHTS } : WEIGHTS
  return drawMessageOf(draw, draw.random.weighted(weights))
}

/**
 * @param {object} draw of `makeSession`
 * @param {string} type
 * @returns {{type: string}}
 */
export const drawMessageOf = (draw, type) => MESSAGES[type]?.(draw) ?? { type }

/**
 * Draws a handshake. Of the reserved bits that mean something, that of the fast extension is given.
 *
 * @param {import('../random.mjs').Random} random
 * @param {boolean} announcesFast
 * @returns {object}
 */
export const drawHandshake = (random, announcesFast) => {
  const reserved = random.times(8, () => (random.chance(0.7) ? 0 : random.below(256)))
  reserved[5] = random.chance(0.85) ? reserved[5] | 0x10 : reserved[5] & ~0x10
  reserved[7] = announcesFast ? reserved[7] | 4 : reserved[7] & ~4
  return {
    type: 'handshake',
    reserved,
    infoHash: { size: 20, fill: random.below(256) },
    peerId: { size: 20, fill: random.below(256) }
  }
}

const UNKNOWN_IDS = [10, 11, 12, 18, 19, 21, 22, 23, 64, 128, 255]

const drawRequestOfPeer = ({ random, peerAsked }) => {
  const block = peerAsked.length && random.chance(0.1) ? random.pick(peerAsked) : drawBlock(random)
  peerAsked.push(block)
  return { type: 'request', ...block }
}

const drawCancelOfPeer = ({ random, peerAsked }) => {
  const known = peerAsked.length && random.chance(0.7)
  return { type: 'cancel', ...(known ? random.pick(peerAsked) : drawBlock(random)) }
}

/** The block of a request of ours, or of none; in the order of the requests, or not. */
const takeAsked = ({ random, asked }) => {
  if (!asked.length || random.chance(0.2)) return drawBlock(random)
  return asked.splice(random.chance(0.5) ? 0 : random.below(asked.length), 1)[0]
}

const drawPiece = (draw) => {
  const { random } = draw
  const { piece, offset, length } = takeAsked(draw)
  const size = random.chance(0.08) ? random.pick([0, length - 1, length + 1]) : length
  return { type: 'piece', piece, offset, block: { size, fill: random.below(256) } }
}

const drawPiecePlace = (random) => {
  if (random.chance(0.02)) return random.pick([399_999, 400_000, 500_000])
  return random.chance(0.05) ? random.below(3000) : random.below(80)
}

const drawExtended = (draw) => {
  const { random } = draw
  if (random.chance(0.4)) {
    return { type: 'extended', id: 0, payload: drawExtendedHandshake(random) }
  }
  const id = random.chance(0.75) ? random.between(1, 4) : random.between(5, 255)
  return { type: 'extended', id, payload: drawPayload(random, 40) }
}

const drawExtendedHandshake = (random) => {
  if (random.chance(0.06)) return random.pick(UNDECODABLE)
  const message = {}
  if (random.chance(0.85)) message.m = drawMapping(random)
  for (const [key, value] of Object.entries(FIELDS)) {
    if (random.chance(0.3)) message[key] = value
  }
  return encodeBencode(message)
}

const drawMapping = (random) => {
  const mapping = {}
  for (const name of EXTENSION_NAMES) {
    if (random.chance(0.5)) mapping[name] = random.chance(0.1) ? 0 : random.between(1, 255)
  }
  return mapping
}

const FIELDS = {
  metadata_size: 31_235,
  p: 6881,
  reqq: 250,
  upload_only: 1,
  v: 'wire 1.2 \u00e9',
  yourip: Buffer.from([127, 0, 0, 1]),
  extra: { list: [1, 'two', [-3], { four: 4 }], none: {} }
}

const UNDECODABLE = ['x', 'd1:ai1', 'd1:a', 'i12'].map((text) => Buffer.from(text))

const MESSAGES = {
  have: ({ random }) => ({ type: 'have', piece: drawPiecePlace(random) }),
  bitfield: ({ random }) => ({
    type: 'bitfield',
    bits: drawPayload(random, random.chance(0.05) ? 200 : 12)
  }),
  request: drawRequestOfPeer,
  piece: drawPiece,
  cancel: drawCancelOfPeer,
  port: ({ random }) => ({ type: 'port', port: random.pick([0, 80, 6881, 32768, 65535]) }),
  extended: drawExtended,
  unknown: ({ random }) => ({
    type: 'unknown',
    id: random.pick(UNKNOWN_IDS),
    payload: drawPayload(random, 20)
  }),
  suggest: ({ random }) => ({ type: 'suggest', piece: random.below(5) }),
  'allowed-fast': ({ random }) => ({ type: 'allowed-fast', piece: random.below(5) }),
  reject: (draw) => ({ type: 'reject', ...takeAsked(draw) })
}
