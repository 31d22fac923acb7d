// Compares what two implementations did in one session, except for intended differences.

import { differenceAt, explain, findByte, findEntry } from './differences.mjs'
import { runSession } from './session-runner.mjs'

/**
 * Every documented difference that these sessions could meet, named as in docs/compat.md. `normalised`
 * ones are excluded from the comparison and counted; `avoided` ones occur in no session.
 */
export const RULES = [
  {
    name: 'close-once',
    kind: 'normalised',
    reason: "the original emits 'close' on each destroy() and once more after the end"
  },
  {
    name: 'nothing-after-destroy',
    kind: 'normalised',
    reason: 'after destroy() in a handler the original still parses and emits the rest of the chunk'
  },
  {
    name: 'joined-output',
    kind: 'normalised',
    reason: 'the original emits each frame as a chunk; the bytes sent up to each tick are compared'
  },
  {
    name: 'truncated-told',
    kind: 'normalised',
    reason: 'the original treats an end inside a message as a clean one'
  },
  {
    name: 'answered-by-piece',
    kind: 'avoided',
    reason: 'the original never drops a request that piece() has answered'
  },
  {
    name: 'respond-by-identity',
    kind: 'avoided',
    reason: 'the original treats an answer as that of the oldest equal request, and so loses others'
  },
  {
    name: 'response-length',
    kind: 'normalised',
    reason:
      'the original sends what does not fit the request, and so is given a refusal in its place'
  },
  {
    name: 'timeout-while-pending',
    kind: 'avoided',
    reason:
      'the original may leave the oldest request without a timer if setTimeout() is called while it is timed'
  },
  {
    name: 'keep-alive-after-end',
    kind: 'avoided',
    reason: 'the original leaves a timer running forever'
  },
  {
    name: 'bitfield-buffer',
    kind: 'avoided',
    reason: 'the original sends an empty frame for a plain Buffer'
  },
  {
    name: 'sorted-keys',
    kind: 'avoided',
    reason: 'the original keeps the order of the keys of a dictionary'
  },
  {
    name: 'arguments-checked',
    kind: 'avoided',
    reason: 'the original half-applies wrong arguments'
  },
  { name: 'listener-throws', kind: 'avoided', reason: 'the original is stuck in the chunk' },
  { name: 'message-too-short', kind: 'avoided', reason: 'the original throws out of the stream' },
  { name: 'handshake-checked', kind: 'avoided', reason: 'the original takes any protocol string' },
  { name: 'bounded', kind: 'avoided', reason: 'the original has no limits' },
  {
    name: 'empty-request',
    kind: 'avoided',
    reason: 'the original emits a request for no bytes, which throws in usual stores'
  },
  { name: 'held-requests', kind: 'avoided', reason: 'the original has no backlog' }
]

/**
 * Runs a session on both implementations.
 *
 * @param {{original: Function, ours: Function}} implementations
 * @param {object} session of `makeSession`
 * @returns {Promise<{difference: null | object, counts: Record<string, number>}>} the first
 *   difference, and counts of what occurred in ours and of the rules applied
 */
export const compareSession = async ({ original, ours }, session) => {
  const expected = await runSession(original, session, { refusesWrongAnswers: true })
  const actual = await runSession(ours, session)
  const counts = { ...actual.counts, ...countRules(expected, actual) }
  return { difference: findDifference(expected, actual), counts }
}

/**
 * Formats a report: the seed, the difference, and the session as found and as shrunk.
 *
 * @param {{original: Function, ours: Function}} implementations
 * @param {object} session
 * @param {object} difference
 * @returns {Promise<string>}
 */
export const explainDifference = (implementations, session, difference) =>
  explain(
    async (candidate) => (await compareSession(implementations, candidate)).difference,
    session,
    difference
  )

const countRules = ({ closes, destroyed, chunks }, actual) => ({
  'rule close-once': closes > 1 ? 1 : 0,
  'rule nothing-after-destroy': destroyed?.eventsAfter ? 1 : 0,
  'rule joined-output': chunks === actual.chunks ? 0 : 1
})

const findDifference = (expected, actual) => {
  const thrown = expected.entries.findIndex((entry) => entry.startsWith('throws'))
  if (thrown >= 0) return differenceAt(thrown, expected.entries[thrown], 'a session that is valid')
  if (actual.closes > 1) return differenceAt(-1, "'close' once", `'close' ${actual.closes} times`)
  if (expected.destroyed?.eventsAfter) return findDifferenceUntilDestroy(expected, actual)
  return findEntry(expected.entries, actual.entries) ?? findByte(expected.output, actual.output)
}

/** The rule `nothing-after-destroy`: all must be equal up to it, and bytes already sent must arrive. */
const findDifferenceUntilDestroy = (expected, actual) => {
  const { entries, output } = expected.destroyed
  const before = findEntry(expected.entries.slice(0, entries), actual.entries.slice(0, entries))
  if (before) return before
  if (actual.destroyed.eventsAfter)
    return differenceAt(entries, 'nothing after destroy()', 'an event')
  return findByte(expected.output.subarray(0, output), actual.output.subarray(0, output))
}
