// Makes the scripted calls of a session on a bittorrent-protocol wire, from outside and inside handlers.

import { bytesOf } from '../messages.mjs'
import { clock } from './clock.mjs'
import { makeScripting } from '../sessions/scripting.mjs'
import { count } from '../sessions/session-log.mjs'
import { note } from './state.mjs'

/**
 * Makes a call and records its start, its end, what it returns and what it throws.
 *
 * @param {object} run of `runSession`
 * @param {{do: string}} call
 */
export const performCall = (run, call) => {
  if (run.over) return
  const kind = call.do
  run.entries.push(`> ${kind}`)
  count(run, `call ${kind}`)
  if (run.depth) count(run, `call in handler ${kind}`)
  run.calls++
  try {
    CALLS[kind](run, call)
  } catch (error) {
    run.entries.push(`throws ${error.name} ${error.message}`)
    // The session is wrong if the original stumbles over it.
    if (error.constructor !== Error) run.stumbled = error.stack
  }
  run.calls--
  run.entries.push(`< ${kind}`)
}

/**
 * Makes calls inside a handler.
 *
 * @param {object} run of `runSession`
 * @param {{do: string}[]} calls
 */
export const performInside = (run, calls) => {
  const outside = run.calls
  run.depth++
  run.calls = 0
  for (const call of calls) performCall(run, call)
  run.calls = outside
  run.depth--
}

const answer = (run, accepted, how) => {
  const [piece, offset, length, callback] = accepted
  if (isOfOther(run.wire, accepted, how)) return
  const isOpen = run.wire.peerRequests.some((open) => open.callback === callback)
  count(run, `respond ${isOpen ? how : 'too late'}`)
  if (how === 'error') callback(new Error('no such block'))
  else callback(null, blockOf(run, { size: length, fill: (piece + offset) & 255 }))
}

const blockOf = (run, payload) => {
  const bytes = bytesOf(payload)
  return run.accepted.length % 2 ? bytes : new Uint8Array(bytes)
}

/**
 * Whether the original would treat it as the answer to another request, or to two: rule `respond-by-identity`.
 */
const isOfOther = ({ peerRequests }, [piece, offset, length, callback], how) => {
  const equal = peerRequests.filter((open) => isSame(open, piece, offset, length))
  if (how === 'error' && equal.length > 1) return true
  return equal.length > 0 && equal[0].callback !== callback
}

const isSame = (open, piece, offset, length) =>
  open.piece === piece && open.offset === offset && open.length === length

const FORMS = {
  hex: (bytes) => bytes.toString('hex'),
  upper: (bytes) => bytes.toString('hex').toUpperCase(),
  Buffer: (bytes) => bytes,
  Uint8Array: (bytes) => new Uint8Array(bytes),
  object: (bytes) => ({ buffer: new Uint8Array(bytes) })
}

const handshake = ({ wire }, { infoHash, peerId, as, extensions }) => {
  const [hash, id] = [bytesOf(infoHash), bytesOf(peerId)].map(FORMS[as])
  if (extensions) wire.handshake(hash, id, extensions)
  else wire.handshake(hash, id)
}

/** Sends a block unless a request for it is open: the rule `answered-by-piece`. */
const piece = ({ wire }, { piece: index, offset, block }) => {
  const bytes = bytesOf(block)
  if (wire.peerRequests.some((open) => isSame(open, index, offset, bytes.length))) return
  wire.piece(index, offset, bytes)
}

/** Extensions are classes with a name on the prototype. */
const use = (run, { name, kind }) => {
  const number = run.extensions++
  const tell = (method, values) => {
    note(run, `extension ${number} ${name} ${method}`, values)
    count(run, `extension ${method}`)
    // Not while the wire is about to choose an id.
    if (method !== 'constructor') react(run, 'extension')
  }
  run.wire.use(EXTENSIONS[kind](run, name, tell))
  run.entries.push(`used ${typeof run.wire[name].onMessage} ${run.wire[name].number}`)
}

const makeWhole = (run, name, tell) => {
  class Extension {
    constructor(wire) {
      this.wire = wire
      this.number = 7
      tell('constructor', [wire === run.wire])
    }
    onHandshake(...values) {
      tell('onHandshake', values)
    }
    onExtendedHandshake(...values) {
      tell('onExtendedHandshake', values)
    }
    onMessage(...values) {
      tell('onMessage', values)
    }
  }
  Extension.prototype.name = name
  return Extension
}

