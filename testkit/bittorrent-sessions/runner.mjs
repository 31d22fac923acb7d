// Runs a session on one implementation of bittorrent-protocol and records everything that a caller could see.

import { inTurn } from '../in-turn.mjs'
import { cut, encodeMessage } from '../messages.mjs'
import { encodeAll } from '../sessions/scripting.mjs'
import { count, INPUT_EVENTS } from '../sessions/session-log.mjs'
import { clock, inFakeTime } from './clock.mjs'
import { Exchange, INFO_HASH, TORRENT_NAME } from './exchange.mjs'
import { acceptRequest, performCall, performInside, react } from './performing.mjs'
import { longSnapshot, note, snapshot } from './state.mjs'

/** Names of all recorded events. */
export const EVENTS = [
  ...INPUT_EVENTS,
  'suggest',
  'have-all',
  'have-none',
  'reject',
  'allowed-fast',
  'upload',
  'timeout',
  'crypto-infohash',
  'crypto-handshake',
  'finish',
  'end',
  'close',
  'error'
]

/**
 * Everything observed in a session.
 *
 * @typedef {object} Result
 * @property {string[]} entries events, callbacks and calls in order, each with the public state
 * @property {Buffer} output payload sent
 * @property {Record<string, number>} counts how often each kind of thing occurred
 * @property {string | undefined} stumbled the stack of an unexpected error
 */

/**
 * Runs a session.
 *
 * @param {Function} Wire the class
 * @param {import('./sessions.mjs').Session} session
 * @returns {Promise<Result>}
 */
export const runSession = (Wire, session) =>
  inFakeTime(async () => {
    const run = startRun(Wire, session)
    await inTurn(session.steps, (step) => STEPS[step.step](run, step))
    return finishRun(run)
  })

const startRun = (Wire, session) => {
  const Class = session.extended ? extend(Wire) : Wire
  const run = {
    wire: new Class(session.type, session.level),
    session,
    entries: [],
    counts: {},
    eventCounts: { any: 0 },
    kept: [],
    labels: new Map(),
    accepted: [],
    callbacks: 0,
    extensions: 0,
    depth: 0,
    calls: 0,
    output: [],
    written: 0,
    held: Buffer.alloc(0),
    exchange: null,
    isReady: session.exchange === null,
    ended: false,
    over: false
  }
  run.wire.on('crypto-handshake', () => (run.isReady = true))
  run.wire.on('finish', () => (run.ended = true))
  for (const name of EVENTS) {
    if (!session.unheard.includes(name)) run.wire.on(name, (...args) => onEvent(run, name, args))
  }
  if (session.replaces) replaceMethods(run)
  if (session.reader === 'flow') startReading(run)
  count(run, `reader ${session.reader}`)
  count(run, `level ${session.level}`)
  count(run, `type ${session.type}`)
  return run
}

/** As web seeds do: own state, and methods that do more. */
const extend = (Wire) =>
  class extends Wire {
    own = 1
    have(...args) {
      this.own++
      super.have(...args)
    }
    destroy() {
      const result = super.destroy()
      this.own = null
      return result
    }
  }

/** As an extension in the field does. */
const replaceMethods = (run) => {
  for (const name of ['_onRequest', '_onPiece', '_onCancel']) {
    const method = run.wire[name]
    run.wire[name] = function replaced(...args) {
      // The rule `choked-requests`.
      if (name !== '_onRequest' || !isIgnored(run.wire, args[0])) {
        // Without the state: the rule `cancelled-first`.
        run.entries.push(`replaced ${name} ${args.map((value) => value.length ?? value)}`)
        count(run, `path replaced ${name}`)
      }
      method.apply(run.wire, args)
    }
  }
}

const isIgnored = (wire, piece) =>
  wire.amChoking && !(wire.hasFast && wire.allowedFastSet.includes(piece))

const onEvent = (run, name, args) => {
  if (run.over) return
  count(run, `event ${name}`)
  const answer = name === 'request' ? acceptRequest(run, args) : () => {}
  if (name === 'bitfield') run.entries.push(`its pieces ${args[0] === run.wire.peerPieces}`)
  note(run, name, args)
  answer()
  react(run, name)
}

