// Draws random local calls on a bittorrent-protocol wire, as plain data.

import { drawPayload } from '../sessions/peer-messages.mjs'
import { drawBlock, EXTENSION_NAMES } from './peer-messages.mjs'

const WEIGHTS = {
  handshake: 1,
  choke: 4,
  unchoke: 7,
  interested: 4,
  uninterested: 4,
  have: 4,
  bitfield: 3,
  request: 18,
  piece: 4,
  cancel: 6,
  port: 2,
  extended: 8,
  keepAlive: 2,
  use: 2,
  respond: 12,
  assign: 2,
  forget: 2,
  suggest: 1,
  haveAll: 1,
  haveNone: 1,
  reject: 1,
  allowedFast: 1
}

const FAST_WEIGHTS = { suggest: 4, haveAll: 3, haveNone: 3, reject: 5, allowedFast: 8 }
const TIMER_WEIGHTS = { setKeepAlive: 10, setTimeout: 6, speeds: 6, request: 90 }
const ENDING_WEIGHTS = { end: 4, destroy: 6 }

/**
 * Draws one call.
 *
 * @param {object} draw of `makeSession`
 * @param {{depth?: number, endings?: boolean}} [place] `depth` counts the callbacks around the call,
 *   `endings` allows `end` and `destroy`
 * @returns {{do: string}}
 */
export const drawCall = (draw, { depth = 0, endings = false } = {}) => {
  const { random, profile, isFast } = draw
  const kind = random.weighted({
    ...WEIGHTS,
    ...(profile.greetsOnce ? { handshake: 0 } : {}),
    ...(isFast ? FAST_WEIGHTS : {}),
    ...(profile.timers ? TIMER_WEIGHTS : {}),
    ...(endings ? ENDING_WEIGHTS : {})
  })
  return drawCallOf(draw, kind, depth)
}

/**
 * Draws the values for a call of one kind.
 *
 * @param {object} draw of `makeSession`
 * @param {string} kind
 * @param {number} [depth] callbacks around the call
 * @returns {{do: string}}
 */
export const drawCallOf = (draw, kind, depth = 0) => ({
  do: kind,
  ...ARGUMENTS[kind]?.(draw, depth)
})

/** Objects for `extended`. */
const DICTIONARIES = [
  {},
  { m: { ut_metadata: 3, ut_pex: 1 }, metadata_size: 31235, p: 6881, v: 'wire 1' },
  { b: 1, a: [1, 'two', [3], { four: 4 }], n: -5, v: 'd\u00e9j\u00e0 vu' },
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
  const place = { depth: depth + 1, endings: draw.random.chance(0.1) }
  const inside = draw.random.times(draw.random.between(1, 2), () => drawCall(draw, place))
  return { callback: true, inside }
}

const drawKnown = (random, blocks) =>
  blocks.length && random.chance(0.7) ? random.pick(blocks) : drawBlock(random)

const drawSentPiece = ({ random }) => {
  const { piece, offset, length } = drawBlock(random)
  const size = random.chance(0.1) ? 0 : length
  return { piece, offset, block: { size, fill: random.below(256) } }
}

const drawExtended = ({ random }) => ({
  id: random.chance(0.6) ? random.pick(EXTENSION_NAMES) : random.between(1, 255),
  ...(random.chance(0.5)
    ? { payload: drawPayload(random, 30) }
    : { dictionary: random.pick(DICTIONARIES) })
})

/** Properties that users write. */
const ASSIGNMENTS = [
  { property: 'amChoking', value: false },
  { property: 'amChoking', value: true },
  { property: 'amInterested', value: true },
  { property: 'amInterested', value: false },
  { property: 'peerChoking', value: false },
  { property: 'peerInterested', value: true },
  { property: 'uploaded', value: 1000 },
  { property: 'downloaded', value: 0 },
  { property: 'type', value: 'webSeed' },
  { property: 'isSeeder', value: true },
  { property: 'extendedHandshake', value: { reqq: 7, v: 'ours', metadata_size: 12 } },
  { property: 'extendedHandshake', value: { upload_only: 1 } }
]

const ARGUMENTS = {
  handshake: (draw) => drawHandshakeCall(draw),
  have: ({ random, profile }) => ({
    piece: random.chance(0.1) ? profile.lastPiece : random.below(1000)
  }),
  bitfield: ({ random }) => ({
    bits: drawPayload(random, 12),
    as: random.pick(['Buffer', 'Uint8Array', 'object'])
  }),
  request: drawRequest,
  piece: drawSentPiece,
  cancel: ({ random, asked }) => drawKnown(random, asked),
  port: ({ random }) => ({ port: random.pick([0, 1, 6881, 65535]) }),
  extended: drawExtended,
  use: ({ random }) => ({
    name: random.pick(EXTENSION_NAMES),
    kind: random.pick(['whole', 'whole', 'getter', 'bare', 'sends'])
  }),
  respond: ({ random }) => ({
    pick: random.below(8),
    how: random.pick(['data', 'data', 'twice', 'error'])
  }),
  assign: ({ random }) => random.pick(ASSIGNMENTS),
  forget: ({ random }) => ({
    list: random.pick(['requests', 'requests', 'peerRequests']),
    at: random.below(3),
    how: random.pick(['swap', 'splice', 'new array'])
  }),
  suggest: ({ random }) => ({ piece: random.below(5) }),
  allowedFast: ({ random }) => ({ piece: random.below(5) }),
  reject: ({ random, peerAsked }) => drawKnown(random, peerAsked),
  setKeepAlive: ({ random }) => ({ on: random.pick([true, true, undefined, false]) }),
  setTimeout: ({ random }) => ({
    ms: random.chance(0.15) ? 0 : random.pick([701, 701, 701, 1301, 2503, 5003]),
    unref: random.pick([true, false, undefined])
  })
}

/**
 * Draws a handshake of ours. It always announces the fast extension, or never, as the session decides.
 *
 * @param {object} draw of `makeSession`
 */
export const drawHandshakeCall = ({ random, weAnnounceFast }) => {
  const dht = random.pick([undefined, true, false])
  return {
    infoHash: { size: 20, fill: random.below(256) },
    peerId: { size: 20, fill: random.below(256) },
    as: random.pick(['hex', 'upper', 'Buffer', 'Uint8Array']),
    extensions: weAnnounceFast
      ? { dht, fast: true }
      : random.pick([undefined, {}, { dht }, { dht, fast: false }])
  }
}
