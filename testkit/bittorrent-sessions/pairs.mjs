// Two bittorrent-protocol wires connected with each other: random calls on both, and all that both tell.

import { inTurn } from '../in-turn.mjs'
import { randomFrom } from '../random.mjs'
import { explain, findEntry } from '../sessions/differences.mjs'
import { drawCall, drawCallOf, drawHandshakeCall } from './calls.mjs'
import { inFakeTime } from './clock.mjs'
import { INFO_HASH, TORRENT_NAME } from './exchange.mjs'
import { acceptRequest, performCall, performInside, react } from './performing.mjs'
import { EVENTS } from './runner.mjs'
import { count } from '../sessions/session-log.mjs'
import { longSnapshot, note, snapshot } from './state.mjs'

/** The peer has limits: larger numbers of pieces, and what looks like a long message, end it by the rule `bounded`. */
const PROFILE = { greetsOnce: true, lastPiece: 399_999, timers: 0, callbackCalls: 0.2 }
const REACTIVE_EVENTS = [
  'handshake',
  'unchoke',
  'interested',
  'request',
  'piece',
  'extended',
  'any'
]
const ANSWERS = ['data', 'data', 'data', 'hold', 'error', 'twice']

/**
 * Makes the session of a seed: what is done on both wires, the first of which has opened the connection.
 *
 * @param {number} seed
 * @returns {object}
 */
export const makePairSession = (seed) => {
  const random = randomFrom(seed, 'pairs')
  const isFast = random.chance(0.6)
  const sides = [0, 1].map(() => makeDraw(random, isFast && random.chance(0.9)))
  for (const draw of sides) draw.isFast = sides.every(({ weAnnounceFast }) => weAnnounceFast)
  const level = random.below(3)
  return {
    seed,
    flavour: 'pairs',
    transport: random.pick(['tcp', 'utp']),
    // The accepting side may want less, but must know exchanges if there is one.
    levels: [level, level === 0 ? random.below(3) : random.between(1, 2)],
    unheard: [],
    reader: 'flow',
    reactions: [],
    sides: sides.map((draw) => ({
      handshake: { do: 'handshake', ...drawHandshakeCall(draw) },
      answers: random.times(5, () => random.pick(ANSWERS)),
      reactions: random.times(random.below(4), () => drawReaction(draw))
    })),
    steps: [
      ...sides.flatMap((draw, side) => drawOpening(draw).map(callOn(side))),
      { step: 'connect' },
      ...sides.flatMap((draw, side) => drawGreeting(draw).map(callOn(side))),
      ...random.times(random.between(6, 24), () => drawStep(random, sides)),
      ...(random.chance(0.5) ? [callOn(random.below(2))({ do: 'destroy' })] : [])
    ]
  }
}

const makeDraw = (random, weAnnounceFast) => ({
  random,
  profile: PROFILE,
  weAnnounceFast,
  asked: [],
  peerAsked: []
})

const callOn = (side) => (call) => ({ step: 'call', side, call })

const drawOpening = (draw) =>
  draw.random.times(draw.random.below(3), () =>
    drawCallOf(draw, draw.random.pick(['use', 'assign']))
  )

const drawGreeting = ({ random }) =>
  ['unchoke', 'interested'].filter(() => random.chance(0.8)).map((kind) => ({ do: kind }))

const drawStep = (random, sides) => {
  const side = random.below(2)
  return callOn(side)(drawCall(sides[side], { endings: random.chance(0.03) }))
}

const drawReaction = (draw) => ({
  event: draw.random.pick(REACTIVE_EVENTS),
  nth: draw.random.below(4),
  calls: draw.random.times(draw.random.between(1, 2), () => drawCall(draw))
})

/**
 * Runs a session.
 *
 * @param {[Function, Function]} classes of the two wires
 * @param {object} session of {@link makePairSession}
 * @returns {Promise<{entries: string[], counts: Record<string, number>, stumbled: string | undefined}>}
 */
