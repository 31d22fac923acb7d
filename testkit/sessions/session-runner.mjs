// Runs a session on one implementation of the wire and records everything that a caller could see.

import { Readable } from 'node:stream'
import { FakeClock } from '../fake-clock.mjs'
import { collectGarbage } from '../memory/garbage.mjs'
import { inTurn } from '../in-turn.mjs'
import { cut } from '../messages.mjs'
import { encodeAll } from './scripting.mjs'
import { acceptRequest, performCall, react } from './session-calls.mjs'
import { feedSecondWire } from './second-wire.mjs'
import { finishReading, isDraining, startReading } from './session-readers.mjs'
import { count, INPUT_EVENTS, note, snapshot } from './session-log.mjs'

/**
 * Loads an implementation with the timers of its modules on the fake clock.
 *
 * @param {() => Function} load
 * @returns {Function} makes a wire
 */
export const loadImplementation = (load) => {
  clock.install()
  try {
    return load()
  } finally {
    clock.restore()
  }
}

/**
 * Everything observed in a session.
 *
 * @typedef {object} Result
 * @property {string[]} entries events, callbacks and calls in order, each with the public state
 * @property {Buffer} output bytes sent
 * @property {number} chunks in how many chunks
 * @property {number} closes number of `'close'` events
 * @property {Record<string, number>} counts how often each kind of thing occurred
 * @property {null | {entries: number, output: number, eventsAfter: number}} destroyed how
 *   much there was of each when `destroy()` returned, and the input events after that
 */

/**
 * Runs a session.
 *
 * @param {(options?: object) => import('node:stream').Duplex} createWire
 * @param {import('./sessions.mjs').Session} session
 * @param {{refusesWrongAnswers?: boolean}} [how] refuse instead of giving a wrong answer
 * @returns {Promise<Result>}
 */
export const runSession = async (createWire, session, how = {}) => {
  clock.install()
  try {
    const run = startRun(createWire, session, how)
    await inTurn(session.steps, (step) => STEPS[step.step](run, step))
    return await finishRun(run)
  } finally {
    clock.restore()
  }
}

/** The clock of all sessions, because the timers of modules stay on it. */
export const clock = new FakeClock()

const OTHER_EVENTS = ['upload', 'timeout', 'finish', 'end', 'close', 'error']

/** Names of all recorded events. */
export const EVENTS = [...INPUT_EVENTS, ...OTHER_EVENTS]

const startRun = (createWire, session, { refusesWrongAnswers = false }) => {
  const wire = createWire()
  const run = {
    createWire,
    wire,
    refusesWrongAnswers,
    second: null,
    session,
    entries: [],
    counts: {},
    eventCounts: { any: 0 },
    kept: [],
    labels: new Map(),
    accepted: [],
    callbacks: 0,
    depth: 0,
    output: [],
    written: 0,
    watched: 0,
    sinks: [],
    isPiped: false,
    held: Buffer.alloc(0),
    atBoundary: false,
    timeout: 0,
    ended: false,
    closes: 0,
    destroyed: null,
    over: false,
    isFinal: false,
    arrays: {},
    write: (chunk) => wire.write(chunk)
  }
  connect(run)
  return run
}

const connect = (run) => {
  const { wire, session } = run
  for (const name of EVENTS) {
    if (!session.unheard.includes(name)) wire.on(name, (...args) => onEvent(run, name, args))
  }
  startReading(run)
  if (session.pipedInput) pipeInput(run)
}

const onEvent = (run, name, args) => {
  if (run.over) return
  // See the rule `truncated-told`: the original never has an error.
  if (args[0]?.code === 'ERR_PWP_TRUNCATED') return count(run, 'rule truncated-told')
  // Only the first close counts, and it is not recorded as an event: see the rule `close-once`.
  if (name === 'close' && run.closes++ > 0) return
  if (run.destroyed && INPUT_EVENTS.includes(name)) run.destroyed.eventsAfter++
  count(run, `event ${name}`)
  const answer = name === 'request' ? acceptRequest(run, args) : () => {}
  note(run, name, args)
  answer()
  if (run.session.feedsSecondWire) feedNext(run)
  react(run, name)
}

