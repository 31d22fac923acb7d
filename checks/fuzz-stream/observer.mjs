// Listens to everything a wire emits, and checks it against its input and the calls of its user.
import { MESSAGE_EVENTS } from '../../testkit/hostile/runner.mjs'
import { encodeMessage } from '../../testkit/messages.mjs'
import { clock } from '../../testkit/sessions/session-runner.mjs'
import { Hearing } from './hearing.mjs'
import { ABORTED } from './limits.mjs'
import { withoutMissing } from './options.mjs'
import { Output } from './output.mjs'
import { Requests, isSame } from './requests.mjs'

const CALLBACK_ERRORS = new Set([
  ABORTED,
  'peer is choking',
  'request has timed out',
  'request was cancelled',
  'request was rejected',
  'wire is closed'
])

/** Events whose payload the option `copyBlocks` copies into memory of its own. */
const COPIED = new Set(['piece', 'extended', 'unknownmessage'])

/** Defaults of the options. */
const DEFAULTS = {
  copyBlocks: false,
  maxPeerRequests: 2000,
  rejectTimeout: 30_000,
  transcript: 0,
  uploadBacklog: 2 ** 20
}

/** Errors for messages that answer no request of ours. */
const UNSOLICITED = new Set(['ERR_PWP_UNSOLICITED_BLOCK', 'ERR_PWP_UNSOLICITED_REJECT'])

export class Observer {
  requests
  hearing
  output = new Output()
  #subject
  #scene
  #wire
  #belongings
  #listensToErrors
  #settings
  #ends = { finish: 0, end: 0, close: 0, error: 0 }
  #peer = { choking: true, interested: false, downloaded: 0, allowed: new Set() }
  #input

