// Generates random valid sessions of a wire as plain data: what the peer sends, what the caller does.

import { drawCall, drawCallOf, drawRead, OWN_PIECES } from './calls.mjs'
import { drawHandshake, drawMessages, MESSAGES } from './peer-messages.mjs'
import { randomFrom } from '../random.mjs'

/** Parameters of each flavour of session: numbers are probabilities, pairs are ranges. */
const PROFILES = {
  plain: { cuts: { whole: 1 }, readers: { flow: 4, pipe: 1, none: 1 } },
  chunked: {
    cuts: { whole: 1, random: 5, bytes: 2 },
    readers: { flow: 3, pipe: 1, paused: 1, readable: 1 },
    hold: 0.5
  },
  handlers: {
    cuts: { whole: 3, random: 2 },
    readers: { flow: 4, pipe: 1, paused: 1, none: 1 },
    reactions: [2, 8],
    callbackCalls: 0.5,
    varies: true
  },
  lifecycle: {
    cuts: { whole: 3, random: 2 },
    readers: {
      flow: 4,
      pipe: 3,
      slow: 4,
      'slow and watched': 1,
      'two pipes': 1,
      paused: 3,
      readable: 2,
      none: 3
    },
    hold: 0.2,
    reactions: [0, 4],
    callbackCalls: 0.3,
    pipedInput: 0.25,
    varies: true,
    endings: true,
    lateEnding: 0.5,
    writesLate: 0.2
  },
  timers: {
    cuts: { whole: 3, random: 1 },
    readers: { flow: 1 },
    reactions: [0, 3],
    callbackCalls: 0.4,
    timers: 1,
    forgets: 0.02,
    lateEnding: 0.4
  }
}

/** Names of the flavours of sessions. */
export const FLAVOURS = Object.keys(PROFILES)

/**
 * A session as plain data.
 *
 * @typedef {object} Session
 * @property {number} seed
 * @property {string} flavour one of {@link FLAVOURS}
 * @property {object[]} steps done one by one: `receive` (messages of the peer, cut into
 *   chunks), `call`, `tick`, `advance` (time), `read`
 * @property {object[]} reactions calls inside a handler: in the `nth` event of a name, or of any
 * @property {string[]} answers what the `'request'` handler does with each request in turn
 * @property {string} reader how the output is read
 * @property {number} sinkMark high-water mark of the stream it is piped into
 * @property {boolean} pipedInput whether the input is piped or written
 * @property {number} watchesFrom event from which `peerPieces` is read: the array may be created late
 * @property {boolean} forgets whether nothing keeps the arrays of the wire, and garbage is collected
 * @property {boolean} feedsSecondWire whether each event writes input to a second wire
 * @property {boolean} writesLate whether input is still written after the end
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
  draw.forgets = random.chance(profile.forgets)
  const pipedInput = random.chance(profile.pipedInput)
  const reader = random.weighted(profile.readers)
  draw.profile = {
    ...profile,
    reads: reader === 'paused',
    pauses: profile.varies && reader === 'flow',
    pipes: profile.varies && (reader === 'pipe' || reader === 'slow')
  }
  return {
    seed,
    flavour,
    reader,
    pipedInput,
    sinkMark: random.pick([1, 20, 200, 16384]),
    watchesFrom: random.pick([0, 0, 0, random.below(30), Infinity]),
    writesLate: random.chance(profile.writesLate),
    forgets: draw.forgets,
    feedsSecondWire: random.chance(0.04),
    unheard: random.chance(0.2) ? random.times(4, () => random.pick(REACTIVE_EVENTS)) : [],
    answers: random.times(5, () => random.pick(ANSWERS)),
    steps: [...drawOpening(draw), ...drawSteps(draw), ...drawEnding(draw)],
    reactions: random.times(random.between(...profile.reactions), () => drawReaction(draw))
  }
}

const DEFAULTS = {
  hold: 0,
  reactions: [0, 0],
  callbackCalls: 0.1,
  pipedInput: 0,
  lateEnding: 0.25,
  writesLate: 0,
  forgets: 0,
  varies: false,
  timers: 0,
  endings: false
}

const startDraw = (seed, flavour) => {
  const random = randomFrom(seed, flavour)
  const draw = { random, profile: { ...DEFAULTS, ...PROFILES[flavour] }, asked: [], peerAsked: [] }
  draw.drawMessages = (count) => drawMessages(draw, count)
  return draw
}

const ANSWERS = ['data', 'data', 'hold', 'hold', 'hold', 'error', 'twice', 'wrong']

/** Handshakes and first messages in the orders that real peers use, so that requests start soon. */
const drawOpening = (draw) => {
  const { random } = draw
  const calls = random.times(random.below(3), () => drawCall(draw))
  if (random.chance(0.8)) calls.push({ do: 'unchoke' })
  if (draw.forgets && random.chance(0.5)) calls.push({ do: 'assign', ...OWN_PIECES })
  if (random.chance(draw.profile.timers * 0.85)) calls.push(drawCallOf(draw, 'timeout'))
  if (random.chance(draw.profile.timers * 0.5)) calls.push({ do: 'keepAlive', on: true })
  const first = [drawHandshake(random)]
  if (random.chance(0.5)) first.push(MESSAGES.bitfield(draw))
  if (random.chance(0.92)) first.push({ type: 'unchoke' })
  return [...calls.map(callStep), receiveStep(draw, first)]
}

const drawSteps = (draw) => draw.random.times(draw.random.between(6, 24), () => drawStep(draw))

const drawStep = (draw) => {
  const kind = draw.random.weighted({
    receive: 6,
    call: 8,
    tick: 3,
    read: 2,
    advance: draw.profile.timers * 7
  })
  return STEPS[kind](draw)
}

const callStep = (call) => ({ step: 'call', call })

const receiveStep = (draw, messages) => {
  const { random, profile } = draw
  return {
    step: 'receive',
    messages,
    sizes: CUTS[random.weighted(profile.cuts)](random),
    hold: random.chance(profile.hold) ? random.between(1, 12) : 0,
    ticks: random.chance(0.15)
  }
}

const STEPS = {
  receive: (draw) => receiveStep(draw, draw.drawMessages(draw.random.between(1, 7))),
  call: (draw) =>
    callStep(drawCall(draw, { endings: draw.profile.endings && draw.random.chance(0.25) })),
  tick: () => ({ step: 'tick' }),
  read: (draw) => ({ step: 'read', ...drawRead(draw) }),
  advance: ({ random }) => ({
    step: 'advance',
    ms: random.pick(random.chance(0.6) ? SHORT_TIMES : LONG_TIMES)
  })
}

/** Durations around the timeouts and the keep-alive interval, in ms. */
const SHORT_TIMES = [1, 300, 350, 399, 400, 401, 700, 701, 702, 1302, 2600]
const LONG_TIMES = [20000, 30000, 59999, 60000, 60001, 120000]

const CUTS = {
  whole: () => [],
  bytes: () => [1],
  random: (random) => random.times(random.between(1, 4), () => random.between(1, 40))
}

const drawEnding = (draw) => {
  if (!draw.random.chance(draw.profile.lateEnding)) return []
  return [callStep({ do: draw.random.pick(['end', 'end', 'destroy']) }), { step: 'tick' }]
}

const drawReaction = (draw) => {
  const { random, profile } = draw
  const event = random.chance(0.4) ? 'any' : random.pick(REACTIVE_EVENTS)
  const place = { inHandler: true, endings: profile.endings || random.chance(0.1) }
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
  'unknownmessage',
  'keep-alive',
  'upload',
  'download',
  'timeout',
  'finish',
  'end',
  'close'
]
