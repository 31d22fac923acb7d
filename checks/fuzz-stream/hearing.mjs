// What a wire has told of its input, and what it must tell: events, blocks, and why it has failed.
import { describeEvent, expectEvents } from '../../testkit/hostile/expected-events.mjs'
import { describeTold } from '../../testkit/hostile/runner.mjs'
import { clock } from '../../testkit/sessions/session-runner.mjs'
import { withoutMissing } from './options.mjs'

export class Hearing {
  isEnded = false // by us
  failure = null // what we have destroyed the wire with
  hasLostMemory = false // that it may still have needed
  #wire
  #input
  #options
  #problem
  #told = []
  #blocks = [] // that callbacks got, and before which event
  #answer = null // the last of them
  #isLost = false // the block that 'download' has told of, perhaps
  #reading = [] // chunks within their write, the innermost last
  #waiting = [] // chunks that were written and may not be read yet
  #memories = new WeakSet() // of all chunks
  #made = clock.now
  #heard = clock.now

  /**
   * @param {object} wire
   * @param {import('../../testkit/hostile/inputs.mjs').HostileInput} input
   * @param {object} options of the wire
   * @param {(what: string) => void} problem
   */
  constructor(wire, input, options, problem) {
    this.#wire = wire
    this.#input = input
    this.#options = withoutMissing(options)
    this.#problem = problem
  }

  // Input

  /** A chunk is handed over by `write`. */
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

  /** What waits in a corked wire is read now. */
  uncork() {
    if (this.#wire.writableLength > 0) this.#noteInput()
  }

  /** While a wire fails, its output may come to somebody who goes on. */
  #noteInput() {
    if (this.#wire._getSession().failure === null) this.#heard = clock.now
  }

  /** Memory was taken away: harmless where all of it was read. */
  noteLoss(memory) {
    this.#isLost = true
    const { writableLength } = this.#wire
    if (writableLength === 0) this.#waiting = []
    const unread = [...this.#reading, ...this.#waiting]
    // What is of no chunk may be of the copy of one that had to wait.
    const isCopy = !this.#memories.has(memory)
    if (unread.some(({ buffer }) => isCopy || buffer === memory)) this.hasLostMemory = true
  }

  // What is told

  /** The callback of a request got its block. */
  onBlock({ piece, offset }, block) {
    const event = describeEvent('piece', piece, offset, block)
    this.#answer = { at: this.#told.filter(isNoRequest).length, event, block }
    this.#blocks.push(this.#answer)
  }

  /** `'piece'` follows, with the same block. */
  onDownload() {
    this.#isLost = false
  }

  onEvent(name, values) {
    this.#told.push(name === 'piece' ? this.#describePiece(values) : describeTold(name, values))
  }

  /** The callback, or a listener of `'download'`, may have given the memory of its block away. */
  #describePiece(values) {
    const [piece, offset, block] = values
    if (this.#answer?.block === block) return this.#answer.event
    if (this.#options.policy === 'strict') {
      this.#problem('a strict wire told of a block that nobody asked for')
    }
    return describeEvent('piece', piece, offset, this.#isLost ? UNKNOWN : block)
  }

  // How it ends

  /** Holds all against the bytes that were written; `isWhole`: all of them were. */
  check(isWhole) {
    const { events, code } = expectEvents(
      { ...this.#input, unchokes: true, answers: true },
      this.#options
    )
    const [told, all] = [this.#told, events].map((list) => list.filter(isNoRequest))
    const isCut = !isWhole || this.#cutBy(all[told.length]) !== null
    const wanted = isCut ? all.slice(0, told.length) : all
    const at = wanted.findIndex((event, index) => !isTold(event, told[index]))
    if (at >= 0) this.#expectEqual(`event ${at}`, told[at], wanted[at])
    this.#expectEqual('number of events', told.length, wanted.length)
    for (const { at: place, event } of this.#blocks) {
      this.#expectEqual(`block of a callback before event ${place}`, event, all[place])
    }
    const requests = [this.#told, events].map((list) => list.filter((event) => !isNoRequest(event)))
    if (!isSubsequence(...requests)) this.#problem('requests that were never sent, or out of order')
    if (isCut) this.#checkCut(code, all[told.length])
    else this.#expectEqual('code', this.#wire.error?.code ?? null, code)
  }

  /** The wire may have failed for what is not in the bytes, or not have read all of them. */
  #checkCut(code, next) {
    const { error } = this.#wire
    if (error === this.failure || this.#cutBy(next) !== null) return
    const isTruncated = this.isEnded && error?.code === 'ERR_PWP_TRUNCATED'
    if (!isTruncated) this.#expectEqual('code', error?.code, code)
  }

  /** The code of a failure that no byte of the input tells, if it has happened rightly. */
  #cutBy(next) {
    const { error } = this.#wire
    return CAUSES[error?.code]?.(this, error, next) ? error.code : null
  }

  /** A deadline that has passed must have closed the wire: at the very moment, or not at all. */
  checkDeadlines() {
    if (this.isEnded || this.#wire.destroyed) return
    for (const [code, due] of Object.entries(this.#deadlines)) {
      if (clock.now >= due) this.#problem(`no ${code} at ${due} ms`)
    }
  }

  /** To be called when the wire closes. */
  checkTime() {
    const due = this.#deadlines[this.#wire.error?.code]
    if (due !== undefined) this.#expectEqual('time of the deadline', clock.now, due)
  }

  get #deadlines() {
    const { handshakeTimeout, inactivityTimeout } = this.#options
    const isGreeted = this.#told.length > 0
    return {
      ERR_PWP_HANDSHAKE_TIMEOUT: isGreeted ? Infinity : dueAt(this.#made, handshakeTimeout),
      ERR_PWP_INACTIVITY_TIMEOUT: dueAt(this.#heard, inactivityTimeout)
    }
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

/** Failures that are not in the bytes of the input, and whether they may be. */
const CAUSES = {
  ERR_PWP_HANDSHAKE_TIMEOUT: () => true,
  ERR_PWP_INACTIVITY_TIMEOUT: () => true,
  ERR_PWP_MEMORY_CHANGED: ({ hasLostMemory }) => hasLostMemory,
  ERR_PWP_UNSOLICITED_BLOCK: (hearing, error, next) => hearing.isUnasked(error, next)
}

/** Stands for a block that was lost before it was told. */
const UNKNOWN = '?'

const isTold = (event, told) =>
  told === event || (told?.endsWith(UNKNOWN) && event.startsWith(told.slice(0, -1)))

/** A timer waits for a millisecond at least. */
const dueAt = (start, ms) => (ms > 0 ? start + Math.max(1, ms) : Infinity)

const isNoRequest = (event) => !event.startsWith('request ')

function isSubsequence(part, whole) {
  let found = 0
  for (const item of whole) if (item === part[found]) found++
  return found === part.length
}