  /**
   * @param {import('./subject.mjs').Subject} subject
   * @param {import('./scene.mjs').Scene} scene
   * @param {import('./stream-case.mjs').Setup} setup
   * @param {import('./memory.mjs').Belongings} belongings
   */
  constructor(subject, scene, { input, options }, belongings) {
    const { wire } = subject
    this.#subject = subject
    this.#scene = scene
    this.#wire = wire
    this.#belongings = belongings
    this.#listensToErrors = input.listens
    this.#input = input
    this.#settings = { ...DEFAULTS, ...withoutMissing(options) }
    this.requests = new Requests(wire)
    this.hearing = new Hearing(wire, input, options, (what) => this.#problem(what))
    this.hearing.isSenseless = (event) => subject.extending.isSenseless(event)
    this.hearing.isGivenUp = (block) =>
      wire.hasFast && this.requests.asked.some((one) => one.calls > 0 && isSame(one, block))
    this.#listen()
  }

  /** @returns {number} `'close'` events so far */
  get closes() {
    return this.#ends.close
  }

  #listen() {
    const wire = this.#wire
    for (const name of MESSAGE_EVENTS) {
      wire.on(name, (...values) => this.#onMessage(name, values))
    }
    wire.on('download', (bytes) => {
      this.#peer.downloaded += bytes
      this.hearing.onDownload()
      this.#onEvent('download', false)
    })
    // 'timeout' follows the callback of its request, even if that callback has closed the wire.
    wire.on('timeout', () => this.#scene.react(this.#subject, 'timeout'))
    wire.on('upload', (bytes) => this.#onUpload(bytes))
    for (const name of ['finish', 'end', 'close']) wire.on(name, () => this.#onEnd(name))
    if (this.#listensToErrors) wire.on('error', (error) => this.#onError(error))
  }

  #onMessage(name, values) {
    this.#subject.extending.onEvent(name, values)
    this.hearing.onEvent(name, values)
    UPDATES[name]?.({ peer: this.#peer, requests: this.requests }, values)
    if (name === 'request') this.#checkBacklog()
    if (COPIED.has(name)) this.#keepBlock(values.at(-1))
    try {
      this.#onEvent(name)
    } finally {
      if (name === 'handshake') this.#subject.extending.leaveHandshake()
    }
  }

  /** An extension gets a message, of which the event follows. */
  onPayload(id, payload) {
    this.hearing.onPayload(id, payload)
    this.#keepBlock(payload)
  }

  /** `mayThrow` is false where a message has further events, which an exception would suppress. */
  #onEvent(name, mayThrow = true) {
    this.#scene.note(`${this.#subject.name} '${name}'`)
    if (this.#ends.close > 0) this.#problem(`'${name}' came after 'close'`)
    this.#check()
    this.#subject.useAt(name)
    if (mayThrow) this.#scene.react(this.#subject, name)
    else this.#scene.meddle(this.#subject)
  }

  #onUpload(bytes) {
    const frame = this.output.takePromise(bytes)
    if (frame === null) this.#problem(`'upload' of ${bytes} bytes`)
    this.#scene.note(`${this.#subject.name} 'upload'`)
    this.#scene.react(this.#subject, 'upload')
    if (frame !== null && this.isSending) this.output.keepPromise(frame)
  }

  #onEnd(name) {
    this.#ends[name]++
    this.#scene.note(`${this.#subject.name} '${name}'`)
    if (name === 'close') this.#checkFailure()
    this.#scene.react(this.#subject, name)
  }

  #onError(error) {
    this.#ends.error++
    if (this.#ends.close > 0) this.#problem("'error' came after 'close'")
    if (error !== this.#wire.error) this.#problem("'error' with another error")
    this.#scene.react(this.#subject, 'error')
  }

  #onSettled(request, error, bytes) {
    const { code, message } = error ?? {}
    this.#scene.note(
      `${this.#subject.name} callback of ${this.requests.asked.indexOf(request)}: ${message}`
    )
    if (request.calls++ > 0) this.#problem('a callback was called again')
    request.code = code
    const isEarly = code === 'ERR_PWP_REQUEST_TIMEOUT' || message === ABORTED
    if (isEarly && request.limits === null) this.#problem('a request without limits was ended')
    const wrong = request.limits?.judge(error)
    if (wrong) this.#problem(wrong)
    if (!this.requests.settle(request)) this.#problem('a callback at a wrong time')
    if (error && !code && !CALLBACK_ERRORS.has(message)) this.#problem(`error ${message}`)
    if (message === 'peer is choking' && request.isAccepted) this.#checkChoked(request)
    if (!error) this.#onBlock(request, bytes)
    this.#check()
    if (error) this.#scene.react(this.#subject, 'callback')
    else this.#scene.meddle(this.#subject)
    request.onSettled()
  }

  /** With the fast extension only time fails a request that the peer has choked. */
  #checkChoked({ chokedAt, piece }) {
    if (!this.#wire.hasFast) return
    const { rejectTimeout } = this.#settings
    const isDue = rejectTimeout > 0 && clock.now >= chokedAt + rejectTimeout
    if (!isDue || this.#peer.allowed.has(piece)) this.#problem('a choke failed a request')
  }

  /** The limit begins with each choke, so a request may take twice the time. */
  #checkOverdue() {
    const { rejectTimeout } = this.#settings
    const wire = this.#wire
    if (!wire.hasFast || rejectTimeout === 0 || wire.destroyed || wire.writableEnded) return
    const { allowed } = this.#peer
    const late = this.requests.open.filter(
      ({ chokedAt, piece }) =>
        clock.now > chokedAt + 2 * Math.max(1, rejectTimeout) + 1 && !allowed.has(piece)
    )
    if (late.length > 0) this.#problem(`no reject within ${rejectTimeout} ms, nor an error`)
  }

  #onBlock(request, block) {
    if (block.length !== request.length) this.#problem('a block of wrong length')
    this.hearing.onBlock(request, block)
    this.#keepBlock(block)
  }

  /** Keeps a received block; the callback of a request and the event get the same Buffer. */
  #keepBlock(block) {
    const isRight = this.#belongings.keep(block, this.#settings.copyBlocks)
    if (!isRight) this.#problem('a copied block shares its memory')
    this.#scene.mayLose(block)
  }

  /** Call before a request of ours is made. */
  ask(block, limits = null) {
    const { hasFast, peerChoking } = this.#wire
    const isAllowed = !peerChoking || (hasFast && this.#peer.allowed.has(block.piece))
    const mayAsk = isAllowed && !limits?.isAborted
    const request = this.requests.ask(block, this.isSending && mayAsk)
    request.limits = limits
    limits?.watch(request)
    request.callback = (error, bytes) => this.#onSettled(request, error, bytes)
    if (request.isAccepted) this.expect(encodeMessage({ type: 'request', ...block }))
    return request
  }

  /** Nothing is sent after the end, nor to a peer that has violated the protocol. */
  get isSending() {
    // The session knows of a failure before 'error' is emitted, which waits until earlier output has left.
    return !this.#wire.writableFinished && this.#wire._getSession().failure === null
  }

  expect(frame) {
    this.#subject.extending.settle()
    if (this.isSending) this.output.expect(frame)
  }

  /** Compares the properties of the wire with the events so far. */
  #check() {
    const wire = this.#wire
    for (const what of this.requests.check()) this.#problem(what)
    this.#subject.extending.check()
    this.#expectEqual('peerChoking', wire.peerChoking, this.#peer.choking)
    this.#expectEqual('peerInterested', wire.peerInterested, this.#peer.interested)
    this.#expectEqual('downloaded', wire.downloaded, this.#peer.downloaded)
    const { maxPeerRequests } = this.#settings
    if (wire.peerRequests.length > maxPeerRequests) this.#problem('too many peer requests')
  }

  /** No request is delivered while queued answers exceed `uploadBacklog`; other messages do not count. */
  #checkBacklog() {
    // The wire checks its backlog only after the reader has taken what it can.
    if (this.#subject.reader.isTaking) return
    // Each request may have been rejected.
    const rejects = this.#wire.hasFast ? this.#input.bytes.length : 0
    const unpaced = this.output.unpaced + rejects
    const most = this.#settings.uploadBacklog + unpaced + this.#subject.reader.mark
    const { bufferedAmount } = this.#wire
    if (bufferedAmount > most) this.#problem(`${bufferedAmount} bytes wait, not ${most}`)
  }

  /** Compares the count of dropped answers. Only at the end, because reading it affects the wire. */
  checkDropped() {
    this.#expectEqual('droppedAnswers', this.#wire.stats().droppedAnswers, this.requests.dropped)
  }

  /** Checks why the wire has closed. */
  #checkFailure() {
    const { error } = this.#wire
    this.#scene.note(`${this.#subject.name} has closed with ${error?.code ?? error}`)
    this.hearing.checkTime()
    if (UNSOLICITED.has(error?.code)) {
      const open = this.requests.asked.filter(({ code }) => code === error.code)
      if (open.some((request) => isSame(request, error))) this.#problem('the block was asked for')
    }
    const { transcript } = this.#settings
    if (error?.transcript?.length > transcript) this.#problem('the transcript is too long')
  }

