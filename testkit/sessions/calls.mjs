// Draws random local calls on a wire as plain data: the method and its values.

import { drawBlock, drawPayload } from './peer-messages.mjs'

const WEIGHTS = {
  handshake: 2,
  choke: 3,
  unchoke: 7,
  interested: 4,
  uninterested: 4,
  have: 4,
  bitfield: 3,
  request: 16,
  piece: 4,
  cancel: 6,
  port: 2,
  extended: 4,
  respond: 12,
  assign: 1,
  'second wire': 2
}

const TIMER_WEIGHTS = { keepAlive: 14, timeout: 6, speeds: 4, request: 90 }
const READ_WEIGHTS = { read: 12 }
const FLOW_WEIGHTS = { pause: 6 }
/** Not in handlers: our wire joins its output, so a different amount may flow at once there. */
const RESUME_WEIGHTS = { resume: 12 }
const PIPE_WEIGHTS = { unpipe: 5, pipe: 8, burst: 4 }
const ENDING_WEIGHTS = { end: 3, destroy: 5 }

/**
 * Draws one call.
 *
 * @param {object} draw the state of the generator: `random`, `profile`, `asked` (what we requested)
 *   and `peerAsked` (what the peer requested), both lists of `{piece, offset, length}`
 * @param {{inHandler?: boolean, depth?: number, endings?: boolean}} [place] `inHandler` allows
 *   nested writes, `depth` counts the callbacks around the call, `endings` allows `end` and `destroy`
 * @returns {{do: string}}
 */
export const drawCall = (draw, { inHandler = false, depth = 0, endings = false } = {}) => {
  const { timers, reads, pauses, pipes } = draw.profile
  const kind = draw.random.weighted({
    ...WEIGHTS,
    ...(timers ? TIMER_WEIGHTS : {}),
    ...(reads ? READ_WEIGHTS : {}),
    ...(pauses ? FLOW_WEIGHTS : {}),
    ...(pipes ? PIPE_WEIGHTS : {}),
    ...(endings ? ENDING_WEIGHTS : {}),
    ...(inHandler ? { write: 4 } : {}),
    ...(pauses && !inHandler ? RESUME_WEIGHTS : {})
  })
  return drawCallOf(draw, kind, depth)
}

/**
 * Draws the values for a call of one kind.
 *
 * @param {object} draw as for {@link drawCall}
 * @param {string} kind
 * @param {number} [depth] callbacks around the call
 * @returns {{do: string}}
 */
export const drawCallOf = (draw, kind, depth = 0) => ({
  do: kind,
  ...ARGUMENTS[kind]?.(draw, depth)
})

/** Objects for `extended`; the keys of each dictionary are sorted, as bencode requires. */
const DICTIONARIES = [
  {},
  { m: {} },
  { m: { ut_metadata: 3, ut_pex: 1 }, metadata_size: 31235, p: 6881, v: 'wire 1' },
  { added: '', list: [1, 'two', [3], { four: 4 }], n: 0, v: 'd\u00e9j\u00e0 vu' },
  { msg_type: 0, piece: 12 }
]

const drawRequest = (draw, depth) => {
  const { random, asked } = draw
  const block = asked.length && random.chance(0.1) ? random.pick(asked) : drawBlock(random)
  asked.push(block)
  return { ...block, ...drawCallback(draw, depth) }
}

const drawCallback = (draw, depth) => {
  if (draw.random.chance(0.15)) return { callback: false }
  if (depth > 1 || !draw.random.chance(draw.profile.callbackCalls)) return { callback: true }
  const count = draw.random.between(1, 2)
  const place = { inHandler: true, depth: depth + 1, endings: draw.random.chance(0.1) }
  return { callback: true, inside: draw.random.times(count, () => drawCall(draw, place)) }
}

const drawCancel = ({ random, asked }) =>
  asked.length && random.chance(0.7) ? random.pick(asked) : drawBlock(random)

const drawSentPiece = ({ random }) => {
  const { piece, offset, length } = drawBlock(random)
  return {
    piece,
    offset,
    block: { size: random.chance(0.1) ? 0 : length, fill: random.below(256) }
  }
}

const drawExtended = ({ random }) => ({
  id: random.below(256),
  ...(random.chance(0.5)
    ? { payload: drawPayload(random, 30) }
    : { dictionary: random.pick(DICTIONARIES) })
})

/**
 * Draws a `read`, of everything buffered or of some bytes.
 *
 * @param {{random: import('../random.mjs').Random}} draw
 * @returns {{size: number | null}}
 */
export const drawRead = ({ random }) => ({
  size: random.chance(0.5) ? null : random.between(1, 100)
})

/** More than a pipe buffers, but always below the 1 MiB at which our wire holds requests. */
const drawBurst = (draw) => {
  const isLarge = !draw.hasBurst && draw.random.chance(0.2)
  if (isLarge) draw.hasBurst = true
  return isLarge ? { size: 16384, blocks: 45 } : { size: draw.random.between(1, 3000), blocks: 20 }
}

const drawTimeout = ({ random }) => ({
  ms: random.chance(0.15) ? 0 : random.pick([701, 701, 701, 1301, 2503, 5003]),
  listens: random.chance(0.3)
})

/** An array of the caller to replace the wire's. */
export const OWN_PIECES = { property: 'peerPieces', value: [true, false, true] }

/** Properties that callers of the original can assign. */
const ASSIGNMENTS = [
  { property: 'amChoking', value: false },
  { property: 'amChoking', value: true },
  { property: 'amInterested', value: true },
  { property: 'amInterested', value: false },
  { property: 'peerChoking', value: false },
  { property: 'peerInterested', value: true },
  { property: 'uploaded', value: 1000 },
  { property: 'downloaded', value: 0 },
  OWN_PIECES,
  { property: 'peerExtensions', value: { dht: true, extended: false } }
]

const ARGUMENTS = {
  handshake: ({ random }) => ({
    infoHash: { size: 20, fill: random.below(256) },
    peerId: { size: 20, fill: random.below(256) },
    texts: random.chance(0.4),
    extensions: random.pick([null, {}, { dht: true }, { dht: false }])
  }),
  have: ({ random }) => ({ piece: random.chance(0.1) ? 2 ** 32 - 1 : random.below(1000) }),
  bitfield: ({ random }) => ({ bits: drawPayload(random, 12) }),
  request: drawRequest,
  piece: drawSentPiece,
  cancel: drawCancel,
  port: ({ random }) => ({ port: random.pick([0, 1, 6881, 65535]) }),
  extended: drawExtended,
  assign: ({ random }) => random.pick(ASSIGNMENTS),
  respond: ({ random }) => ({
    pick: random.below(8),
    how: random.pick(['data', 'data', 'twice', 'error', 'wrong'])
  }),
  burst: drawBurst,
  keepAlive: ({ random }) => ({ on: random.pick([true, true, undefined, false]) }),
  timeout: drawTimeout,
  end: ({ random }) => (random.chance(0.2) ? { messages: [{ type: 'have', piece: 7 }] } : {}),
  read: drawRead,
  'second wire': ({ random, drawMessages }) => ({ messages: drawMessages(random.between(1, 4)) }),
  write: ({ random, drawMessages }) => ({ messages: drawMessages(random.between(1, 2)) })
}
