// Compares what two implementations did in one session, except for intended differences.

import { inTurn } from '../in-turn.mjs'
import { describeSession } from './session-text.mjs'
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
 * Shrinks a session by leaving things out, as long as the two still differ.
 *
 * @param {{original: Function, ours: Function}} implementations
 * @param {object} session one in which they differ
 * @returns {Promise<object>}
 */
const shrinkSession = async (implementations, session) => {
  const smaller = await inTurn(smallerSessions(session), async (candidate) => {
    const { difference } = await compareSession(implementations, candidate)
    return difference && candidate
  })
  return smaller ? shrinkSession(implementations, smaller) : session
}

/**
 * Formats a report: the seed, the difference, and the session as found and as shrunk.
 *
 * @param {{original: Function, ours: Function}} implementations
 * @param {object} session
 * @param {object} difference
 * @returns {Promise<string>}
 */
export const explainDifference = async (implementations, session, difference) => {
  const smaller = await shrinkSession(implementations, session)
  const again = (await compareSession(implementations, smaller)).difference
  return [
    `PWP_SEED=${session.seed} PWP_CASES=1 runs this case again`,
    describeDifference(difference),
    describeSession(session),
    '',
    again ? 'Smaller session with a difference:' : 'The difference did not recur:',
    describeDifference(again ?? difference),
    describeSession(smaller)
  ].join('\n')
}

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

const findEntry = (expected, actual) => {
  const count = Math.max(expected.length, actual.length)
  for (let at = 0; at < count; at++) {
    if (expected[at] !== actual[at]) {
      return { ...differenceAt(at, expected[at], actual[at]), before: expected.slice(at - 4, at) }
    }
  }
  return null
}

const findByte = (expected, actual) => {
  if (expected.equals(actual)) return null
  let at = 0
  while (expected[at] === actual[at]) at++
  return differenceAt(at, show(expected, at), show(actual, at), 'byte of output')
}

const show = (output, at) =>
  `${output.length} bytes, here ${output.subarray(at, at + 40).toString('hex')}`

const differenceAt = (at, expected, actual, what = 'entry') => ({ at, expected, actual, what })

const describeDifference = ({ at, expected, actual, what, before = [] }) =>
  [
    `First difference at ${what} ${at}:`,
    ...before.map((entry) => `            ${entry}`),
    `  original: ${expected}`,
    `  ours:     ${actual}`
  ].join('\n')

/** Sessions with one part removed, the largest parts first. */
function* smallerSessions(session) {
  for (const steps of withoutOne(session.steps)) {
    if (beginsWithHandshake(steps)) yield { ...session, steps }
  }
  for (const reactions of withoutOne(session.reactions)) yield { ...session, reactions }
  yield* eachReplaced(session, 'steps', smallerSteps)
  yield* eachReplaced(session, 'reactions', smallerReactions)
  if (session.unheard.length) yield { ...session, unheard: [] }
  if (session.reader !== 'flow') yield { ...session, reader: 'flow' }
}

const beginsWithHandshake = (steps) => {
  const first = steps.find((step) => step.step === 'receive')
  return !first || first.messages[0]?.type === 'handshake'
}

function* withoutOne(items) {
  for (let at = items.length - 1; at >= 0; at--) yield items.toSpliced(at, 1)
}

function* eachReplaced(session, field, smallerItems) {
  for (const [at, item] of session[field].entries()) {
    for (const smaller of smallerItems(item)) {
      yield { ...session, [field]: session[field].with(at, smaller) }
    }
  }
}

function* smallerSteps(step) {
  if (step.messages) {
    for (const messages of withoutOne(step.messages)) {
      if (step.messages[0].type === messages[0]?.type || !isGreeting(step))
        yield { ...step, messages }
    }
    if (step.sizes.length) yield { ...step, sizes: [] }
    if (step.hold) yield { ...step, hold: 0 }
    if (step.ticks) yield { ...step, ticks: false }
  }
  if (step.call?.inside) yield { ...step, call: { ...step.call, inside: undefined } }
}

const isGreeting = (step) => step.messages[0].type === 'handshake'

function* smallerReactions(reaction) {
  if (reaction.calls.length > 1) {
    for (const calls of withoutOne(reaction.calls)) yield { ...reaction, calls }
  }
}
