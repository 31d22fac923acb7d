// `fetchPiece()` of a wire that is a stream: its blocks are requests of the wire, and are put together and checked on
// the event loop. The rules are those of src/protocol/transfer/fetches.rs, which has them for native sockets.
'use strict'

const { Blocks } = require('./blocks.js')
const { PieceCheck } = require('./check.js')
const { aborted, failure } = require('./errors.js')
const { partialOf } = require('./options.js')
const { byteLength, viewOf } = require('../arguments.js')
const { cancelled, timedOut } = require('../errors.js')
const { attempt } = require('../session/attempt.js')
const { onAbort } = require('../session/signals.js')

/** Ends after which the peer answers nothing anyway. */
const UNANSWERED = new Set(['Choked', 'Closed', 'PieceLost'])

/** Bytes of blocks that are asked for ahead. */
const WINDOW = 1024 * 1024

/** Requests that are open at most while the peer has not told how many it keeps. */
const DEPTH = 250

/** Bytes of a request. */
const REQUEST_LENGTH = 17

/** One piece that is fetched. */
class Job {
  constructor(fetch, resolve, reject) {
    this.fetch = fetch
    this.resolve = resolve
    this.reject = reject
    this.blocks = new Blocks(fetch)
    /** Made with the first block. */
    this.check = null
    /** Ids of the requests that are open, by their blocks. */
    this.requests = new Map()
    /** Blocks that were open when the peer choked, with the fast extension: it has to reject them. */
    this.choked = new Set()
    /** When it was begun, or a block of it has arrived, in ms. */
    this.renewed = performance.now()
    this.isOver = false
    this.stopListening = null
  }

  get partial() {
    const { ranges } = this.blocks
    if (ranges.length === 0) return partialOf({ ...this.fetch, resume: null })
    return { index: this.fetch.piece, ranges, bytes: this.blocks.bytes }
  }
}

class StreamFetching {
  /** @param {import('../session/session.js').Session} session */
  constructor(session) {
    this.session = session
    /** In the order in which they were begun. */
    this.jobs = []
    this.openCount = 0
    this.openLength = 0
    this.isFilling = false
    /** Whether requests wait until other output has left. */
    this.isHeld = false
    /** Of the first that may time out. */
    this.timer = undefined
    /** When it is due, in ms. */
    this.due = Infinity
  }

  /**
   * @param {object} fetch - see options.js
   * @returns {Promise<Buffer>} the piece
   */
  fetch(fetch) {
    return new Promise((resolve, reject) => {
      const job = new Job(fetch, resolve, reject)
      const { endsOnChoke, piece, signal, timeout } = fetch
      if (this.jobs.some((other) => other.fetch.piece === piece)) return this.#fail(job, 'Twice')
      this.jobs.push(job)
      if (job.blocks.left === 0) return this.#complete(job)
      if (endsOnChoke && !this.#mayAsk(job)) return this.#fail(job, 'Choked')
      if (signal !== null) {
        job.stopListening = onAbort(signal, (reason) =>
          this.session.inContext(() => this.#end(job, aborted(reason, job.partial)))
        )
      }
      if (timeout > 0) this.#expireAt(job.renewed + timeout)
      this.fill()
    })
  }

  /**
   * Asks for blocks as far as the window allows, in one chunk. What is sent may be answered before this returns.
   *
   * A peer may choke and unchoke without end, and each pair lets all requests be sent again: while much output waits
   * they do, too.
   */
  fill() {
    if (this.isFilling) return
    this.isFilling = true
    try {
      do {
        attempt(() => this.session.gather(() => this.#askAll()))
      } while (!this.isHeld && this.#next() !== null)
    } finally {
      this.isFilling = false
    }
  }

  #askAll() {
    const { session } = this
    // Should what follows throw.
    this.isHeld = true
    let room = session.settings.uploadBacklog - session.held
    this.isHeld = false
    for (let next = this.#next(); next !== null; next = this.#next()) {
      this.isHeld = room < 0
      if (this.isHeld) return
      room -= REQUEST_LENGTH
      const [job, block] = next
      attempt(() => this.#ask(job, block))
    }
  }

  /** @returns {[Job, number] | null} the next block to ask for */
  #next() {
    const { session } = this
    if (session.isClosed || session.isFinished || session.failure !== null) return null
    for (const job of this.jobs) {
      const block = this.#mayAsk(job) ? job.blocks.next() : -1
      if (block === -1) continue
      return this.#hasRoom(job.blocks.lengthOf(block)) ? [job, block] : null
    }
    return null
  }

  #mayAsk({ fetch }) {
    const { fast, peerChoking } = this.session
    return !peerChoking || fast?.peerAllows(fetch.piece) === true
  }

  #hasRoom(length) {
    if (this.openCount === 0) return true
    const depth = this.session.extensions?.peerHandshake?.reqq || DEPTH
    return this.openCount < depth && this.openLength + length <= WINDOW
  }

  #ask(job, block) {
    const { downloads } = this.session
    const { blocks, fetch } = job
    const length = blocks.lengthOf(block)
    blocks.open(block)
    job.requests.set(block, downloads.nextId)
    this.openCount++
    this.openLength += length
    this.session.request(fetch.piece, blocks.offsetOf(block), length, (error, bytes) => {
      this.openCount--
      this.openLength -= length
      job.requests.delete(block)
      const wasChoked = job.choked.delete(block)
      if (job.isOver) return this.fill()
      if (error) this.#onError(job, block, error, wasChoked)
      else this.#onBlock(job, block, bytes)
      this.fill()
    })
  }

  #onBlock(job, block, bytes) {
    const { blocks } = job
    job.renewed = performance.now()
    blocks.put(block, bytes)
    job.check ??= new PieceCheck(job.fetch, blocks.bytes)
    job.check.advance(blocks.reached)
    if (blocks.left === 0) this.#complete(job)
  }

