// The model of what a wire must emit for a peer's bytes: a second, simple implementation of the protocol to
// compare the real one with.

/** The options that affect how a wire decodes its input, with their defaults. */
const DEFAULT_LIMITS = {
  maxMessageLength: 1024 * 1024,
  maxRequestLength: 128 * 1024,
  maxPeerRequests: 2000,
  pieces: 0,
  policy: 'lenient'
}

/**
 * Decodes all bytes at once.
 *
 * A strict wire closes at a block that it did not request. Whether it did is not in the bytes, so every
 * block is an event here.
 *
 * @param {import('./inputs.mjs').HostileInput} input
 * @param {object} [options] of the wire
 * @returns {{events: string[], code: string | null, peerChoking: boolean, downloaded: number,
 *   peerInterested: boolean, pieces: boolean[] | null, isTruncated: boolean}} the events up to the
 *   first violation, its code, whether the bytes end inside a message, and the state by then;
 *   `pieces` is null where there are too many to compare
 */
export const expectEvents = ({ bytes, unchokes, answers }, options = {}) => {
  const reading = {
    bytes,
    limits: { ...DEFAULT_LIMITS, ...options },
    at: 0,
    unchokes,
    answers,
    waiting: [],
    events: [],
    code: null,
    peerChoking: true,
    peerInterested: false,
    pieces: [],
    basicMessages: 0,
    downloaded: 0
  }
  if (readHandshake(reading)) while (readMessage(reading));
  reading.isTruncated = reading.code === null && reading.at < bytes.length
  return reading
}

/**
 * One event as a line of text, as {@link expectEvents} returns it; payloads in hex.
 *
 * @param {string} name
 * @param {...(number | Buffer)} values
 * @returns {string}
 */
export const describeEvent = (name, ...values) =>
  [name, ...values.map((value) => (Buffer.isBuffer(value) ? value.toString('hex') : value))].join(
    ' '
  )

const GREETING = Buffer.from('\x13BitTorrent protocol')
const HANDSHAKE_LENGTH = 68
const MAX_INT32 = 2 ** 31 - 1
const MANY_PIECES = 4000
const MAX_PIECES = 4 * 1024 * 1024

const fail = (reading, code) => {
  reading.code = code
  return false
}

/** A harmless violation: a lenient wire continues. */
const tolerate = ({ limits }, isViolation) => !isViolation || limits.policy === 'lenient'

const emit = (reading, ...event) => {
  reading.events.push(describeEvent(...event))
  return true
}

const readHandshake = (reading) => {
  const { bytes } = reading
  const greeting = bytes.subarray(0, GREETING.length)
  if (!greeting.equals(GREETING.subarray(0, greeting.length)))
    return fail(reading, 'ERR_PWP_HANDSHAKE')
  if (bytes.length < HANDSHAKE_LENGTH) return false
  reading.at = HANDSHAKE_LENGTH
  return emit(reading, 'handshake', bytes.subarray(28, 48), bytes.subarray(48, 68))
}

/** Decodes one message; false at a violation or where bytes are missing. */
const readMessage = (reading) => {
  const rest = reading.bytes.subarray(reading.at)
  if (rest.length < 4) return false
  const length = rest.readUInt32BE(0)
  if (length > (reading.limits.maxMessageLength || MAX_INT32))
    return fail(reading, 'ERR_PWP_MESSAGE_TOO_LONG')
  const leastLength = LEAST_LENGTHS[rest[4]] ?? 0
  if (length && rest.length > 4 && length < leastLength)
    return fail(reading, 'ERR_PWP_MESSAGE_LENGTH')
  const hasExcess = length > leastLength && FIXED_LENGTH_IDS.has(rest[4])
  if (rest.length >= 4 + leastLength && !tolerate(reading, hasExcess))
    return fail(reading, 'ERR_PWP_MESSAGE_LENGTH')
  if (rest.length < 4 + length) return false
  reading.at += 4 + length
  return length ? readBody(reading, rest.subarray(4, 4 + length)) : emit(reading, 'keep-alive')
}

const readBody = (reading, body) => {
  const read = BODIES[body[0]]
  if (body[0] <= LAST_BASIC_ID) reading.basicMessages++
  return read ? read(reading, body) : emit(reading, 'unknownmessage', body)
}

