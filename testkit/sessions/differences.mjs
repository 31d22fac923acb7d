// Finds the first difference between two runs of a session, and the smallest session that still has one.

import { inTurn } from '../in-turn.mjs'
import { describeSession } from './session-text.mjs'

/**
 * Formats a report: the seed, the difference, and the session as found and as shrunk.
 *
 * @param {(session: object) => Promise<object | null>} differenceIn
 * @param {object} session one with a difference
 * @param {object} difference
 * @returns {Promise<string>}
 */
export const explain = async (differenceIn, session, difference) => {
  const smaller = await shrink(differenceIn, session)
  const again = await differenceIn(smaller)
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

/** Leaves things out as long as the two still differ. */
const shrink = async (differenceIn, session) => {
  const smaller = await inTurn(
    smallerSessions(session),
    async (candidate) => (await differenceIn(candidate)) && candidate
  )
  return smaller ? shrink(differenceIn, smaller) : session
}

/**
 * @param {string[]} expected
 * @param {string[]} actual
 * @returns {object | null} the first entry in which they differ
 */
export const findEntry = (expected, actual) => {
  const count = Math.max(expected.length, actual.length)
  for (let at = 0; at < count; at++) {
    if (expected[at] !== actual[at]) {
      return { ...differenceAt(at, expected[at], actual[at]), before: expected.slice(at - 4, at) }
    }
  }
  return null
}

/**
 * @param {Buffer} expected
 * @param {Buffer} actual
 * @returns {object | null} the first byte in which they differ
 */
export const findByte = (expected, actual) => {
  if (expected.equals(actual)) return null
  let at = 0
  while (expected[at] === actual[at]) at++
  return differenceAt(at, show(expected, at), show(actual, at), 'byte of output')
}

const show = (output, at) =>
  `${output.length} bytes, here ${output.subarray(at, at + 40).toString('hex')}`

/**
 * @param {number} at
 * @param {unknown} expected
 * @param {unknown} actual
 * @param {string} [what]
 */
export const differenceAt = (at, expected, actual, what = 'entry') => ({
  at,
  expected,
  actual,
  what
})

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
