// What a session schedules: calls at events, our requests with their callbacks, and answers to those of the peer.
import { encodeMessage } from '../messages.mjs'
import { count } from './session-log.mjs'

/**
 * Encodes messages of the peer and counts them as delivered.
 *
 * @param {object} run of `runSession`
 * @param {object[]} messages
 * @returns {Buffer}
 */
export const encodeAll = (run, messages) => {
  for (const { type } of messages) count(run, `message ${type}`)
  return Buffer.concat(messages.map(encodeMessage))
}

/**
 * @param {object} how a kind of wire does it
 * @param {(run: object, calls: {do: string}[]) => void} how.performInside makes calls inside a handler
 * @param {(run: object, title: string, values: unknown[]) => void} how.note records what happens
 * @param {(run: object, accepted: unknown[], how: string) => void} how.answer a request of the peer
 * @param {(run: object) => boolean} [how.isReady] whether calls are made at events
 */
export const makeScripting = ({ performInside, note, answer, isReady = () => true }) => {
  /** Makes the calls that the session schedules for this event. */
  const react = (run, event) => {
    if (!isReady(run)) return
    const total = run.eventCounts.any++
    const nth = run.eventCounts[event] ?? 0
    run.eventCounts[event] = nth + 1
    for (const reaction of run.session.reactions) {
      if (reaction.event === event && reaction.nth === nth) performInside(run, reaction.calls)
      if (reaction.event === 'any' && reaction.nth === total) performInside(run, reaction.calls)
    }
  }

  /**
   * Records a request of the peer, so that later calls can answer it.
   *
   * @returns {() => void} does what the session schedules for it
   */
  const acceptRequest = (run, args) => {
    const { answers } = run.session
    const how = answers[run.accepted.length % answers.length]
    run.accepted.push(args)
    run.labels.set(args[3], `respond ${run.accepted.length}`)
    return () => performInside(run, [{ do: 'respond', pick: run.accepted.length - 1, how }])
  }

  const request = (run, { piece, offset, length, callback, inside = [] }) => {
    if (callback) run.wire.request(piece, offset, length, makeCallback(run, inside))
    else run.wire.request(piece, offset, length)
  }

  const makeCallback = (run, inside) => {
    const label = `callback ${run.callbacks++}`
    const callback = (...args) => {
      note(run, label, args)
      count(run, `callback ${args[0]?.message ?? 'with a block'}`)
      react(run, 'callback')
      performInside(run, inside)
    }
    run.labels.set(callback, label)
    return callback
  }

  const respond = (run, { pick, how }) => {
    if (!run.accepted.length || how === 'hold') return
    const accepted = run.accepted[pick % run.accepted.length]
    answer(run, accepted, how)
    if (how === 'twice') answer(run, accepted, how)
  }

  return { acceptRequest, react, request, respond }
}