/** The name is a getter; it adds a field to the handshake, and answers. */
const makeSending = (run, name, tell) =>
  class {
    constructor(wire) {
      this.wire = wire
      wire.extendedHandshake.metadata_size = 4321
    }
    get name() {
      return name
    }
    onExtendedHandshake(theirs) {
      tell('onExtendedHandshake', [theirs])
      this.wire.extended(name, { msg_type: 0, piece: 3 })
    }
    onMessage(bytes) {
      tell('onMessage', [bytes])
      this.wire.extended(5, bytes)
    }
  }

const EXTENSIONS = {
  whole: makeWhole,
  getter: (run, name, tell) => {
    const Extension = makeWhole(run, '', tell)
    Object.defineProperty(Extension.prototype, 'name', { get: () => name })
    return Extension
  },
  bare: (run, name) => {
    class Extension {
      isBare = true
    }
    Extension.prototype.name = name
    return Extension
  },
  sends: makeSending
}

const setTimeoutOf = ({ wire }, { ms, unref }) => wire.setTimeout(ms, unref)

const end = (run) => {
  run.ended = true
  count(run, run.depth ? 'path end in a handler' : 'path end')
  run.wire.end()
}

const destroy = (run) => {
  count(run, run.depth ? 'path destroy in a handler' : 'path destroy')
  if (run.ended) count(run, 'path destroy again')
  run.ended = true
  const returned = run.wire.destroy(new Error('ignored'))
  run.entries.push(`returned ${returned === run.wire ? 'the wire' : typeof returned}`)
}

const assign = ({ wire }, { property, value }) => {
  // The two implementations must not share an object.
  wire[property] = structuredClone(value)
}

/** Takes a request out of a list as extensions and users do. */
const forget = ({ wire }, { list, at, how }) => {
  // The peer must hear of it: the rule `forgotten-rejected`.
  if (list === 'peerRequests' && wire.hasFast) return
  const requests = wire[list]
  const forgotten = requests[at]
  if (forgotten === undefined) return
  if (how === 'splice') requests.splice(at, 1)
  else if (how === 'new array') wire[list] = requests.filter((one) => one !== forgotten)
  else if (at === requests.length - 1) requests.pop()
  else requests[at] = requests.pop()
  if (list === 'requests') wire._callback(forgotten, new Error('taken out'), null)
}

/** Later the rule `coarse-speeds` applies: whether a tick more or less has passed is a matter of rounding. */
const speeds = ({ wire, entries }) => {
  const values = [wire.uploadSpeed(), wire.downloadSpeed()]
  entries.push(`speeds ${clock.now < 700 ? values : values.map((value) => typeof value)}`)
}

/** No calls are made before a key exchange, where they would send messages as if there was none. */
const isReady = (run) => run.isReady

const { request, respond, ...scripting } = makeScripting({ performInside, note, answer, isReady })

export const { acceptRequest, react } = scripting

const CALLS = {
  handshake,
  choke: ({ wire }) => wire.choke(),
  unchoke: ({ wire }) => wire.unchoke(),
  interested: ({ wire }) => wire.interested(),
  uninterested: ({ wire }) => wire.uninterested(),
  have: ({ wire }, { piece: index }) => wire.have(index),
  bitfield: ({ wire }, { bits, as }) => wire.bitfield(FORMS[as](bytesOf(bits))),
  request,
  piece,
  cancel: ({ wire }, { piece: index, offset, length }) => wire.cancel(index, offset, length),
  port: ({ wire }, { port }) => wire.port(port),
  extended: ({ wire }, { id, payload, dictionary }) =>
    wire.extended(id, payload ? bytesOf(payload) : dictionary),
  keepAlive: ({ wire }) => wire.keepAlive(),
  suggest: ({ wire }, { piece: index }) => wire.suggest(index),
  haveAll: ({ wire }) => wire.haveAll(),
  haveNone: ({ wire }) => wire.haveNone(),
  reject: ({ wire }, { piece: index, offset, length }) => wire.reject(index, offset, length),
  allowedFast: ({ wire }, { piece: index }) => wire.allowedFast(index),
  use,
  respond,
  assign,
  forget,
  speeds,
  // After the end the original leaves a timer running: the rule `keep-alive-after-end`.
  setKeepAlive: ({ wire, ended }, { on }) => ended || wire.setKeepAlive(on),
  setTimeout: setTimeoutOf,
  startEncryption: ({ wire }, { infoHash }) => wire.startEncryption(infoHash),
  setInfoHash: ({ wire }, { infoHash }) => wire.setInfoHash(infoHash),
  end,
  destroy
}

/** Names of all calls in sessions. */
export const CALL_KINDS = Object.keys(CALLS)
