// Generates, from a seed, bytes that a broken or malicious peer might send.

import { bytesOf, encodeHandshake, encodeMessage, frame } from '../messages.mjs'
import { drawBlock, drawHandshake, drawMessages, drawPayload } from '../sessions/peer-messages.mjs'
import { randomFrom } from '../random.mjs'
import { EXTENDED_FLAG, drawExtended } from './extended-messages.mjs'

/** Relative frequency of each kind of input. */
const WEIGHTS = {
  valid: 8,
  flipped: 16,
  inserted: 8,
  deleted: 8,
  truncated: 8,
  random: 6,
  'random behind a handshake': 10,
  'length prefix': 12,
  'message length': 14,
  'wrong handshake': 8,
  'handshake again': 4,
  'number at a limit': 8,
  'fast messages': 22,
  'extended messages': 10,
  'many requests': 0.05,
  'many rejects': 0.02,
  'large bitfield': 0.02
}

/** Names of all kinds of inputs. */
export const INPUT_KINDS = Object.keys(WEIGHTS)

/**
 * An input and the circumstances in which a wire receives it.
 *
 * @typedef {object} HostileInput
 * @property {number} seed
 * @property {string} kind one of {@link INPUT_KINDS}
 * @property {Buffer} bytes
 * @property {number[]} sizes of the chunks, repeated as needed; if empty, the bytes stay whole
 * @property {boolean} unchokes whether the peer is unchoked and may request
 * @property {boolean} asksForFast whether our handshake, sent before, announces the fast extension
 * @property {boolean} isExtended whether the peer may use the extension protocol, as the bytes then do
 * @property {boolean} answers whether each request is answered at once
 * @property {boolean} isPiped whether the input is piped instead of written
 * @property {boolean} listens whether there is an `'error'` listener
 * @property {boolean} goesOn whether the rest is written to a wire that has closed
 * @property {boolean} looksAtPieces whether `peerPieces` is read
 * @property {'end' | 'destroy'} ending how the caller ends it
 */

/**
 * Makes the input of a seed.
 *
 * @param {number} seed
 * @param {number} [most] most valid messages before the violation
 * @returns {HostileInput}
 */
export const makeHostileInput = (seed, most = 8) => {
  const random = randomFrom(seed, 'hostile')
  const kind = random.weighted(WEIGHTS)
  const asksForFast = random.chance(FAST_KINDS.has(kind) ? 0.9 : 0.3)
  const isExtended = kind === 'extended messages' || random.chance(0.25)
  const draw = { random, most, asked: [...OUR_REQUESTS], peerAsked: [], asksForFast, isExtended }
  return {
    seed,
    kind,
    bytes: KINDS[kind](draw),
    sizes: random.pick([[], [], [1], random.times(3, () => random.between(1, 30))]),
    unchokes: random.chance(0.7),
    answers: random.chance(0.3),
    asksForFast,
    isExtended,
    isPiped: random.chance(0.1),
    listens: random.chance(0.2),
    goesOn: random.chance(0.5),
    looksAtPieces: random.chance(0.3),
    ending: random.pick(['end', 'destroy'])
  }
}

/** Blocks that we request whenever the peer unchokes us; the peer's blocks often answer these requests. */
export const OUR_REQUESTS = [
  { piece: 0, offset: 0, length: 8 },
  { piece: 1, offset: 16, length: 16 },
  { piece: 0, offset: 0, length: 8 },
  { piece: 2, offset: 32, length: 24 }
]

const concat = (...parts) => Buffer.concat(parts.flat())

/** Kinds of inputs with messages of the fast extension. */
const FAST_KINDS = new Set(['fast messages', 'many rejects'])

/** The flag of the fast extension in the last reserved byte. */
const FAST = 4

const greet = ({ random, asksForFast, isExtended }) => {
  const handshake = drawHandshake(random)
  if (isExtended && random.chance(0.9)) handshake.reserved[5] |= EXTENDED_FLAG
  if (asksForFast && random.chance(0.8)) handshake.reserved[7] |= FAST
  return encodeMessage(handshake)
}

const drawValid = (draw) =>
  concat(greet(draw), encodeMessage({ type: 'unchoke' }), drawFrames(draw, draw.most))

const drawFrames = (draw, most) => {
  const { asksForFast, isExtended, random } = draw
  const messages = drawMessages(draw, random.between(0, most)).map(encodeMessage)
  const insert = (list, make) =>
    list.flatMap((bytes) => (random.chance(0.4) ? [make(), bytes] : [bytes]))
  const all = asksForFast ? insert(messages, () => drawFast(draw)) : messages
  return isExtended ? insert(all, () => drawExtended(random)) : all
}

/** A message of the fast extension: mostly right, or too long. */
const drawFast = (draw) => {
  const { random } = draw
  const type = random.pick(['suggest', 'have-all', 'have-none', 'reject', 'allowed-fast'])
  const message = { type, ...drawBlock(random) }
  // An answer to a request of ours.
  if (type === 'reject' && draw.asked.length > 0 && random.chance(0.7))
    Object.assign(message, draw.asked.splice(random.below(draw.asked.length), 1)[0])
  if (random.chance(0.03)) message.excess = drawPayload(random, 80)
  return encodeMessage(message)
}

const drawBytes = ({ random }, most) => {
  const bytes = Buffer.allocUnsafe(random.below(most))
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256)
  return bytes
}

/** A position in the bytes, mostly after the handshake: otherwise few inputs would get past it. */
const drawPlace = ({ random }, bytes) =>
  random.chance(0.9) ? random.between(68, bytes.length) : random.below(68)

