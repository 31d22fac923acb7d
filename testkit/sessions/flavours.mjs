// Runs the random sessions of a differential test, flavour by flavour.
import { inTurn } from '../in-turn.mjs'
import { SEED } from '../settings.mjs'

/**
 * @param {object} implementations that are compared
 * @param {number} cases of each flavour
 * @param {object} kind of sessions
 * @param {(seed: number, flavour: string) => object} kind.makeSession
 * @param {Function} kind.compareSession
 * @param {Function} kind.explainDifference
 * @returns {(flavour: string) => Promise<{failure: unknown, counts: object[]}>} runs the sessions of a flavour, once
 *   for all tests, up to the first that differs
 */
export const flavourRunner = (
  implementations,
  cases,
  { makeSession, compareSession, explainDifference }
) => {
  const runs = {}

  const compareSessions = async (flavour) => {
    const counts = []
    const failure = await inTurn(Array(cases).keys(), async (index) => {
      const session = makeSession((SEED + index) >>> 0, flavour)
      const outcome = await compareSession(implementations, session)
      counts.push(outcome.counts)
      const { difference } = outcome
      return difference && explainDifference(implementations, session, difference)
    })
    return { failure, counts }
  }

  return (flavour) => (runs[flavour] ??= compareSessions(flavour))
}