const LEAST_LENGTHS = { 0: 1, 1: 1, 2: 1, 3: 1, 4: 5, 5: 1, 6: 13, 7: 9, 8: 13, 9: 3, 20: 2 }
const FIXED_LENGTH_IDS = new Set([0, 1, 2, 3, 4, 6, 8, 9])

/** The messages of BEP 3 have the ids from 0 to this one. */
const LAST_BASIC_ID = 8

const setter = (field, value, event) => (reading) => {
  reading[field] = value
  return emit(reading, event)
}

const readHave = (reading, body) => {
  const piece = body.readUInt32BE(1)
  if (piece >= (reading.limits.pieces || MAX_PIECES)) return fail(reading, 'ERR_PWP_PIECE_INDEX')
  if (piece < MANY_PIECES && reading.pieces) reading.pieces[piece] = true
  else reading.pieces = null
  return emit(reading, 'have', piece)
}

const readBitfield = (reading, body) => {
  const { pieces } = reading.limits
  const bits = Buffer.from(body.subarray(1))
  const isFitting = pieces ? bits.length === Math.ceil(pieces / 8) : bits.length <= MAX_PIECES / 8
  if (!isFitting) return fail(reading, 'ERR_PWP_BITFIELD_LENGTH')
  if (!tolerate(reading, reading.basicMessages > 1)) return fail(reading, 'ERR_PWP_BITFIELD_LATE')
  if (!tolerate(reading, clearSpareBits(bits, pieces)))
    return fail(reading, 'ERR_PWP_BITFIELD_SPARE_BITS')
  if (bits.length < MANY_PIECES / 8) setPieces(reading.pieces, bits)
  else reading.pieces = null
  return emit(reading, 'bitfield', bits)
}

/** Returns whether there were any. */
const clearSpareBits = (bits, pieces) => {
  const mask = pieces % 8 ? 0xff >> (pieces % 8) : 0
  const spare = bits.at(-1) & mask
  bits[bits.length - 1] &= ~mask
  return spare !== 0
}

const setPieces = (pieces, bits) => {
  if (!pieces) return
  for (const [at, byte] of bits.entries()) {
    for (let bit = 0; bit < 8; bit++) pieces[at * 8 + bit] = (byte & (0x80 >> bit)) !== 0
  }
}

const blockOf = (body) => [body.readUInt32BE(1), body.readUInt32BE(5), body.readUInt32BE(9)]

const readRequest = (reading, body) => {
  const block = blockOf(body)
  const { maxRequestLength, maxPeerRequests, pieces } = reading.limits
  if (block[2] > maxRequestLength) return fail(reading, 'ERR_PWP_REQUEST_LENGTH')
  if (block[2] === 0) return tolerate(reading, true) || fail(reading, 'ERR_PWP_REQUEST_LENGTH')
  if (pieces && block[0] >= pieces)
    return tolerate(reading, true) || fail(reading, 'ERR_PWP_PIECE_INDEX')
  if (!reading.unchokes || reading.waiting.length >= maxPeerRequests) return true
  if (!reading.answers) reading.waiting.push(String(block))
  return emit(reading, 'request', ...block)
}

const readCancel = (reading, body) => {
  const block = blockOf(body)
  const at = reading.waiting.indexOf(String(block))
  if (at >= 0) reading.waiting.splice(at, 1)
  return emit(reading, 'cancel', ...block)
}

const readPiece = (reading, body) => {
  const block = body.subarray(9)
  reading.downloaded += block.length
  return emit(reading, 'piece', body.readUInt32BE(1), body.readUInt32BE(5), block)
}

const BODIES = {
  0: setter('peerChoking', true, 'choke'),
  1: setter('peerChoking', false, 'unchoke'),
  2: setter('peerInterested', true, 'interested'),
  3: setter('peerInterested', false, 'uninterested'),
  4: readHave,
  5: readBitfield,
  6: readRequest,
  7: readPiece,
  8: readCancel,
  9: (reading, body) => emit(reading, 'port', body.readUInt16BE(1)),
  20: (reading, body) => emit(reading, 'extended', body[1], body.subarray(2))
}
