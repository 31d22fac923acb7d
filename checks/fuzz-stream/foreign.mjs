// Calls of a wire's methods on objects that are no wires of it.
import { PassThrough } from 'node:stream'

const ID = Buffer.alloc(20)

/** Methods with arguments that a wire takes. */
const CALLS = {
  bitfield: [ID],
  cancel: [1, 2, 3],
  choke: [],
  destroy: [],
  end: [],
  extended: [0, ID],
  handshake: [ID, ID],
  have: [7],
  interested: [],
  piece: [1, 2, Buffer.alloc(5000)],
  port: [6881],
  read: [],
  request: [1, 2, 3],
  resume: [],
  setKeepAlive: [],
  setTimeout: [1000],
  stats: [],
  unchoke: [],
  uninterested: [],
  unpipe: [],
  write: [ID]
}

/** What a method is called on, in place of its wire. */
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
  const name = random.pick(Object.keys(CALLS))
  const receiver = RECEIVERS[random.pick(Object.keys(RECEIVERS))](wire)
  return () => wire[name].apply(receiver, CALLS[name])
}
