// Sums up what occurred in all sessions of a run, and reports what occurred too rarely.

import { MESSAGE_TYPES } from '../messages.mjs'
import { RULES } from './comparison.mjs'
import { CALL_KINDS } from './session-calls.mjs'
import { READER_KINDS } from './session-readers.mjs'
import { EVENTS } from './session-runner.mjs'

/** Number of cases that the numbers below assume; they scale down with fewer cases. */
const FULL_RUN = 6000

/** Below this share of a full run, rare things may be missing by chance. */
const MIN_SHARE = 0.1

/**
 * @param {string} prefix
 * @param {unknown[]} names
 * @param {number} times
 * @returns {[string, number][]} a number of occurrences for each name
 */
export const withPrefix = (prefix, names, times) =>
  names.map((name) => [`${prefix} ${name}`, times])

/** Minimum number of occurrences in a full run. */
const REQUIRED = [
  ...withPrefix('message', MESSAGE_TYPES, 1500),
  ...withPrefix('event', without(EVENTS, ['error', 'timeout']), 800),
  ['event timeout', 300],
  ...withPrefix('call', CALL_KINDS, 30),
  ...withPrefix('call in handler', without(CALL_KINDS, ['resume']), 10),
  ...withPrefix('reader', READER_KINDS, 25),
  ['callback with a block', 1000],
  ['callback peer is choking', 1000],
  ['callback request was cancelled', 200],
  ['callback request has timed out', 300],
  ['callback wire is closed', 1000],
  ...withPrefix('respond', ['data', 'error', 'twice', 'too late', 'wrong'], 1000),
  ...withPrefix('path', ['end', 'destroy'], 300),
  ...withPrefix('path', ['end in a handler', 'destroy in a handler', 'destroy again'], 15),
  ...withPrefix(
    'path',
    ['piped input', 'write inside a handler', 'write after the end', 'second wire'],
    100
  ),
  ...withPrefix('path', ['paused read', 'paused read of nothing'], 80),
  ...withPrefix('rule', namesOf('normalised'), 20)
]

/** Counts of all sessions of a run. */
export class Coverage {
  #counts = {}
  #required

  /** @param {[string, number][]} [required] minimum number of occurrences in a full run */
  constructor(required = REQUIRED) {
    this.#required = required
  }

  /** @param {Record<string, number>} counts of one session */
  add(counts) {
    for (const [key, times] of Object.entries(counts)) {
      this.#counts[key] = (this.#counts[key] ?? 0) + times
    }
  }

  /**
   * Lists what occurred less often than required.
   *
   * @param {number} cases that were run
   * @returns {string[]}
   */
  findGaps(cases) {
    const share = Math.min(1, cases / FULL_RUN)
    if (share < MIN_SHARE) return []
    const rare = this.#required.filter(([key, times]) => this.#timesOf(key) < times * share)
    return rare.map(
      ([key, times]) => `${key}: ${this.#timesOf(key)} times, wanted ${Math.ceil(times * share)}`
    )
  }

  #timesOf(key) {
    return this.#counts[key] ?? 0
  }
}

function without(names, unwanted) {
  return names.filter((name) => !unwanted.includes(name))
}

function namesOf(kind) {
  return RULES.filter((rule) => rule.kind === kind).map(({ name }) => name)
}
