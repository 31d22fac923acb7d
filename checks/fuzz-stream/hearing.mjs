// Checks what a wire delivers of its input: events, blocks, and the error it fails with.
import { describeEvent, expectEvents } from '../../testkit/hostile/expected-events.mjs'
import { describeEmitted } from '../../testkit/hostile/runner.mjs'
import { clock } from '../../testkit/sessions/session-runner.mjs'
import { withoutMissing } from './options.mjs'

export class Hearing {
  isEnded = false // by us
  failure = null // the error that we destroyed the wire with
  isGivenUp = () => false // whether a block may answer a request that was given up
  hasLostMemory = false // whether memory was lost that the wire may still have needed
  isSenseless = () => false // whether an event is an extended handshake that a strict wire refuses
  #wire
  #expected
  #options
  #problem
  #messages // expected events but requests
  #delivered = []
  #count = 0 // of those of #delivered that are no requests
  #payload = null // of the message that an extension has got
  #blocks = [] // delivered to callbacks, each with the event that it precedes
  #answer = null // the last of #blocks
  #isLost = false // whether the block of the last 'download' may be lost
  #reading = [] // chunks inside their write call, the innermost last
  #waiting = [] // chunks that were written but possibly not decoded yet
  #memories = new WeakSet() // memory of all chunks
  #made = clock.now
  #lastInput = clock.now

  /**
   * @param {object} wire
   * @param {import('../../testkit/hostile/inputs.mjs').HostileInput} input
   * @param {object} options of the wire
   * @param {(what: string) => void} problem
   */
  constructor(wire, input, options, problem) {
    this.#wire = wire
    this.#options = withoutMissing(options)
    this.#problem = problem
    this.#expected = expectEvents({ ...input, unchokes: true, answers: true }, this.#options)
    this.#messages = this.#expected.events.filter(isNoRequest)
  }

  // Input

