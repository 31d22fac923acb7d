// Formats a session as text, for the report of a difference.

import { describeField, describeMessage } from '../messages.mjs'

/**
 * A session as lines of text.
 *
 * @param {object} session
 * @returns {string}
 */
export const describeSession = (session) =>
  [
    ...describeSettings(session),
    ...session.steps.map((step, at) => `${at}: ${describeStep(step)}`),
    ...session.reactions.map(
      ({ event, nth, calls }) => `in ${event} #${nth}: ${describeCalls(calls)}`
    )
  ].join('\n')

const describeSettings = ({ seed, flavour, steps, reactions, ...settings }) => [
  `${flavour} session of seed ${seed}, ${steps.length} steps, ${reactions.length} reactions`,
  ...Object.entries(settings).map(([name, value]) => `${name}: ${describeSetting(value)}`)
]

const describeSetting = (value) =>
  value === null || Array.isArray(value) || typeof value !== 'object'
    ? String(value)
    : JSON.stringify(value)

const describeMessages = (messages) => messages.map(describeMessage).join(', ')

const describeCalls = (calls) => calls.map(describeCall).join('; ')

/**
 * One call as text.
 *
 * @param {{do: string}} call
 * @returns {string}
 */
const describeCall = ({ do: kind, inside, messages, ...fields }) => {
  const values = Object.values(fields).map(describeField).join(', ')
  const given = messages ? describeMessages(messages) : values
  return `${kind}(${given})${inside ? ` { ${describeCalls(inside)} }` : ''}`
}

const describeReceive = ({ messages, sizes, hold, ticks }) => {
  const cut = sizes.length ? `, cut at ${sizes}` : ''
  const held = hold ? `, last ${hold} bytes held back` : ''
  return `receive [${describeMessages(messages)}]${cut}${held}${ticks ? ', a tick after each' : ''}`
}

const describeStep = (step) => DESCRIPTIONS[step.step](step)

const DESCRIPTIONS = {
  receive: describeReceive,
  call: ({ side, call }) => `${side === undefined ? '' : `on side ${side} `}${describeCall(call)}`,
  connect: () => 'connect',
  tick: () => 'tick',
  read: ({ size }) => `read(${size ?? ''})`,
  advance: ({ ms }) => `advance ${ms} ms`,
  exchange: ({ sizes }) => `exchange${sizes.length ? `, cut at ${sizes}` : ''}`
}
