// Makes the scripted calls of a session on a wire, from outside and from inside handlers.

import { bytesOf } from '../messages.mjs'
import { readAll } from '../read-all.mjs'
import { feedSecondWire } from './second-wire.mjs'
import { encodeAll, makeScripting } from './scripting.mjs'
import { collect, setPiped } from './session-readers.mjs'
import { count, formatValues, INPUT_EVENTS, note } from './session-log.mjs'

/**
 * Makes a call and records its start, its end and what it throws.
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
  try {
    CALLS[kind](run, call)
  } catch (error) {
    run.entries.push(`throws ${error.message}`)
  }
  run.entries.push(`< ${kind}`)
}

const performInside = (run, calls) => {
  run.depth++
  for (const call of calls) performCall(run, call)
  run.depth--
}

const answer = (run, accepted, how) => {
  const [piece, offset, length, callback] = accepted
  if (isOfOther(run.wire, accepted)) return
  const isOpen = run.wire.peerRequests.some((open) => open.callback === callback)
  count(run, `respond ${isOpen ? how : 'too late'}`)
  if (how === 'wrong') answerWrongly(run, accepted, isOpen)
  else if (how === 'error') callback(new Error('no such block'))
  else callback(null, bytesOf({ size: length, fill: piece + offset }))
}

/** Gives an answer that does not fit. By the rule `response-length` the original gets a refusal instead. */
const answerWrongly = (run, [piece, offset, length, callback], isOpen) => {
  if (run.refusesWrongAnswers) return callback(new Error('no such block'))
  if (isOpen) count(run, 'rule response-length')
  const sized = [length - 1, length + 1, length + 5000].map((size) =>
    bytesOf({ size, fill: offset })
  )
  const answers = [...sized, undefined, null, 'text']
  callback(null, answers[(piece + offset + run.accepted.length) % answers.length])
}

/** Whether the original would treat it as the answer to another request: rule `respond-by-identity`. */
const isOfOther = (wire, [piece, offset, length, callback]) => {
  const isSame = (open) => open.piece === piece && open.offset === offset && open.length === length
  const oldest = wire.peerRequests.find(isSame)
  return oldest !== undefined && oldest.callback !== callback
}

const handshake = ({ wire }, { infoHash, peerId, texts, extensions }) => {
  const hash = bytesOf(infoHash)
  const id = texts ? `-PW0001-${String(peerId.fill).padStart(12, '0')}` : bytesOf(peerId)
  if (extensions) wire.handshake(texts ? hash.toString('hex') : hash, id, extensions)
  else wire.handshake(texts ? hash.toString('hex') : hash, id)
}

/** Avoids the rule `timeout-while-pending`: the original may lose the timer of the oldest request. */
const setTimeoutOf = (run, { ms, listens }) => {
  if (run.wire.requests.length && run.timeout) return
  run.timeout = ms
  if (listens) run.wire.setTimeout(ms, () => note(run, 'timeout listener', []))
  else run.wire.setTimeout(ms)
}

/** Skips a call after the end, where it would differ, for example by the rule `keep-alive-after-end`. */
const unlessEnded = (perform) => (run, call) => {
  if (run.ended) count(run, `skipped ${call.do}`)
  else perform(run, call)
}

const write = (run, { messages }) => {
  if (!run.atBoundary) return
  count(run, 'path write inside a handler')
  run.write(encodeAll(run, messages))
}

/** Restores the pipe first: when an unread wire ends is not specified. */
const beginEnding = (run) => {
  run.ended = true
  if (run.sinks.length) setPiped(run, true)
}

const end = (run, { messages }) => {
  beginEnding(run)
  count(run, run.depth ? 'path end in a handler' : 'path end')
  if (run.source && !run.depth) run.source.push(null)
  else if (messages && run.atBoundary) run.wire.end(encodeAll(run, messages))
  else run.wire.end()
}

const destroy = (run) => {
  beginEnding(run)
  count(run, run.depth ? 'path destroy in a handler' : 'path destroy')
  if (run.destroyed) count(run, 'path destroy again')
  run.wire.destroy()
  if (!run.destroyed) noteDestroyed(run)
}

const noteDestroyed = (run) => {
  const { wire, session, entries } = run
  run.destroyed = {
    entries: entries.length,
    output: run.written + wire.readableLength,
    eventsAfter: 0
  }
  // Events without a listener of the session still show that the original continues.
  for (const event of session.unheard) {
    if (INPUT_EVENTS.includes(event)) wire.on(event, () => run.destroyed.eventsAfter++)
  }
}

const assign = (run, { property, value }) => {
  // The two implementations must not share an array.
  run.wire[property] = structuredClone(value)
  if (property === 'peerPieces') run.arrays.peerPieces = null
}

/** Sends a block unless a request for it is open, to avoid the rule `answered-by-piece`. */
const sendUnasked = (wire, piece, offset, block) => {
  const isSame = (open) =>
    open.piece === piece && open.offset === offset && open.length === block.length
  if (!wire.peerRequests.some(isSame)) wire.piece(piece, offset, block)
}

/** Sends more than a pipe takes at once. */
const burst = ({ wire }, { size, blocks }) => {
  const block = bytesOf({ size, fill: blocks })
  for (let piece = 0; piece < blocks; piece++) sendUnasked(wire, piece, 0, block)
}

const read = (run, { size }) => {
  if (run.session.reader !== 'paused') return
  const chunk = size === null ? readAll(run.wire) : run.wire.read(size)
  const hasRead = chunk !== null && chunk.length > 0
  if (hasRead) collect(run, chunk)
  run.entries.push(`read ${formatValues([chunk])}`)
  count(run, hasRead ? 'path paused read' : 'path paused read of nothing')
}

const speeds = (run) => {
  run.entries.push(`speeds ${formatValues([run.wire.uploadSpeed(), run.wire.downloadSpeed()])}`)
}

const { request, respond, ...scripting } = makeScripting({ performInside, note, answer })

export const { acceptRequest, react } = scripting

const CALLS = {
  handshake,
  choke: ({ wire }) => wire.choke(),
  unchoke: ({ wire }) => wire.unchoke(),
  interested: ({ wire }) => wire.interested(),
  uninterested: ({ wire }) => wire.uninterested(),
  have: ({ wire }, { piece }) => wire.have(piece),
  bitfield: ({ wire }, { bits }) => wire.bitfield({ buffer: bytesOf(bits) }),
  request,
  piece: ({ wire }, { piece, offset, block }) => sendUnasked(wire, piece, offset, bytesOf(block)),
  cancel: ({ wire }, { piece, offset, length }) => wire.cancel(piece, offset, length),
  port: ({ wire }, { port }) => wire.port(port),
  extended: ({ wire }, { id, payload, dictionary }) =>
    wire.extended(id, payload ? bytesOf(payload) : dictionary),
  respond,
  assign,
  read,
  'second wire': (run, { messages }) => feedSecondWire(run, messages),
  keepAlive: unlessEnded(({ wire }, { on }) => wire.setKeepAlive(on)),
  timeout: setTimeoutOf,
  speeds,
  pause: ({ wire }) => wire.pause(),
  resume: ({ wire }) => wire.resume(),
  unpipe: unlessEnded((run) => setPiped(run, false)),
  pipe: (run) => setPiped(run, true),
  burst,
  write: unlessEnded(write),
  end: unlessEnded(end),
  destroy
}

/** Names of all calls in sessions. */
export const CALL_KINDS = Object.keys(CALLS)
