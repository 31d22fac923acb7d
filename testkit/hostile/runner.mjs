// Writes the input of a hostile peer to a wire and reports whatever the wire does wrong.

import { Readable } from 'node:stream'
import { describeEvent, expectEvents } from './expected-events.mjs'
import { OUR_REQUESTS } from './inputs.mjs'
import { cut } from '../messages.mjs'
import { INPUT_EVENTS } from '../sessions/session-log.mjs'

/**
 * Passes one wire its input. What the wire does in later ticks is left to {@link checkReaction}.
 *
 * @param {Function} createWire
 * @param {object} input of `makeHostileInput`
 * @returns {object} the case
 */
export const startCase = (createWire, input) => {
  const wire = createWire()
  const attempt = {
    input,
    wire,
    expected: expectEvents(input),
    events: [],
    ends: { close: 0, finish: 0, end: 0, error: 0 },
    callbacks: [],
    answers: [],
    problems: []
  }
  const start = performance.now()
  listen(attempt)
  guard(attempt, () => write(attempt))
  expectEqual(attempt, 'takes too long', performance.now() - start > MAX_TIME, false)
  return attempt
}

/**
 * Compares what the wire did with what it should have done, then ends it.
 *
 * @param {object} attempt of {@link startCase}, after a loop
 */
export const checkReaction = (attempt) => {
  const { wire, expected, input } = attempt
  checkEvents(attempt)
  checkState(attempt)
  if (expected.code) checkClosed(attempt)
  else checkOpen(attempt)
  guard(attempt, () => answerSome(attempt))
  guard(attempt, () => wire[input.ending]())
}

/**
 * Checks what must hold at the end of every wire.
 *
 * @param {object} attempt of {@link startCase}, a loop after {@link checkReaction}
 * @returns {string[]} all problems of the case
 */
export const checkEnd = (attempt) => {
  const { ends, callbacks, wire } = attempt
  guard(attempt, () => useClosed(attempt))
  expectEqual(attempt, "number of 'close'", ends.close, 1)
  expectEqual(attempt, "number of 'finish'", ends.finish, 1)
  expectEqual(attempt, "number of 'end'", ends.end, 1)
  expectEqual(attempt, 'destroyed in the end', wire.destroyed, true)
  const wrong = callbacks.filter((calls) => calls !== 1)
  expectEqual(attempt, 'callbacks that were not called once', wrong.length, 0)
  expectEqual(attempt, 'open requests', wire.requests.length + wire.peerRequests.length, 0)
  return attempt.problems
}

/**
 * Describes a case.
 *
 * @param {object} attempt
 * @returns {string}
 */
export const describeCase = ({ input: { bytes, ...input }, problems }) =>
  [
    `PWP_SEED=${input.seed} PWP_CASES=1 runs this case again`,
    ...problems,
    JSON.stringify(input),
    `${bytes.length} bytes: ${bytes.toString('hex', 0, SHOWN_BYTES)}`
  ].join('\n')

/** Chunks written to a wire that has closed: enough to see that it emits nothing more. */
const LATE_CHUNKS = 3

/** Far more than any input takes, in ms. */
const MAX_TIME = 10_000

/** Bytes of an input shown in a report. */
const SHOWN_BYTES = 1000

/** Events that report one message each; `'info-hash'` reports the first part of one. */
export const MESSAGE_EVENTS = [
  ...INPUT_EVENTS.filter((name) => name !== 'download'),
  'info-hash',
  'suggest',
  'have-all',
  'have-none',
  'reject',
  'allowed-fast'
]

/** How many arguments of these events are fields of the message; the others are not. */
const VALUE_COUNTS = { handshake: 2, request: 3 }

/**
 * An emitted event as `expectEvents` writes it.
 *
 * @param {string} name
 * @param {unknown[]} values
 * @returns {string}
 */
export const describeEmitted = (name, values) =>
  describeEvent(name, ...values.slice(0, VALUE_COUNTS[name]))

const listen = (attempt) => {
  const { wire, input } = attempt
  for (const name of MESSAGE_EVENTS) wire.on(name, (...values) => onMessage(attempt, name, values))
  for (const name of ['finish', 'end', 'close']) wire.on(name, () => attempt.ends[name]++)
  for (const name of ['upload', 'download', 'timeout'])
    wire.on(name, () => expectNotClosed(attempt, name))
  wire.on('unchoke', () => request(attempt, OUR_REQUESTS))
  wire.on('request', (piece, offset, length, respond) => {
    const answer = () => respond(null, ZEROS.subarray(0, length))
    if (input.answers) answer()
    else attempt.answers.push(answer)
  })
  if (input.listens) wire.on('error', (error) => onError(attempt, error))
  if (input.asksForFast) wire.handshake(OUR_ID, OUR_ID, { fast: true })
  if (input.unchokes) wire.unchoke()
  wire.resume()
}

