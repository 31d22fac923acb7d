// Draws random valid messages of a peer as plain data.

/**
 * Draws messages, now and then with a run of haves or more than a wire may decode at once.
 *
 * @param {object} draw `random`, and blocks requested by us (`asked`) and by the peer (`peerAsked`)
 * @param {number} count
 * @returns {object[]}
 */
export const drawMessages = (draw, count) => {
  const { random } = draw
  const messages = random.times(count, () => drawMessage(draw))
  if (random.chance(0.1))
    messages.push(...random.times(random.between(2, 8), () => MESSAGES.have(draw)))
  if (random.chance(0.004))
    messages.push(...random.times(random.between(250, 600), drawTinyMessage))
  return messages
}

/**
 * Draws the block of a request, cancel or piece: from a small range, so that blocks repeat, and now and
 * then from the ends of the 32-bit range.
 *
 * @param {import('../random.mjs').Random} random
 * @returns {{piece: number, offset: number, length: number}}
 */
export const drawBlock = (random) => ({
  piece: random.chance(0.03) ? random.pick(LARGE_NUMBERS) : random.below(4),
  offset: random.chance(0.03) ? random.pick(LARGE_NUMBERS) : random.below(3) * 16,
  length: random.chance(0.04) ? random.pick([1, 16384]) : random.pick([8, 16, 24])
})

/**
 * Draws a payload of up to `size` bytes, sometimes empty.
 *
 * @param {import('../random.mjs').Random} random
 * @param {number} size
 * @returns {{size: number, fill: number}}
 */
export const drawPayload = (random, size) => ({
  size: random.chance(0.15) ? 0 : random.between(1, size),
  fill: random.below(256)
})

const LARGE_NUMBERS = [65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]

const MESSAGE_WEIGHTS = {
  'keep-alive': 3,
  choke: 2,
  unchoke: 8,
  interested: 4,
  uninterested: 4,
  have: 6,
  bitfield: 4,
  request: 14,
  piece: 16,
  cancel: 6,
  port: 3,
  extended: 5,
  unknown: 4
}

const drawMessage = (draw) => {
  const type = draw.random.weighted(MESSAGE_WEIGHTS)
  const message = MESSAGES[type]?.(draw) ?? { type }
  if (FIXED_TYPES.has(type) && draw.random.chance(0.03))
    message.excess = drawPayload(draw.random, 80)
  return message
}

const drawTinyMessage = (index) => ({ ...TINY_MESSAGES[index % TINY_MESSAGES.length] })

const TINY_MESSAGES = [
  { type: 'have', piece: 1 },
  { type: 'have', piece: 9 },
  { type: 'keep-alive' },
  { type: 'interested' }
]

/** Messages without a payload; bytes after their fields are skipped. */
const FIXED_TYPES = new Set([
  'choke',
  'unchoke',
  'interested',
  'uninterested',
  'have',
  'request',
  'cancel',
  'port'
])

/**
 * Draws a handshake with any reserved bits.
 *
 * @param {import('../random.mjs').Random} random
 * @returns {object}
 */
export const drawHandshake = (random) => ({
  type: 'handshake',
  reserved: random.times(8, () => (random.chance(0.5) ? 0 : random.below(256))),
  infoHash: { size: 20, fill: random.below(256) },
  peerId: { size: 20, fill: random.below(256) }
})

const KNOWN_IDS = new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20])
const UNKNOWN_IDS = Array.from({ length: 256 }, (_, id) => id).filter((id) => !KNOWN_IDS.has(id))
/** Ids of later extensions of the protocol, which nothing in these sessions enables. */
const EXTENSION_IDS = [13, 14, 15, 16, 17, 21, 22, 23]

const drawRequestOfPeer = ({ random, peerAsked }) => {
  const block = peerAsked.length && random.chance(0.1) ? random.pick(peerAsked) : drawBlock(random)
  peerAsked.push(block)
  return { type: 'request', ...block }
}

const drawCancelOfPeer = ({ random, peerAsked }) => {
  const known = peerAsked.length && random.chance(0.7)
  return { type: 'cancel', ...(known ? random.pick(peerAsked) : drawBlock(random)) }
}

/** A block that answers a request of ours, in or out of order, or is too long or unsolicited. */
const drawPiece = ({ random, asked }) => {
  const inOrder = random.chance(0.5)
  const answers = asked.length && random.chance(0.75)
  const at = inOrder ? 0 : random.below(asked.length)
  const { piece, offset, length } = answers ? asked.splice(at, 1)[0] : drawBlock(random)
  const size = random.chance(0.1) ? random.pick([0, length - 1, length + 1]) : length
  return { type: 'piece', piece, offset, block: { size, fill: random.below(256) } }
}

/** How to draw the fields of a message, by type. */
export const MESSAGES = {
  have: ({ random }) => ({
    type: 'have',
    piece: random.chance(0.05) ? random.below(3000) : random.below(80)
  }),
  bitfield: ({ random }) => ({
    type: 'bitfield',
    bits: drawPayload(random, random.chance(0.05) ? 200 : 8)
  }),
  request: drawRequestOfPeer,
  piece: drawPiece,
  cancel: drawCancelOfPeer,
  port: ({ random }) => ({ type: 'port', port: random.pick([0, 80, 6881, 32768, 65535]) }),
  extended: ({ random }) => ({
    type: 'extended',
    id: random.below(256),
    payload: drawPayload(random, 40)
  }),
  unknown: ({ random }) => ({
    type: 'unknown',
    id: random.pick(random.chance(0.7) ? EXTENSION_IDS : UNKNOWN_IDS),
    payload: drawPayload(random, 20)
  })
}
