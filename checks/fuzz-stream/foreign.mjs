// Calls a wire's methods on objects that are not its wires.
import { PassThrough } from 'node:stream'
import { METHOD_CALLS } from '../../testkit/method-calls.mjs'

/** Objects on which a method is called in place of its wire. */
const RECEIVERS = {
  nothing: () => undefined,
  'a function': () => () => {},
  'a stream': () => new PassThrough(),
  'its prototype': (wire) => Object.getPrototypeOf(wire),
  'an object with the core of its session': (wire) => ({ core: wire._getSession().core }),
  'an object with a session of its own making': (wire) => ({
    _getSession: () => ({ ...wire._getSession() })
  })
}

/**
 * @param {object} wire
 * @param {object} random
 * @returns {() => void} a call that must throw
 */
export function drawForeignCall(wire, random) {
  const name = random.pick(Object.keys(METHOD_CALLS))
  const receiver = RECEIVERS[random.pick(Object.keys(RECEIVERS))](wire)
  return () => wire[name].apply(receiver, METHOD_CALLS[name])
}