const ZEROS = Buffer.alloc(128 * 1024)
const OUR_ID = Buffer.alloc(20, 7)

const onMessage = (attempt, name, values) => {
  expectNotClosed(attempt, name)
  attempt.events.push(describeEmitted(name, values))
}

const onError = (attempt, error) => {
  expectNotClosed(attempt, 'error')
  expectEqual(attempt, "error of 'error'", error, attempt.wire.error)
  attempt.ends.error++
}

const expectNotClosed = (attempt, name) => {
  expectEqual(attempt, `'close' came before '${name}'`, attempt.ends.close, 0)
}

const expectEqual = (attempt, what, actual, expected) => {
  if (actual !== expected) attempt.problems.push(`${what}: ${actual} instead of ${expected}`)
}

const request = ({ wire, callbacks }, blocks) => {
  if (callbacks.length > 100) return
  for (const { piece, offset, length } of blocks) {
    const at = callbacks.push(0) - 1
    wire.request(piece, offset, length, () => callbacks[at]++)
  }
}

/** Sends late answers: most requests of the peer still wait for them, some were cancelled. */
const answerSome = ({ answers }) => {
  for (const answer of answers.slice(0, 3)) answer()
}

/** Writes on: a caller may not know yet that the wire has closed. */
const useClosed = (attempt) => {
  const { wire } = attempt
  request(attempt, OUR_REQUESTS.slice(0, 1))
  answerSome(attempt)
  wire.have(1)
  if (wire.hasFast) {
    wire.haveAll()
    wire.allowedFast(1)
    wire.reject(0, 0, 8)
  }
  wire.setPieces(1)
  wire.unchoke()
  wire.cancel(0, 0, 8)
  wire.choke()
  wire.destroy()
}

const guard = (attempt, act) => {
  try {
    act()
  } catch (error) {
    attempt.problems.push(`throws ${error.stack}`)
  }
}

const write = ({ wire, input }) => {
  const chunks = cut(input.bytes, input.sizes)
  if (wire.transport === 'native') return writeAll(wire, chunks, input.isPiped)
  if (input.isPiped) return Readable.from(chunks, { objectMode: false }).pipe(wire)
  let late = 0
  for (const chunk of chunks) {
    if (wire.destroyed && late++ >= (input.goesOn ? LATE_CHUNKS : 0)) return
    wire.write(chunk)
  }
}

/** By a socket nothing tells a peer when the wire has closed. */
const writeAll = (wire, chunks, ends) => {
  for (const chunk of chunks) wire.write(chunk)
  if (ends) wire.endInput()
}

const checkEvents = (attempt) => {
  const { events, expected } = attempt
  const count = Math.max(events.length, expected.events.length)
  for (let at = 0; at < count; at++) {
    if (events[at] !== expected.events[at]) {
      expectEqual(attempt, `event ${at}`, events[at], expected.events[at])
      return
    }
  }
}

const checkState = (attempt) => {
  const { wire, expected } = attempt
  expectEqual(attempt, 'peerChoking', wire.peerChoking, expected.peerChoking)
  expectEqual(attempt, 'peerInterested', wire.peerInterested, expected.peerInterested)
  expectEqual(attempt, 'downloaded', wire.downloaded, expected.downloaded)
  expectEqual(attempt, 'hasFast', wire.hasFast, expected.hasFast)
  expectEqual(
    attempt,
    'allowed',
    String(wire.peerAllowedFastSet),
    String([...expected.peerAllowed])
  )
  if (!expected.pieces || !attempt.input.looksAtPieces) return
  expectEqual(attempt, 'peerPieces', String(wire.peerPieces), String(expected.pieces))
}

const checkClosed = (attempt) => {
  const { wire, ends, expected, input } = attempt
  expectEqual(attempt, 'code', wire.error?.code, expected.code)
  expectEqual(attempt, 'destroyed', wire.destroyed, true)
  expectEqual(attempt, "number of 'close'", ends.close, 1)
  expectEqual(attempt, "number of 'error'", ends.error, input.listens ? 1 : 0)
}

const checkOpen = (attempt) => {
  const { wire, ends, input, expected } = attempt
  // A source that has ended also ends the wire it is piped into.
  const isTruncated = input.isPiped && expected.isTruncated
  expectEqual(attempt, 'code', wire.error?.code, isTruncated ? 'ERR_PWP_TRUNCATED' : undefined)
  expectEqual(attempt, "number of 'close'", ends.close, input.isPiped ? 1 : 0)
  expectEqual(attempt, "number of 'error'", ends.error, isTruncated && input.listens ? 1 : 0)
}