  /** Passes a chunk to the wire through `write`. */
  take(chunk, write) {
    this.#memories.add(chunk.buffer)
    this.#reading.push(chunk)
    this.#waiting.push(chunk)
    if (this.#wire.writableCorked === 0) this.#noteInput()
    try {
      write(chunk)
    } finally {
      this.#reading.pop()
    }
  }

  /** Notes that the chunks queued in a corked wire are decoded now. */
  uncork() {
    if (this.#wire.writableLength > 0) this.#noteInput()
  }

  /** A reader that gets the last output of a failing wire may write more input, which no longer counts. */
  #noteInput() {
    if (this.#wire._getSession().failure === null) this.#lastInput = clock.now
  }

  /** Notes that memory was taken away, which is harmless if all of it was decoded. */
  noteLoss(memory) {
    this.#isLost = true
    const { writableLength } = this.#wire
    if (writableLength === 0) this.#waiting = []
    const unread = [...this.#reading, ...this.#waiting]
    // Memory of no chunk may be that of the copy of a queued chunk.
    const isCopy = !this.#memories.has(memory)
    if (unread.some(({ buffer }) => isCopy || buffer === memory)) this.hasLostMemory = true
  }

  // What is delivered

  /** Notes the block that the callback of a request got. */
  onBlock({ piece, offset }, block) {
    const event = describeEvent('piece', piece, offset, block)
    this.#answer = { at: this.#delivered.filter(isNoRequest).length, event, block }
    this.#blocks.push(this.#answer)
  }

  /** Notes what an extension gets, before it may lose it. */
  onPayload(id, payload) {
    this.#payload = { payload, event: describeEvent('extended', id, payload) }
  }

  /** @returns {string | undefined} the next event of the input, but for requests */
  get next() {
    return this.#messages[this.#count]
  }

  /** Notes a `'download'`; `'piece'` follows with the same block. */
  onDownload() {
    this.#isLost = false
  }

  onEvent(name, values) {
    const event = this.#describe(name, values)
    if (isNoRequest(event)) this.#count++
    this.#delivered.push(event)
  }

  #describe(name, values) {
    if (name === 'piece') return this.#describePiece(values)
    // The extension may have transferred its memory.
    if (name === 'extended' && this.#payload?.payload === values[1]) return this.#payload.event
    return describeEmitted(name, values)
  }

  /** The callback or a listener of `'download'` may have transferred the memory of the block. */
  #describePiece(values) {
    const [piece, offset, block] = values
    if (this.#answer?.block === block) return this.#answer.event
    const place = { piece, offset, length: block.length }
    if (this.#options.policy === 'strict' && !this.isGivenUp(place)) {
      this.#problem('a strict wire delivered an unsolicited block')
    }
    return describeEvent('piece', piece, offset, this.#isLost ? UNKNOWN : block)
  }

  // How it ends

  /** Compares everything with the input; `isWhole`: all of it was written. */
  check(isWhole) {
    const { events, code } = this.#expected
    const [delivered, all] = [this.#delivered.filter(isNoRequest), this.#messages]
    const isCut = !isWhole || this.#cutBy(all[delivered.length]) !== null
    const wanted = isCut ? all.slice(0, delivered.length) : all
    const at = wanted.findIndex((event, index) => !matches(event, delivered[index]))
    if (at >= 0) this.#expectEqual(`event ${at}`, delivered[at], wanted[at])
    this.#expectEqual('number of events', delivered.length, wanted.length)
    for (const { at: place, event } of this.#blocks) {
      this.#expectEqual(`block of a callback before event ${place}`, event, all[place])
    }
    const requests = [this.#delivered, events].map((list) =>
      list.filter((event) => !isNoRequest(event))
    )
    if (!isSubsequence(...requests)) this.#problem('requests that were never sent, or out of order')
    if (isCut) this.#checkCut(code, all[delivered.length])
    else this.#expectEqual('code', this.#wire.error?.code ?? null, code)
  }

  /** The wire may have failed for a reason outside of the input, or not have decoded all of it. */
  #checkCut(code, next) {
    const { error } = this.#wire
    if (error === this.failure || this.#cutBy(next) !== null) return
    const isTruncated = this.isEnded && error?.code === 'ERR_PWP_TRUNCATED'
    if (!isTruncated) this.#expectEqual('code', error?.code, code)
  }

  /** The code of a failure whose cause is outside of the input, if it was justified. */
  #cutBy(next) {
    const { error } = this.#wire
    return CAUSES[error?.code]?.(this, error, next) ? error.code : null
  }

  /** A deadline that has passed must have closed the wire; `checkTime` checks that it did so in time. */
  checkDeadlines() {
    if (this.isEnded || this.#wire.destroyed) return
    for (const [code, due] of Object.entries(this.#deadlines)) {
      if (clock.now >= due) this.#problem(`no ${code} at ${due} ms`)
    }
  }

  /** Checks that a deadline closed the wire exactly when it was due. Call when the wire closes. */
  checkTime() {
    const due = this.#deadlines[this.#wire.error?.code]
    if (due !== undefined) this.#expectEqual('time of the deadline', clock.now, due)
  }

  get #deadlines() {
    const { handshakeTimeout, inactivityTimeout } = this.#options
    const isGreeted = this.#delivered.some((event) => event.startsWith('handshake '))
    return {
      ERR_PWP_HANDSHAKE_TIMEOUT: isGreeted ? Infinity : dueAt(this.#made, handshakeTimeout),
      ERR_PWP_INACTIVITY_TIMEOUT: dueAt(this.#lastInput, inactivityTimeout)
    }
  }

  get isStrict() {
    return this.#options.policy === 'strict'
  }

  isUnrequested({ piece, offset, length }, next) {
    return this.#options.policy === 'strict' && next === `reject ${piece} ${offset} ${length}`
  }

  isUnasked({ piece, offset, length }, next) {
    const { policy } = this.#options
    const isNext = next?.startsWith(`piece ${piece} ${offset} `)
    return policy === 'strict' && isNext && next.split(' ')[3].length === length * 2
  }

  #expectEqual(what, actual, expected) {
    if (actual !== expected) this.#problem(`${what}: ${actual} instead of ${expected}`)
  }
}

/** Failures whose cause is outside of the input, each with a check that it was justified. */
const CAUSES = {
  ERR_PWP_EXTENDED_HANDSHAKE: ({ isStrict, isSenseless }, error, next) =>
    isStrict && isSenseless(next),
  ERR_PWP_HANDSHAKE_TIMEOUT: () => true,
  ERR_PWP_INACTIVITY_TIMEOUT: () => true,
  ERR_PWP_MEMORY_CHANGED: ({ hasLostMemory }) => hasLostMemory,
  ERR_PWP_UNSOLICITED_BLOCK: (hearing, error, next) => hearing.isUnasked(error, next),
  ERR_PWP_UNSOLICITED_REJECT: (hearing, error, next) => hearing.isUnrequested(error, next)
}

/** Stands for a block that was lost before it was delivered. */
const UNKNOWN = '?'

const matches = (event, delivered) =>
  delivered === event || (delivered?.endsWith(UNKNOWN) && event.startsWith(delivered.slice(0, -1)))

/** Node's timers take at least one millisecond. */
const dueAt = (start, ms) => (ms > 0 ? start + Math.max(1, ms) : Infinity)

const isNoRequest = (event) => !event.startsWith('request ')

function isSubsequence(part, whole) {
  let found = 0
  for (const item of whole) if (item === part[found]) found++
  return found === part.length
}