const drawFlipped = (draw) => {
  const bytes = drawValid(draw)
  const flips = draw.random.between(1, 4)
  for (let flip = 0; flip < flips; flip++) {
    bytes[drawPlace(draw, bytes)] ^= 1 << draw.random.below(8)
  }
  return bytes
}

const drawInserted = (draw) => {
  const bytes = drawValid(draw)
  const at = drawPlace(draw, bytes)
  return concat(bytes.subarray(0, at), drawBytes(draw, 12), bytes.subarray(at))
}

const drawDeleted = (draw) => {
  const bytes = drawValid(draw)
  const at = drawPlace(draw, bytes)
  return concat(bytes.subarray(0, at), bytes.subarray(at + draw.random.between(1, 8)))
}

const drawTruncated = (draw) => {
  const bytes = drawValid(draw)
  return bytes.subarray(0, draw.random.below(bytes.length))
}

const MIB = 1024 * 1024
const LENGTHS = [
  0,
  1,
  2,
  3,
  5,
  9,
  13,
  64,
  MIB - 1,
  MIB,
  MIB + 1,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1
]

const drawLengthPrefix = (draw) => {
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(draw.random.pick(LENGTHS))
  return concat(drawValid(draw), prefix, drawBytes(draw, 40))
}

const KNOWN_IDS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20]

const drawMessageLength = (draw) => {
  const { random } = draw
  const body = bytesOf({ size: random.below(16), fill: random.below(4) })
  return concat(drawValid(draw), frame(random.pick(KNOWN_IDS), body), drawFrames(draw, 3))
}

const PROTOCOLS = [
  '',
  'BitTorrent protoco',
  'BitTorrent Protocol',
  'BitTorrent protocol2',
  'HTTP/1.1'
]

const drawWrongHandshake = (draw) => {
  const { random } = draw
  const protocol = random.chance(0.5)
    ? Buffer.from(random.pick(PROTOCOLS))
    : bytesOf(drawPayload(random, 255))
  return concat(encodeHandshake({ ...drawHandshake(random), protocol }), drawFrames(draw, 4))
}

const drawHandshakeAgain = (draw) => concat(drawValid(draw), greet(draw), drawFrames(draw, 4))

const PIECE_LIMIT = 4 * MIB
const REQUEST_LIMIT = 128 * 1024

const drawNumberAtLimit = (draw) => {
  const { random } = draw
  const beyond = random.pick([-1, 0, 1, 2 ** 31])
  const message = random.pick([
    { type: 'have', piece: PIECE_LIMIT + beyond },
    { type: 'suggest', piece: PIECE_LIMIT + beyond },
    { type: 'allowed-fast', piece: PIECE_LIMIT + beyond },
    { type: 'request', piece: 0, offset: 0, length: REQUEST_LIMIT + beyond }
  ])
  return concat(drawValid(draw), encodeMessage(message), drawFrames(draw, 3))
}

const drawFastMessages = (draw) =>
  concat(
    greet(draw),
    draw.random.chance(0.5) ? encodeMessage({ type: 'unchoke' }) : [],
    draw.random.times(draw.random.between(1, draw.most), () => drawFast(draw)),
    draw.random.chance(0.1) ? draw.random.times(120, (piece) => allowedFast(piece)) : [],
    drawFrames(draw, draw.most)
  )

const drawExtendedMessages = (draw) =>
  concat(
    greet(draw),
    draw.random.chance(0.5) ? encodeMessage({ type: 'unchoke' }) : [],
    draw.random.times(draw.random.between(1, draw.most), () => drawExtended(draw.random)),
    drawFrames(draw, draw.most)
  )

const allowedFast = (piece) => encodeMessage({ type: 'allowed-fast', piece })

/** Requests that the wire rejects, whose rejects nobody may read. */
const drawManyRejects = (draw) => {
  const { random } = draw
  const messages = [
    { type: 'request', piece: 1, offset: 0, length: 0 },
    { type: 'request', piece: 2, offset: 0, length: 9 },
    { type: 'cancel', piece: 2, offset: 0, length: 9 }
  ].map(encodeMessage)
  return concat(
    greet(draw),
    random.times(random.between(500, 3000), () => random.pick(messages))
  )
}

const drawManyRequests = (draw) => {
  const request = { type: 'request', piece: 1, offset: 0, length: 1 }
  return concat(greet(draw), Array(draw.random.between(1990, 2010)).fill(encodeMessage(request)))
}

const drawLargeBitfield = (draw) => {
  const bits = { size: PIECE_LIMIT / 8 + draw.random.below(2), fill: 1 }
  return concat(greet(draw), encodeMessage({ type: 'bitfield', bits }), drawFrames(draw, 3))
}

const KINDS = {
  valid: drawValid,
  flipped: drawFlipped,
  inserted: drawInserted,
  deleted: drawDeleted,
  truncated: drawTruncated,
  random: (draw) => drawBytes(draw, 200),
  'random behind a handshake': (draw) => concat(greet(draw), drawBytes(draw, 200)),
  'length prefix': drawLengthPrefix,
  'message length': drawMessageLength,
  'wrong handshake': drawWrongHandshake,
  'handshake again': drawHandshakeAgain,
  'number at a limit': drawNumberAtLimit,
  'fast messages': drawFastMessages,
  'extended messages': drawExtendedMessages,
  'many requests': drawManyRequests,
  'many rejects': drawManyRejects,
  'large bitfield': drawLargeBitfield
}