  /** Compares the events with the input; `isWhole`: all of it was written. */
  checkReaction(isWhole) {
    if (this.output.hasLost) this.hearing.hasLostMemory = true
    this.hearing.check(isWhole)
    this.hearing.checkDeadlines()
    const { open } = this.requests
    if (open.some(({ limits }) => limits?.isOverdue))
      this.#problem('a request is open for too long')
    this.#checkOverdue()
  }

  /** Checks what must hold at the end of every wire. */
  checkEnd() {
    const wire = this.#wire
    for (const name of ['finish', 'end', 'close']) {
      this.#expectEqual(`number of '${name}'`, this.#ends[name], 1)
    }
    const errors = wire.error && this.#listensToErrors ? 1 : 0
    this.#expectEqual("number of 'error'", this.#ends.error, errors)
    const lost = this.requests.asked.filter(({ calls }) => calls === 0).length
    this.#expectEqual('callbacks that were lost', lost, 0)
    this.#subject.extending.checkEnd()
    this.#check()
    this.checkDropped()
    this.#checkOutput()
    if (wire.bufferedAmount !== 0) this.#problem(`${wire.bufferedAmount} bytes wait`)
  }

  #checkOutput() {
    const { rest: read, rejects } = this.#subject.readBytes
    // The wire may have failed before it noticed, or after it was destroyed without an error.
    const mayBeCut = this.#wire.error !== null || this.#wire._getSession().failure !== null
    this.#checkRejects(rejects, mayBeCut)
    if (this.output.equals(read, mayBeCut)) return
    const sent = this.output.bytes
    let at = 0
    while (sent[at] === read[at]) at++
    const show = (bytes) =>
      `${bytes.length} bytes, at ${at} ${bytes.subarray(at, at + 20).toString('hex')}`
    this.#problem(`output of ${show(read)} instead of ${show(sent)}`)
  }

  /** Each request gets one answer: a reject must be for a request, and no more than once. */
  #checkRejects(rejects, mayBeCut) {
    const sent = countBy(rejects)
    const asked = countBy(requestsIn(this.#input.bytes))
    for (const [block, count] of sent) {
      const most = asked.get(block) ?? 0
      if (count > most) this.#problem(`a request was rejected ${count} times, not ${most}`)
    }
    if (!this.#wire.hasFast || mayBeCut) return
    for (const [block, count] of countBy(this.requests.rejected)) {
      const found = sent.get(block) ?? 0
      if (found < count) this.#problem(`${found} rejects of ${block}, not ${count}`)
    }
  }

  #problem(what) {
    this.#subject.problem(what)
  }

  #expectEqual(what, actual, expected) {
    if (actual !== expected) this.#problem(`${what}: ${actual} instead of ${expected}`)
  }
}

/** How each event changes the expected state. */
const UPDATES = {
  choke({ peer, requests }) {
    peer.choking = true
    for (const request of requests.open) request.chokedAt = Math.min(request.chokedAt, clock.now)
  },
  unchoke: ({ peer }) => (peer.choking = false),
  interested: ({ peer }) => (peer.interested = true),
  uninterested: ({ peer }) => (peer.interested = false),
  request: ({ requests }, values) => requests.onRequest(values),
  cancel: ({ requests }, values) => requests.onCancel(values),
  'allowed-fast': ({ peer }, [piece]) => peer.allowed.add(piece)
}

/** What may be requests, anywhere in the input, as it may be broken: an upper limit. */
function requestsIn(bytes) {
  const found = []
  for (let at = bytes.indexOf(REQUEST); at >= 0; at = bytes.indexOf(REQUEST, at + 1)) {
    if (at + 13 > bytes.length) break
    found.push([1, 5, 9].map((place) => bytes.readUInt32BE(at + place)).join())
  }
  return found
}

/** Id of a request. */
const REQUEST = 6

function countBy(keys) {
  const counts = new Map()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
