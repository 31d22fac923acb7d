// Generates random valid sessions of a bittorrent-protocol wire as plain data.

import { randomFrom } from '../random.mjs'
import { drawCall, drawCallOf, drawHandshakeCall } from './calls.mjs'
import {
  drawHandshake,
  drawMessageOf,
  drawMessages,
  EXTENSION_NAMES,
  FAST_TYPES
} from './peer-messages.mjs'

/** Parameters of each flavour of session: numbers are probabilities, pairs are ranges. */
const PROFILES = {
  plain: { cuts: { whole: 1 }, encrypted: 0 },
  chunked: { cuts: { whole: 1, random: 6, bytes: 1 }, encrypted: 0.1, hold: 0.5 },
  encrypted: { cuts: { whole: 6, random: 6, bytes: 1 }, encrypted: 1, reactions: [0, 2] },
  handlers: {
    cuts: { whole: 3, random: 2 },
    encrypted: 0.15,
    reactions: [2, 8],
    callbackCalls: 0.5
  },
  lifecycle: {
    cuts: { whole: 3, random: 2 },
    encrypted: 0.3,
    readers: { flow: 6, late: 1, never: 1 },
    reactions: [0, 4],
    callbackCalls: 0.3,
    endings: true,
    lateEnding: 0.5,
    violations: 0.25
  },
  timers: {
    cuts: { whole: 3, random: 1 },
    encrypted: 0.1,
    reactions: [0, 3],
    callbackCalls: 0.4,
    timers: 1,
    lateEnding: 0.4
  }
}

/** Names of the flavours of sessions. */
export const FLAVOURS = Object.keys(PROFILES)

const DEFAULTS = {
  lastPiece: 2 ** 32 - 1,
  readers: { flow: 1 },
  hold: 0,
  reactions: [0, 0],
  callbackCalls: 0.1,
  lateEnding: 0.2,
  violations: 0,
  timers: 0,
  endings: false
}

/**
 * A session as plain data.
 *
 * @typedef {object} Session
 * @property {number} seed
 * @property {string} flavour one of {@link FLAVOURS}
 * @property {string} type of the connection, the first argument of the constructor
 * @property {number} level of encryption, the second one
 * @property {null | object} exchange what the peer does in a key exchange, if there is one
 * @property {object[]} steps done one by one: `exchange`, `receive` (messages of the peer, cut into
 *   chunks), `call`, `tick`, `advance` (time)
 * @property {object[]} reactions calls inside a handler: in the `nth` event of a name, or of any
 * @property {string[]} answers what the `'request'` handler does with each request in turn
 * @property {string} reader how the output is read: at once, late or never
 * @property {boolean} isPlainBytes whether chunks are written as Uint8Array instead of Buffer
 * @property {boolean} extended whether the wire is of a subclass that overrides methods
 * @property {boolean} replaces whether methods of the wire are replaced by others that call them
 * @property {string[]} unheard events without a listener
 */

/**
 * Makes the session of a seed.
 *
 * @param {number} seed
 * @param {string} flavour one of {@link FLAVOURS}
 * @returns {Session}
 */
export const makeSession = (seed, flavour) => {
  const draw = startDraw(seed, flavour)
  const { random, profile } = draw
  return {
    seed,
    flavour,
    type: draw.type,
    level: draw.level,
    exchange: draw.exchange,
    // An exchange goes on only if somebody reads.
    reader: draw.exchange ? 'flow' : random.weighted(profile.readers),
    isPlainBytes: random.chance(0.3),
    extended: random.chance(0.1),
    replaces: random.chance(0.1),
    unheard: random.chance(0.2) ? random.times(4, () => random.pick(REACTIVE_EVENTS)) : [],
    answers: random.times(5, () => random.pick(ANSWERS)),
    steps: [...drawOpening(draw), ...drawSteps(draw), ...drawEnding(draw)],
    reactions: random.times(random.between(...profile.reactions), () => drawReaction(draw))
  }
}

