// Compares what two implementations of bittorrent-protocol did in one session, except for intended differences.

import { differenceAt, explain, findByte, findEntry } from '../sessions/differences.mjs'
import { runSession } from './runner.mjs'

/**
 * Every documented difference that these sessions could meet, named as in docs/compat-bittorrent-protocol.md. For
 * `given` ones the original does what ours does (see ./original.mjs), `avoided` ones occur in no session.
 */
export const RULES = [
  {
    name: 'requests-in-order',
    kind: 'given',
    reason: 'the original moves the last request to the place of one that has ended'
  },
  {
    name: 'kept-haves',
    kind: 'given',
    reason:
      'the original does not keep what a peer has beyond its bitfield, or beyond 400,000 pieces'
  },
  {
    name: 'cancels-rejected',
    kind: 'given',
    reason: 'the original answers a cancel not at all, where the fast extension asks for a reject'
  },
  {
    name: 'announces-reqq',
    kind: 'given',
    reason: 'the original does not tell how many requests it keeps'
  },
  {
    name: 'timed-while-choked',
    kind: 'given',
    reason: 'with the fast extension the original does not time requests that outlast a choke'
  },
  {
    name: 'exact-timeouts',
    kind: 'given',
    reason:
      'the original lets a timer be up to a twentieth of its time early, also after setTimeout()'
  },
  {
    name: 'ends-once',
    kind: 'given',
    reason: 'the original seems to be choked again on each end() and destroy() until it has ended'
  },
  {
    name: 'bounded',
    kind: 'avoided',
    reason: 'the original has no limits, and reads numbers from 2^31 as negative'
  },
  {
    name: 'respond-by-identity',
    kind: 'avoided',
    reason: 'the original treats an answer as that of the oldest equal request, and so loses others'
  },
  {
    name: 'answered-by-piece',
    kind: 'avoided',
    reason: 'the original keeps a request that piece() has answered'
  },
  {
    name: 'response-length',
    kind: 'avoided',
    reason: 'the original sends an answer of another length than the request'
  },
  {
    name: 'choked-requests',
    kind: 'avoided',
    reason: 'the original calls _onRequest() for requests that it ignores or rejects'
  },
  {
    name: 'cancelled-first',
    kind: 'avoided',
    reason: 'within a replaced _onCancel() the request still waits in the original'
  },
  {
    name: 'forgotten-rejected',
    kind: 'avoided',
    reason: 'the original never rejects a request that was taken out of peerRequests'
  },
  {
    name: 'all-pieces-can-be-lost',
    kind: 'avoided',
    reason: 'the original ignores set(index, false) once the peer has all pieces'
  },
  {
    name: 'plain-answer-early',
    kind: 'avoided',
    reason: "the original emits 'crypto-handshake' only with the whole handshake of the peer"
  },
  {
    name: 'failed-at-once',
    kind: 'avoided',
    reason: 'the original still reads what came with a key exchange that has failed'
  },
  {
    name: 'padded-early-keys',
    kind: 'avoided',
    reason: 'the original loses a key exchange whose other side sends its key and a pad first'
  },
  {
    name: 'keep-alive-after-end',
    kind: 'avoided',
    reason: 'the original leaves a timer running forever'
  },
  {
    name: 'coarse-speeds',
    kind: 'avoided',
    reason:
      'ticks of ours begin at the same time for all wires, those of the original with each wire'
  },
  {
    name: 'extended-handshake-checked',
    kind: 'avoided',
    reason: 'the original takes values that are not a dictionary for an extended handshake'
  },
  {
    name: 'message-too-short',
    kind: 'avoided',
    reason: 'the original reads fields that are not there'
  },
  {
    name: 'arguments-checked',
    kind: 'avoided',
    reason: 'the original half-applies wrong arguments'
  },
  {
    name: 'input-at-once',
    kind: 'avoided',
    reason: 'the original reads what is written in a microtask, ours within write()'
  },
  {
    name: 'destroyed-at-close',
    kind: 'avoided',
    reason: 'the two kinds of streams say at other times that they are destroyed'
  }
]

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
