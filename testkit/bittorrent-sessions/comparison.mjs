// Compares what two implementations of bittorrent-protocol did in one session, except for intended differences.

import { differenceAt, explain, findByte, findEntry } from '../sessions/differences.mjs'
import { runSession } from './runner.mjs'

/**
 * Every documented difference that these sessions could meet, named as in docs/compat-bittorrent-protocol.md.
 * `normalised` ones are excluded from the comparison and counted; `avoided` ones occur in no session.
 */
export const RULES = []

/**
 * Runs a session on both implementations.
 *
 * @param {{original: Function, ours: Function}} implementations classes of wires
 * @param {object} session of `makeSession`
 * @returns {Promise<{difference: null | object, counts: Record<string, number>}>} the first
 *   difference, and counts of what occurred in ours and of the rules applied
 */
export const compareSession = async ({ original, ours }, session) => {
  const expected = await runSession(original, session)
  const actual = await runSession(ours, session)
  return { difference: findDifference(expected, actual), counts: actual.counts }
}

/**
 * Formats a report of a difference, with a smaller session that has one, too.
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

const findDifference = (expected, actual) => {
  if (expected.stumbled) return differenceAt(-1, expected.stumbled, 'a session that is valid')
  return findEntry(expected.entries, actual.entries) ?? findByte(expected.output, actual.output)
}