const startDraw = (seed, flavour) => {
  const random = randomFrom(seed, flavour)
  const profile = { ...DEFAULTS, ...PROFILES[flavour] }
  const level = random.chance(profile.encrypted) ? random.between(1, 2) : random.pick(PLAIN_LEVELS)
  const type = random.pick(level > 0 ? TCP_TYPES : TYPES)
  const isEncrypted = level > 0 && random.chance(profile.encrypted ? 0.85 : 0)
  const weAnnounceFast = random.chance(0.6)
  const peerAnnouncesFast = random.chance(0.75)
  const draw = {
    random,
    profile,
    level,
    type,
    weAnnounceFast,
    peerAnnouncesFast,
    isFast: weAnnounceFast && peerAnnouncesFast,
    asked: [],
    peerAsked: []
  }
  draw.exchange = isEncrypted ? drawExchange(draw) : null
  return draw
}

const TCP_TYPES = ['tcpIncoming', 'tcpOutgoing', 'utpIncoming', 'utpOutgoing']
const TYPES = ['', 'webrtc', ...TCP_TYPES]
const PLAIN_LEVELS = [0, 0, 0, 1, 2]
const ANSWERS = ['data', 'data', 'hold', 'hold', 'hold', 'error', 'twice']

const drawPad = (random) =>
  random.weighted({ none: 2, some: 3, most: 1 }) === 'none' ? { size: 0, fill: 0 } : somePad(random)

const somePad = (random) => ({
  size: random.chance(0.1) ? 512 : random.between(1, 300),
  fill: random.below(256)
})

const drawExchange = ({ random, type, level, profile }) => {
  const initiates = type.includes('Incoming')
  const fails = random.chance(profile.violations)
  const early = !initiates && random.chance(0.05)
  return {
    initiates,
    // The original takes the pad of a key that comes early for the rest of another key.
    fails,
    keyPad: early ? { size: 0, fill: 0 } : drawPad(random),
    methodPad: drawPad(random),
    // Ours fails with the first wrong byte, and reads nothing after it: rule `failed-at-once`.
    ahead: initiates && !fails && random.chance(0.4),
    provide: fails
      ? random.pick([0, 1, 4])
      : random.pick(level === 2 ? [2, 3, 6, 7] : [1, 2, 3, 7]),
    select: fails ? random.pick([0, 2, 4]) : random.pick(level === 2 ? [2] : [1, 2]),
    verification: !fails || random.chance(0.5),
    loses: fails && initiates && random.chance(0.3),
    answersPlainly: !initiates && random.chance(0.15),
    early,
    namesLater: random.chance(0.4),
    upper: random.chance(0.3)
  }
}

/** Handshakes and first messages in the orders that real peers use, so that requests start soon. */
const drawOpening = (draw) => {
  const { random, exchange, profile } = draw
  const calls = []
  for (const name of EXTENSION_NAMES) {
    if (random.chance(0.3)) calls.push({ ...drawCallOf(draw, 'use'), name })
  }
  if (random.chance(0.3)) calls.push(drawCallOf(draw, 'assign'))
  const ours = { do: 'handshake', ...drawHandshakeCall(draw) }
  const greetsFirst = random.chance(0.5)
  const isOverExchange = exchange !== null
  if (random.chance(profile.timers * 0.85)) calls.push(drawCallOf(draw, 'setTimeout'))
  if (random.chance(profile.timers * 0.5)) calls.push({ do: 'setKeepAlive', on: true })
  const theirs = drawHandshake(random, draw.peerAnnouncesFast)
  if (isOverExchange) return [...calls.map(callStep), ...encryptedOpening(draw, ours, theirs)]
  if (greetsFirst) calls.push(ours)
  const steps = [
    ...calls.map(callStep),
    greetingStep(draw, [theirs, ...drawFirst(draw, greetsFirst)])
  ]
  return greetsFirst ? steps : [...steps, ...answerTo(draw, ours)]
}

/** Without our handshake there is no fast extension yet. */
const answerTo = (draw, ours) => [
  callStep(ours),
  ...(draw.random.chance(0.8) ? [callStep({ do: 'unchoke' })] : []),
  receiveStep(draw, drawFirst(draw, true))
]

const drawFirst = (draw, isAgreed) => {
  const { random } = draw
  const first = []
  if (random.chance(0.5)) {
    const isShort = draw.isFast && isAgreed && random.chance(0.5)
    first.push(drawMessageOf(draw, isShort ? random.pick(['have-all', 'have-none']) : 'bitfield'))
  }
  if (random.chance(0.5)) first.push(drawMessageOf(draw, 'extended'))
  if (random.chance(0.9)) first.push({ type: 'unchoke' })
  return first
}

