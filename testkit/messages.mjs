// Encodes the messages of a remote peer from plain data.

/**
 * Bytes of a payload, given as a Buffer or as a size and a number; the latter prints short.
 *
 * @param {Buffer | {size: number, fill: number}} payload
 * @returns {Buffer}
 */
export const bytesOf = (payload) => {
  if (Buffer.isBuffer(payload)) return payload
  const { size, fill } = payload
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at++) bytes[at] = (fill + at * 37) & 0xff
  return bytes
}

/**
 * Bytes of one message, with its length prefix. `excess` adds bytes after its fields.
 *
 * @param {{type: string}} message
 * @returns {Buffer}
 */
export const encodeMessage = (message) => {
  const bytes = (ENCODERS[message.type] ?? FAST_ENCODERS[message.type])(message)
  return message.excess ? lengthen(bytes, bytesOf(message.excess)) : bytes
}

/**
 * Bytes of a handshake. Every field can be replaced, also with an invalid one.
 *
 * @param {{protocol?: Buffer, reserved?: number[], infoHash: object, peerId: object}} handshake
 * @returns {Buffer}
 */
export const encodeHandshake = ({ protocol = PROTOCOL, reserved, infoHash, peerId }) =>
  Buffer.concat([
    Buffer.from([protocol.length]),
    protocol,
    Buffer.from(reserved),
    bytesOf(infoHash),
    bytesOf(peerId)
  ])

/**
 * A length prefix and a message with any id and body.
 *
 * @param {number} id
 * @param {...(number | Buffer)} fields numbers become 32 bits, network order
 * @returns {Buffer}
 */
export const frame = (id, ...fields) => {
  const length = fields.reduce((sum, field) => sum + lengthOf(field), 5)
  // One allocation: long checks make millions of frames, and their memory counts.
  const bytes = Buffer.alloc(length)
  bytes.writeUInt32BE(length - 4, 0)
  bytes[4] = id
  let at = 5
  for (const field of fields) {
    if (typeof field === 'number') bytes.writeUInt32BE(field, at)
    else bytes.set(field, at)
    at += lengthOf(field)
  }
  return bytes
}

/**
 * Cuts bytes into chunks of the given sizes, repeated as needed; without sizes they stay whole.
 *
 * @param {Buffer} bytes
 * @param {number[]} sizes
 * @returns {Buffer[]}
 */
export const cut = (bytes, sizes) => {
  if (!sizes.length) return bytes.length ? [bytes] : []
  const chunks = []
  for (let from = 0; from < bytes.length; from += chunks.at(-1).length) {
    chunks.push(bytes.subarray(from, from + sizes[chunks.length % sizes.length]))
  }
  return chunks
}

/**
 * A short description of one message.
 *
 * @param {{type: string}} message
 * @returns {string}
 */
export const describeMessage = ({ type, ...fields }) =>
  [type, ...Object.values(fields).map(describeField)].join(' ')

/**
 * A short description of one field of a message or call.
 *
 * @param {unknown} field
 * @returns {string}
 */
export const describeField = (field) =>
  field && field.size !== undefined
    ? `<${field.size} bytes of ${field.fill}>`
    : JSON.stringify(field)

const PROTOCOL = Buffer.from('BitTorrent protocol')

const lengthOf = (field) => (typeof field === 'number' ? 4 : field.length)

const lengthen = (bytes, excess) => {
  const longer = Buffer.concat([bytes, excess])
  longer.writeUInt32BE(longer.length - 4)
  return longer
}

const uint16 = (number) => Buffer.from([number >> 8, number & 0xff])

const ENCODERS = {
  handshake: encodeHandshake,
  'keep-alive': () => Buffer.alloc(4),
  choke: () => frame(0),
  unchoke: () => frame(1),
  interested: () => frame(2),
  uninterested: () => frame(3),
  have: ({ piece }) => frame(4, piece),
  bitfield: ({ bits }) => frame(5, bytesOf(bits)),
  request: ({ piece, offset, length }) => frame(6, piece, offset, length),
  piece: ({ piece, offset, block }) => frame(7, piece, offset, bytesOf(block)),
  cancel: ({ piece, offset, length }) => frame(8, piece, offset, length),
  port: ({ port }) => frame(9, uint16(port)),
  extended: ({ id, payload }) => frame(20, Buffer.from([id]), bytesOf(payload)),
  unknown: ({ id, payload }) => frame(id, bytesOf(payload))
}

/** The messages of the fast extension. */
const FAST_ENCODERS = {
  suggest: ({ piece }) => frame(13, piece),
  'have-all': () => frame(14),
  'have-none': () => frame(15),
  reject: ({ piece, offset, length }) => frame(16, piece, offset, length),
  'allowed-fast': ({ piece }) => frame(17, piece)
}

/** Types of all messages that a peer can send to peer-wire-protocol. */
export const MESSAGE_TYPES = Object.keys(ENCODERS)
