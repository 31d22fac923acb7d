// Says what a wire with the default limits must make of a peer's bytes: a second, simple reading of
// the protocol, to hold the real one against.

/**
 * Reads all bytes at once.
 *
 * @param {import('./hostile-inputs.mjs').HostileInput} input
 * @returns {{events: string[], code: string | null, peerChoking: boolean, downloaded: number,
 *   peerInterested: boolean, pieces: boolean[] | null, isTruncated: boolean}} the events up to the
 *   first violation, its code, whether the bytes end inside a message, and the state by then; no pieces where they would be too many to compare
 */
export const expectEvents = ({ bytes, unchokes, answers }) => {
  const reading = {
    bytes,
    at: 0,
    unchokes,
    answers,
    waiting: [],
    events: [],
    code: null,
    peerChoking: true,
    peerInterested: false,
    pieces: [],
    downloaded: 0
  }
  if (readHandshake(reading)) while (readMessage(reading));
  reading.isTruncated = reading.code === null && reading.at < bytes.length
  return reading
}

/**
 * An event in one line, as {@link expectEvents} writes it; payloads in hex.
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
const MAX_MESSAGE_LENGTH = 1024 * 1024
const MAX_REQUEST_LENGTH = 128 * 1024
const MAX_PEER_REQUESTS = 2000
const MANY_PIECES = 4000
const MAX_PIECES = 4 * 1024 * 1024

const fail = (reading, code) => {
  reading.code = code
  return false
}

const tell = (reading, ...event) => {
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
  return tell(reading, 'handshake', bytes.subarray(28, 48), bytes.subarray(48, 68))
}

/** Reads one message; false at a violation and where bytes are missing. */
const readMessage = (reading) => {
  const rest = reading.bytes.subarray(reading.at)
  if (rest.length < 4) return false
  const length = rest.readUInt32BE(0)
  if (length > MAX_MESSAGE_LENGTH) return fail(reading, 'ERR_PWP_MESSAGE_TOO_LONG')
  const leastLength = LEAST_LENGTHS[rest[4]] ?? 0
  if (length && rest.length > 4 && length < leastLength)
    return fail(reading, 'ERR_PWP_MESSAGE_LENGTH')
  if (rest.length < 4 + length) return false
  reading.at += 4 + length
  return length ? readBody(reading, rest.subarray(4, 4 + length)) : tell(reading, 'keep-alive')
}

const readBody = (reading, body) => {
  const read = BODIES[body[0]]
  return read ? read(reading, body) : tell(reading, 'unknownmessage', body)
}

const LEAST_LENGTHS = { 0: 1, 1: 1, 2: 1, 3: 1, 4: 5, 5: 1, 6: 13, 7: 9, 8: 13, 9: 3, 20: 2 }

const setter = (field, value, event) => (reading) => {
  reading[field] = value
  return tell(reading, event)
}

const readHave = (reading, body) => {
  const piece = body.readUInt32BE(1)
  if (piece >= MAX_PIECES) return fail(reading, 'ERR_PWP_PIECE_INDEX')
  if (piece < MANY_PIECES && reading.pieces) reading.pieces[piece] = true
  else reading.pieces = null
  return tell(reading, 'have', piece)
}

const readBitfield = (reading, body) => {
  const bits = body.subarray(1)
  if (bits.length > MAX_PIECES / 8) return fail(reading, 'ERR_PWP_BITFIELD_LENGTH')
  if (bits.length < MANY_PIECES / 8) setPieces(reading.pieces, bits)
  else reading.pieces = null
  return tell(reading, 'bitfield', bits)
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
  if (block[2] > MAX_REQUEST_LENGTH) return fail(reading, 'ERR_PWP_REQUEST_LENGTH')
  if (block[2] === 0) return true
  if (!reading.unchokes || reading.waiting.length >= MAX_PEER_REQUESTS) return true
  if (!reading.answers) reading.waiting.push(String(block))
  return tell(reading, 'request', ...block)
}

const readCancel = (reading, body) => {
  const block = blockOf(body)
  const at = reading.waiting.indexOf(String(block))
  if (at >= 0) reading.waiting.splice(at, 1)
  return tell(reading, 'cancel', ...block)
}

const readPiece = (reading, body) => {
  const block = body.subarray(9)
  reading.downloaded += block.length
  return tell(reading, 'piece', body.readUInt32BE(1), body.readUInt32BE(5), block)
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
  9: (reading, body) => tell(reading, 'port', body.readUInt16BE(1)),
  20: (reading, body) => tell(reading, 'extended', body[1], body.subarray(2))
}