/** Where the handshake of the peer comes with step 3, it is part of the exchange. */
const encryptedOpening = (draw, ours, theirs) => {
  const { random, exchange } = draw
  exchange.handshake = theirs
  exchange.ours = random.chance(0.8) ? ours : null
  const sizes = exchange.fails ? [] : CUTS[random.weighted(draw.profile.cuts)](random)
  const step = { step: 'exchange', sizes }
  const later = exchange.ours ? [] : [callStep(ours)]
  const greeting = exchange.ahead ? [] : [greetingStep(draw, [theirs])]
  return [step, ...greeting, ...later, receiveStep(draw, drawFirst(draw, true))]
}

const drawSteps = (draw) => draw.random.times(draw.random.between(5, 20), () => drawStep(draw))

const drawStep = (draw) => {
  const { random, profile } = draw
  if (random.chance(profile.violations * 0.05)) return drawViolation(draw)
  const kind = random.weighted({ receive: 6, call: 8, tick: 2, advance: profile.timers * 7 })
  return STEPS[kind](draw)
}

/** What ends a wire silently. */
const drawViolation = (draw) => {
  const type = draw.random.pick(FAST_TYPES)
  return receiveStep(draw, [drawMessageOf(draw, type)])
}

const callStep = (call) => ({ step: 'call', call })

const receiveStep = (draw, messages) => {
  const { random, profile } = draw
  return {
    step: 'receive',
    messages,
    sizes: CUTS[random.weighted(profile.cuts)](random),
    hold: random.chance(profile.hold) ? random.between(1, 12) : 0
  }
}

/** Whole where it is the plain answer to an exchange: the rule `plain-answer-early`. */
const greetingStep = (draw, messages) => {
  const step = receiveStep(draw, messages)
  const { level, type, exchange } = draw
  const isAnswer = level > 0 && type.includes('Outgoing')
  return isAnswer && (!exchange || exchange.answersPlainly) ? { ...step, sizes: [], hold: 0 } : step
}

const STEPS = {
  receive: (draw) => receiveStep(draw, drawMessages(draw, draw.random.between(1, 7))),
  call: (draw) =>
    callStep(drawCall(draw, { endings: draw.profile.endings && draw.random.chance(0.2) })),
  tick: () => ({ step: 'tick' }),
  advance: ({ random }) => ({
    step: 'advance',
    ms: random.pick(random.chance(0.6) ? SHORT_TIMES : LONG_TIMES)
  })
}

/** Durations around the timeouts and the keep-alive interval, in ms. */
const SHORT_TIMES = [1, 20, 300, 350, 399, 400, 401, 700, 701, 702, 1302, 2600]
const LONG_TIMES = [20_000, 30_000, 54_999, 55_000, 55_001, 110_000]

const CUTS = {
  whole: () => [],
  bytes: () => [1],
  random: (random) => random.times(random.between(1, 4), () => random.between(1, 60))
}

const drawEnding = (draw) => {
  if (!draw.random.chance(draw.profile.lateEnding)) return []
  return [callStep({ do: draw.random.pick(['end', 'destroy', 'destroy']) }), { step: 'tick' }]
}

const drawReaction = (draw) => {
  const { random, profile } = draw
  const event = random.chance(0.4) ? 'any' : random.pick(REACTIVE_EVENTS)
  const place = { endings: profile.endings || random.chance(0.1) }
  const calls = random.times(random.between(1, 3), () => drawCall(draw, place))
  const nth = event === 'any' ? random.below(25) : random.pick([0, 0, 1, 2])
  return { event, nth, calls }
}

const REACTIVE_EVENTS = [
  'handshake',
  'choke',
  'unchoke',
  'interested',
  'uninterested',
  'have',
  'bitfield',
  'request',
  'piece',
  'cancel',
  'port',
  'extended',
  'keep-alive',
  'unknownmessage',
  'suggest',
  'have-all',
  'have-none',
  'reject',
  'allowed-fast',
  'upload',
  'download',
  'timeout',
  'extension',
  'callback',
  'crypto-handshake',
  'finish',
  'end',
  'close'
]