  #onError(job, block, error, wasChoked) {
    const { session } = this
    if (session.isClosed || session.isFinished || session.failure !== null)
      return this.#fail(job, 'Closed', session.failure ?? session.wire.error)
    if (error.code === 'ERR_PWP_PIECE_LOST') return this.#fail(job, 'PieceLost')
    // Of wire.setTimeout(), which is for all requests of the wire.
    if (error.message === timedOut().message) return this.#fail(job, 'TimedOut')
    const isOurs = wasChoked || !this.#mayAsk(job) || error.message === cancelled().message
    if (!isOurs) return this.#fail(job, 'Rejected')
    job.blocks.giveUp(block)
  }

  /** All blocks are there. */
  #complete(job) {
    const { blocks, fetch } = job
    const { into, length, piece } = fetch
    const { bytes } = blocks
    job.check ??= new PieceCheck(fetch, bytes)
    if (!job.check.isRight()) {
      // Of a wrong piece nobody knows what is right.
      return this.#end(job, failure('Wrong', fetch, { index: piece, ranges: [], bytes }))
    }
    if (into === null) return this.#end(job, null, bytes)
    // The user may have transferred or resized it meanwhile.
    if (byteLength(into) < length) return this.#fail(job, 'MemoryChanged')
    const view = viewOf(into).subarray(0, length)
    view.set(bytes)
    this.#end(job, null, view)
  }

  #fail(job, end, cause = null) {
    this.#end(job, failure(end, job.fetch, job.partial, cause), null, !UNANSWERED.has(end))
  }

  #end(job, error, bytes = null, isWithdrawn = true) {
    if (job.isOver) return
    job.isOver = true
    job.stopListening?.()
    const position = this.jobs.indexOf(job)
    if (position !== -1) this.jobs.splice(position, 1)
    // The next one has waited behind it.
    const next = position === -1 ? undefined : this.jobs[position]
    if (next !== undefined) next.renewed = Math.max(next.renewed, job.renewed)
    if (this.jobs.length === 0) this.#stopTimer()
    if (error === null) job.resolve(bytes)
    else job.reject(error)
    const open = isWithdrawn ? [...job.requests.values()] : []
    for (const id of open) attempt(() => this.session.withdraw(id, error))
    this.fill()
  }

  // What the session says

  /** The peer chokes us. Without the fast extension all open requests end next. */
  choked() {
    for (const job of this.jobs.slice()) {
      if (this.#mayAsk(job)) continue
      if (job.fetch.endsOnChoke) this.#fail(job, 'Choked')
      else if (this.session.fast !== null)
        for (const block of job.requests.keys()) job.choked.add(block)
    }
  }

  /** @param {number} piece - which the peer no longer has */
  lost(piece) {
    const job = this.jobs.find(({ fetch }) => fetch.piece === piece)
    if (job !== undefined) this.#fail(job, 'PieceLost')
  }

  /** The wire has ended. */
  close() {
    const { failure: reason, wire } = this.session
    for (const job of this.jobs.slice()) this.#fail(job, 'Closed', reason ?? wire.error)
  }

  // Time

  #expireAt(due) {
    if (due >= this.due) return
    this.#stopTimer()
    this.due = due
    // It keeps the process alive, as that of wire.setTimeout() does.
    const wait = Math.max(1, Math.ceil(due - performance.now()))
    this.timer = setTimeout(() => this.session.inContext(() => this.#expire()), wait)
  }

  #stopTimer() {
    clearTimeout(this.timer)
    this.due = Infinity
  }

  #expire() {
    this.due = Infinity
    const now = performance.now()
    const late = []
    let renewed = 0
    for (const job of this.jobs) {
      const { timeout } = job.fetch
      renewed = Math.max(renewed, job.renewed)
      if (timeout === 0) continue
      if (renewed + timeout <= now) late.push(job)
      else this.#expireAt(renewed + timeout)
    }
    for (const job of late) this.#fail(job, 'TimedOut')
  }
}

/**
 * @param {import('../session/session.js').Session} session
 * @param {object} fetch - see options.js
 * @returns {Promise<Buffer>}
 */
function fetchFromStream(session, fetch) {
  session.fetching ??= new StreamFetching(session)
  return session.fetching.fetch(fetch)
}

module.exports = { fetchFromStream }