export const runPair = (classes, session) =>
  inFakeTime(async () => {
    const entries = []
    const counts = {}
    const runs = classes.map((Wire, side) => startSide(Wire, session, { side, entries, counts }))
    await inTurn(session.steps, async (step) => {
      if (step.step === 'connect') connect(runs, session)
      else performCall(runs[step.side], step.call)
      await carry(runs)
      for (const run of runs) run.entries.push(`state ${snapshot(run)}`)
    })
    for (const run of runs) run.entries.push(`end ${snapshot(run)} ${longSnapshot(run)}`)
    for (const run of runs) run.over = true
    for (const { wire } of runs) wire.destroy()
    await settle()
    return { entries, counts, stumbled: runs.find(({ stumbled }) => stumbled)?.stumbled }
  })

const startSide = (Wire, session, { side, entries, counts }) => {
  const type = `${session.transport}${side === 0 ? 'Outgoing' : 'Incoming'}`
  const { answers, reactions } = session.sides[side]
  const run = {
    wire: new Wire(type, session.levels[side]),
    session: { answers, reactions },
    entries: { push: (text) => entries.push(`${side}: ${text}`) },
    counts,
    eventCounts: { any: 0 },
    kept: [],
    labels: new Map(),
    accepted: [],
    callbacks: 0,
    extensions: 0,
    depth: 0,
    calls: 0,
    isReady: false,
    answer: null,
    queue: [],
    ended: false,
    over: false
  }
  for (const name of EVENTS) run.wire.on(name, (...args) => onEvent(run, name, args))
  run.wire.on('data', (chunk) => run.queue.push(chunk))
  run.wire.on('finish', () => (run.ended = true))
  return run
}

const onEvent = (run, name, args) => {
  if (run.over) return
  count(run, `event ${name}`)
  const answer = name === 'request' ? acceptRequest(run, args) : () => {}
  note(run, name, name === 'crypto-infohash' ? [args[0] === TORRENT_NAME] : args)
  answer()
  if (name === 'handshake' && run.answer) greet(run, run.answer)
  react(run, name)
}

/** Nothing may be sent before the handshake. */
const greet = (run, handshake) => {
  run.answer = null
  performInside(run, [handshake])
  run.isReady = true
}

/** As swarms do: who opens greets first, once it may, and the other one answers. */
const connect = ([first, second], { levels, sides }) => {
  const [greeting, answer] = sides.map(({ handshake }) => handshake)
  second.answer = answer
  if (levels[0] === 0) return greet(first, greeting)
  const infoHash = INFO_HASH.toString('hex')
  first.wire.on('crypto-handshake', () => greet(first, greeting))
  second.wire.on('crypto-infohash', () => {
    performInside(second, [{ do: 'setInfoHash', infoHash }])
  })
  return performCall(first, { do: 'startEncryption', infoHash })
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Takes what one has sent to the other, until both are silent. */
const carry = async (runs) => {
  await settle()
  if (runs.every(({ queue }) => queue.length === 0)) return
  await inTurn(runs, (run) =>
    deliver(
      run,
      runs.find((other) => other !== run)
    )
  )
  await carry(runs)
}

const deliver = (from, to) => {
  const bytes = Buffer.concat(from.queue)
  from.queue = []
  if (bytes.length === 0 || to.ended) return null
  to.wire.write(bytes)
  return settle()
}

/**
 * Runs a session on two wires of the original, and then with wires of ours on either side or both.
 *
 * @param {{original: Function, ours: Function}} implementations
 * @param {object} session of {@link makePairSession}
 * @returns {Promise<{difference: object | null, counts: Record<string, number>}>}
 */
export const comparePairs = async ({ original, ours }, session) => {
  const expected = await runPair([original, original], session)
  const pairs = [
    [ours, ours],
    [original, ours],
    [ours, original]
  ]
  const difference = await inTurn(pairs, async (pair) => {
    const { entries } = await runPair(pair, session)
    return findEntry(expected.entries, entries)
  })
  return { difference, counts: expected.counts, stumbled: expected.stumbled }
}

/** @returns {Promise<string>} a report of a difference, with a smaller session that has one, too */
export const explainPairs = (implementations, session, difference) =>
  explain(
    async (candidate) => (await comparePairs(implementations, candidate)).difference,
    session,
    difference
  )