const startReading = (run) => {
  run.wire.on('data', (chunk) => {
    // Whoever sends must be able to attach a listener for the answer after the call.
    if (run.calls) run.entries.push('output inside a call')
    collect(run, run.exchange ? run.exchange.take(chunk) : chunk)
  })
}

const collect = (run, bytes) => {
  run.output.push(Buffer.from(bytes))
  run.written += bytes.length
}

/** Waits for a turn of the event loop, in which everything due happens. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

const feed = (run, bytes, sizes) =>
  inTurn(cut(bytes, sizes), async (chunk) => {
    if (run.ended) return
    run.wire.write(run.session.isPlainBytes ? new Uint8Array(chunk) : Buffer.from(chunk))
    await settle()
  })

const receive = async (run, { messages, sizes, hold }) => {
  if (run.ended || run.exchange?.isVoid) return
  const bytes = Buffer.concat([run.held, encodeAll(run, messages)])
  const ready = Math.max(0, bytes.length - hold)
  run.held = bytes.subarray(ready)
  const payload = bytes.subarray(0, ready)
  await feed(run, run.exchange ? run.exchange.encode(payload) : payload, sizes)
  run.entries.push(`received ${snapshot(run)}`)
}

const tick = async (run) => {
  await settle()
  run.entries.push(`tick: sent ${run.written} ${snapshot(run)} ${longSnapshot(run)}`)
}

const call = async (run, step) => {
  performCall(run, step.call)
  run.entries.push(`state ${snapshot(run)}`)
  // The two kinds of streams begin with what is written at other times.
  await settle()
}

const advance = async (run, { ms }) => {
  await settle()
  await clock.advance(ms, settle, true)
  await tick(run)
}

/** Exchanges keys, as the plan of the session says, and greets once the wire may. */
const exchangeKeys = async (run, { sizes }) => {
  const plan = run.session.exchange
  const tell = (text) => run.entries.push(`exchange: ${text}`)
  const exchange = new Exchange(plan, encodeMessage(plan.handshake), tell)
  run.exchange = exchange
  listenTo(run, plan)
  count(run, `path exchange as ${plan.initiates ? 'responder' : 'initiator'}`)
  await feed(run, exchange.begin(), sizes)
  if (!plan.initiates) performCall(run, { do: 'startEncryption', infoHash: hashOf(plan) })
  await settle()
  if (plan.answersPlainly && !plan.early) {
    exchange.giveUp()
    count(run, 'path plain answer')
    return
  }
  await goOn(run, exchange, sizes)
  if (exchange.isDone) collect(run, exchange.rest())
  else exchange.isVoid = true
  count(run, `path exchange ${exchange.isVoid ? 'void' : 'done'}`)
}

const hashOf = ({ upper }) => {
  const hex = INFO_HASH.toString('hex')
  return upper ? hex.toUpperCase() : hex
}

const listenTo = (run, plan) => {
  run.wire.on('crypto-infohash', (name) => {
    run.entries.push(`asked for the torrent ${name === TORRENT_NAME}`)
    if (plan.namesLater) run.isAsked = true
    else performInside(run, [{ do: 'setInfoHash', infoHash: hashOf(plan) }])
  })
  run.wire.on('crypto-handshake', () => {
    if (plan.ours) performInside(run, [plan.ours])
  })
}

const goOn = async (run, exchange, sizes) => {
  const bytes = exchange.step()
  if (bytes !== null) await feed(run, bytes, sizes)
  await settle()
  if (!run.isAsked && bytes === null) return
  if (run.isAsked) {
    run.isAsked = false
    performCall(run, { do: 'setInfoHash', infoHash: hashOf(run.session.exchange) })
    await settle()
  }
  await goOn(run, exchange, sizes)
}

const STEPS = { receive, tick, call, advance, exchange: exchangeKeys }

const finishRun = async (run) => {
  if (run.session.reader === 'late') startReading(run)
  await tick(run)
  run.entries.push(`timers left: ${clock.pending}`)
  for (const [bytes, hex] of run.kept) {
    if (Buffer.from(bytes).toString('hex') !== hex)
      run.entries.push(`changed after its event: ${hex}`)
  }
  run.over = true
  // Inside fake time, so that no timer outlives the session.
  run.wire.destroy()
  await settle()
  const { entries, counts, stumbled } = run
  return { entries, counts, stumbled, output: Buffer.concat(run.output) }
}
