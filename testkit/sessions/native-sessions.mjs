// Sessions that a native wire can have: without what only a stream can do.
import { makeSession } from './sessions.mjs'

/** Flavours whose sessions are not about streams. */
export const NATIVE_FLAVOURS = ['plain', 'chunked', 'handlers', 'timers']

/** What follows an end in later ticks precedes that a chunk is known to be read, which takes turns of the event loop. */
const ENDS = new Set(['destroy'])

/** Calls of the readable and the writable side, and those that reach a wire at once. */
const OF_STREAMS = new Set([
  'burst',
  'end',
  'pause',
  'pipe',
  'read',
  'resume',
  'second wire',
  'unpipe',
  'write'
])

/**
 * Makes the session of a seed, as `makeSession()` does.
 *
 * @param {number} seed
 * @param {string} flavour one of {@link NATIVE_FLAVOURS}
 * @returns {import('./sessions.mjs').Session}
 */
export const makeNativeSession = (seed, flavour) => {
  const session = makeSession(seed, flavour)
  const steps = session.steps.filter(
    ({ step, call }) => step !== 'read' && (step !== 'call' || isPossible(call))
  )
  for (const { call } of steps) strip(call)
  for (const reaction of session.reactions) reaction.calls = stripAll(reaction.calls)
  return {
    ...session,
    steps,
    reader: 'flow',
    pipedInput: false,
    feedsSecondWire: false,
    writesLate: false
  }
}

const isPossible = ({ do: kind }) => !OF_STREAMS.has(kind)

const stripAll = (calls) => {
  const left = calls.filter((call) => isPossible(call) && !ENDS.has(call.do))
  for (const call of left) strip(call)
  return left
}

const strip = (call) => {
  if (call?.inside !== undefined) call.inside = stripAll(call.inside)
}