/** Messages for the second wire: kinds whose values are passed to listeners in different ways. */
const SECOND_MESSAGES = [
  { type: 'have', piece: 77 },
  { type: 'piece', piece: 5, offset: 6, block: { size: 7, fill: 8 } },
  { type: 'request', piece: 9, offset: 10, length: 11 },
  { type: 'bitfield', bits: { size: 3, fill: 200 } }
]

const feedNext = (run) => {
  const at = run.eventCounts.any % SECOND_MESSAGES.length
  feedSecondWire(run, [SECOND_MESSAGES[at]])
}

const pipeInput = (run) => {
  const source = new Readable({ read() {} })
  source.pipe(run.wire)
  run.source = source
  run.write = (chunk) => source.push(chunk)
  count(run, 'path piped input')
}

/** Turns of the event loop after which a slow sink counts as stalled. */
const MAX_LOOPS = 2000

/** Waits until everything due has happened; a slow sink needs a turn of the event loop per chunk. */
const settle = async (run, loops = MAX_LOOPS) => {
  await nextLoop()
  await run.wire.settle?.()
  if (isDraining(run) && loops > 0) await settle(run, loops - 1)
}

const nextLoop = () => new Promise((resolve) => setImmediate(resolve))

/** Returns the bytes to deliver, those held before first, and holds the last ones again. */
const takeInput = (run, { messages, hold }) => {
  const bytes = Buffer.concat([run.held, encodeAll(run, messages)])
  const ready = Math.max(0, bytes.length - hold)
  run.held = bytes.subarray(ready)
  return bytes.subarray(0, ready)
}

const receive = async (run, step) => {
  if (isReadClosed(run)) return
  const chunks = cut(takeInput(run, step), step.sizes)
  await inTurn(chunks.entries(), ([at, chunk]) => {
    if (isReadClosed(run)) return null
    deliver(run, chunk, at === chunks.length - 1)
    if (run.wire.settle !== undefined) return run.wire.settle().then(() => step.ticks && tick(run))
    return step.ticks ? tick(run) : null
  })
  run.entries.push(`received ${snapshot(run)}`)
}

const deliver = (run, chunk, isLast) => {
  if (run.ended) count(run, 'path write after the end')
  run.atBoundary = isLast && !run.held.length && !run.source
  run.write(chunk)
}

/** A source that has ended cannot be written to, but an unpiped socket keeps receiving. */
const isReadClosed = ({ ended, session, source }) => ended && (!session.writesLate || source)

/** Waits for a turn of the event loop. All output must have left by then, so sent bytes are counted here. */
const tick = async (run) => {
  await settle(run)
  run.entries.push(`tick: ${formatOutput(run)} ${snapshot(run)}`)
}

/** While unpiped, nothing is compared: how much the sink had taken before is not specified. */
const formatOutput = ({ session, wire, written, sinks, isPiped }) => {
  if (sinks.length) return isPiped ? `sent ${written}` : 'no pipe'
  const isStill = session.reader === 'paused' || session.reader === 'none'
  return `sent ${written}${isStill ? `, waiting ${wire.readableLength}` : ''}`
}

const call = (run, step) => {
  performCall(run, step.call)
  run.entries.push(`state ${snapshot(run)}`)
}

const read = (run, { size }) => performCall(run, { do: 'read', size })

const advance = async (run, { ms }) => {
  await settle(run)
  await clock.advance(ms, () => settle(run))
  if (run.session.forgets && ms > 1000) collectGarbage()
  await tick(run)
}

const STEPS = { receive, tick, call, read, advance }

const finishRun = async (run) => {
  await tick(run)
  finishReading(run)
  await tick(run)
  run.isFinal = true
  await tick(run)
  run.entries.push(`watched ${run.watched} bytes`)
  if (run.eventCounts.finish) run.entries.push(`timers left: ${clock.pending}`)
  noteChangedBuffers(run)
  run.over = true
  await dispose(run)
  const { entries, counts, closes, destroyed } = run
  const output = Buffer.concat(run.output)
  return { entries, counts, closes, destroyed, output, chunks: run.output.length }
}

const noteChangedBuffers = ({ kept, entries }) => {
  for (const [buffer, hex] of kept) {
    if (buffer.toString('hex') !== hex) entries.push(`changed after its event: ${hex}`)
  }
}

/** Ends the wires while the fake clock is installed, so that no timer outlives the session. */
const dispose = async ({ wire, second }) => {
  wire.destroy()
  second?.destroy()
  await nextLoop()
}
