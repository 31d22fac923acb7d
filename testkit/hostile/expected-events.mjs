// The model of what a wire must emit for a peer's bytes: a second, simple implementation of the protocol to
// compare the real one with.

/** The options that affect how a wire decodes its input, with their defaults. */
const DEFAULT_LIMITS = {
  maxMessageLength: 1024 * 1024,
  maxRequestLength: 128 * 1024,
  maxPeerRequests: 2000,
  pieces: 0,
  policy: 'lenient',
  infoHashes: () => true,
  notPeerId: null
}

/**
 * Decodes all bytes at once.
 *
 * A strict wire closes at a block or a reject for which it has no request. Whether it has is not in the
 * bytes, so each is an event here.
 *
 * @param {import('./inputs.mjs').HostileInput} input
 * @param {object} [options] of the wire
 * @returns {{events: string[], code: string | null, peerChoking: boolean, downloaded: number,
 *   peerInterested: boolean, pieces: boolean[] | null, isTruncated: boolean}} the events up to the
 *   first violation, its code, whether the bytes end inside a message, and the state by then;
 *   `pieces` is null where there are too many to compare
 */
export const expectEvents = ({ bytes, unchokes, answers, asksForFast }, options = {}) => {
  const reading = {
    bytes,
    limits: { ...DEFAULT_LIMITS, ...options },
    at: 0,
    asksForFast,
    hasFast: false,
    peerAllowed: new Set(),
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

/**
 * @param {unknown} infoHashes the option of a wire
 * @param {Buffer} infoHash
 * @returns {boolean}
 */
export const serves = (infoHashes, infoHash) => {
  const isSame = (one) =>
    typeof one === 'string' ? one.toLowerCase() === infoHash.toString('hex') : infoHash.equals(one)
  if (typeof infoHashes === 'function') return infoHashes(infoHash)
  const isOne = typeof infoHashes === 'string' || infoHashes instanceof Uint8Array
  return (isOne ? [infoHashes] : [...infoHashes]).some(isSame)
}

const GREETING = Buffer.from('\x13BitTorrent protocol')
const START_LENGTH = 48
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
  if (bytes.length < START_LENGTH) return false
  const infoHash = bytes.subarray(28, START_LENGTH)
  if (!serves(reading.limits.infoHashes, infoHash)) return fail(reading, 'ERR_PWP_INFO_HASH')
  emit(reading, 'info-hash', infoHash)
  if (bytes.length < HANDSHAKE_LENGTH) return false
  const peerId = bytes.subarray(START_LENGTH, HANDSHAKE_LENGTH)
  if (reading.limits.notPeerId !== null && peerId.equals(Buffer.from(reading.limits.notPeerId)))
    return fail(reading, 'ERR_PWP_PEER_ID')
  reading.at = HANDSHAKE_LENGTH
  reading.hasFast = reading.asksForFast === true && (bytes[27] & FAST) !== 0
  return emit(reading, 'handshake', infoHash, peerId)
}

/** The flag of the fast extension in the last reserved byte. */
const FAST = 4

/** Decodes one message; false at a violation or where bytes are missing. */
const readMessage = (reading) => {
  const rest = reading.bytes.subarray(reading.at)
  if (rest.length < 4) return false
  const length = rest.readUInt32BE(0)
  if (length > (reading.limits.maxMessageLength || MAX_INT32))
    return fail(reading, 'ERR_PWP_MESSAGE_TOO_LONG')
  const isForeign = length > 0 && FAST_IDS.has(rest[4]) && !reading.hasFast
  if (rest.length > 4 && !tolerate(reading, isForeign)) return fail(reading, 'ERR_PWP_NOT_AGREED')
  const leastLength = isForeign ? 0 : (LEAST_LENGTHS[rest[4]] ?? 0)
  if (length && rest.length > 4 && length < leastLength)
    return fail(reading, 'ERR_PWP_MESSAGE_LENGTH')
  const hasExcess = length > leastLength && FIXED_LENGTH_IDS.has(rest[4]) && !isForeign
  if (rest.length >= 4 + leastLength && !tolerate(reading, hasExcess))
    return fail(reading, 'ERR_PWP_MESSAGE_LENGTH')
  if (rest.length < 4 + length) return false
  reading.at += 4 + length
  return length ? readBody(reading, rest.subarray(4, 4 + length)) : emit(reading, 'keep-alive')
}

const readBody = (reading, body) => {
  const isForeign = FAST_IDS.has(body[0]) && !reading.hasFast
  const read = isForeign ? undefined : BODIES[body[0]]
  if (body[0] <= LAST_BASIC_ID || (!isForeign && IN_PLACE_OF_BITFIELD.has(body[0])))
    reading.basicMessages++
  return read ? read(reading, body) : emit(reading, 'unknownmessage', body)
}

/** By message id. */
const LEAST_LENGTHS = [1, 1, 1, 1, 5, 1, 13, 9, 13, 3, 0, 0, 0, 5, 1, 1, 13, 5, 0, 0, 2]
const FIXED_LENGTH_IDS = new Set([0, 1, 2, 3, 4, 6, 8, 9, 13, 14, 15, 16, 17])

/** The messages of BEP 6. */
const FAST_IDS = new Set([13, 14, 15, 16, 17])

/** Have all and have none, which count as messages of BEP 3 when a bitfield is late. */
const IN_PLACE_OF_BITFIELD = new Set([14, 15])

/** Most pieces of the peer that are allowed fast. */
const MOST_ALLOWED = 100

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

/** A have all or have none. */
const readSummary = (name, hasAll) => (reading) => {
  if (!tolerate(reading, reading.basicMessages > 1)) return fail(reading, 'ERR_PWP_BITFIELD_LATE')
  if (hasAll) setAll(reading)
  return emit(reading, name)
}

/** Spare bits count as pieces that the peer does not have. */
const setAll = (reading) => {
  const { pieces } = reading.limits
  if (pieces === 0) return
  if (pieces >= MANY_PIECES) reading.pieces = null
  const bits = Buffer.alloc(Math.ceil(Math.min(pieces, MANY_PIECES) / 8), 0xff)
  clearSpareBits(bits, pieces)
  setPieces(reading.pieces, bits)
}

const readHint = (name, isKept) => (reading, body) => {
  const piece = body.readUInt32BE(1)
  if (piece >= (reading.limits.pieces || MAX_PIECES))
    return tolerate(reading, true) || fail(reading, 'ERR_PWP_PIECE_INDEX')
  return isKept(reading, piece) ? emit(reading, name, piece) : true
}

const allow = ({ peerAllowed }, piece) => {
  if (peerAllowed.size < MOST_ALLOWED) peerAllowed.add(piece)
  return peerAllowed.has(piece)
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
  13: readHint('suggest', () => true),
  14: readSummary('have-all', true),
  15: readSummary('have-none', false),
  16: (reading, body) => emit(reading, 'reject', ...blockOf(body)),
  17: readHint('allowed-fast', allow),
  20: (reading, body) => emit(reading, 'extended', body[1], body.subarray(2))
}
