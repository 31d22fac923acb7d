// Requests of the peer that are opened after they were handled, as users may replace `_onRequest` on a wire and call
// it later. The core knows of them no longer, so that its limits are kept here: some are open, others have to wait.
'use strict'

const { toBytes } = require('../arguments.js')
const { isAnswer } = require('../diagnostics/answers.js')
const { native } = require('../native.js')
const { attempt } = require('../session/attempt.js')
const { Request } = require('../session/requests.js')

/** Bytes for which a request counts besides its block: what it takes in memory, as in the core. */
const OVERHEAD = 192

/** Bytes of output above the backlog up to which requests are rejected, as in the core. */
const REJECT_ROOM = 64 * 1024

class LateRequests {
  /** @param {import('./session.js').WireSession} session */
  constructor(session) {
    this.session = session
    /** Those that users have in `peerRequests`, too, unless they have removed them there. */
    this.opened = new Set()
    /** Bytes of these. */
    this.bytes = 0
    /** Those that are held back, the oldest first. */
    this.waiting = []
    this.isReleasing = false
  }

  /** @returns {Function | null} answers it, with `(error, block)`; null if it has to wait, or is refused */
  open(piece, offset, length) {
    const request = new Request(piece, offset, length, null)
    const { isFinished, settings } = this.session
    const isFull = this.opened.size + this.waiting.length >= settings.maxPeerRequests
    if (isFinished || isFull) this.#reject(request)
    else if (this.waiting.length === 0 && this.#hasRoom()) return this.#add(request)
    else this.waiting.push(request)
    return null
  }

  #hasRoom() {
    const { settings, unsent } = this.session
    return (
      this.opened.size < settings.maxPeerRequests && this.bytes + unsent <= settings.uploadBacklog
    )
  }

  #add(request) {
    this.opened.add(request)
    this.bytes += request.length + OVERHEAD
    this.#array().push(request)
    request.callback = (error, block) => this.#respond(request, error, block)
    return request.callback
  }

  #array() {
    return this.session.uploads.requests.toArray()
  }

  #respond(request, error, block) {
    if (!this.#take(request)) return
    const { session } = this
    try {
      if (!error && isAnswer(request, block)) {
        session.upload(request.piece, request.offset, toBytes('block', block))
      } else {
        if (!error) session.uploads.countDropped(request, block)
        this.#reject(request)
      }
    } finally {
      this.release()
    }
  }

  /** @returns {boolean} whether it was open still, and the user has not removed it */
  #take(request) {
    const array = this.#array()
    const at = array.indexOf(request)
    if (at !== -1) array.splice(at, 1)
    return this.#drop(request) && at !== -1
  }

  #drop(request) {
    if (!this.opened.delete(request)) return false
    this.bytes -= request.length + OVERHEAD
    return true
  }

  /** A peer that reads no rejects gets no more of them. */
  #reject({ piece, offset, length }) {
    const { core, fast, isFinished, settings, unsent } = this.session
    if (fast === null || isFinished || unsent > settings.uploadBacklog + REJECT_ROOM) return
    native.sendReject(core.slot, piece, offset, length)
    this.session.sent()
  }

  /** The peer withdraws a request. */
  cancel(piece, offset, length) {
    const isFor = matches(piece, offset, length)
    const request = this.#find(isFor) ?? this.waiting.find(isFor)
    if (request === undefined) return
    const isWaiting = !this.opened.has(request)
    if (isWaiting) this.waiting.splice(this.waiting.indexOf(request), 1)
    if (isWaiting || this.#take(request)) this.#reject(request)
    this.release()
  }

  /** Ends the oldest one for this block, which was answered otherwise. */
  settle(piece, offset, length) {
    const request = this.#find(matches(piece, offset, length))
    if (request !== undefined) this.#take(request)
  }

  #find(isFor) {
    for (const request of this.opened) if (isFor(request)) return request
    return undefined
  }

  /**
   * We choke the peer.
   *
   * @param {(request: Request) => boolean} keeps - those that stay
   */
  choke(keeps) {
    const dropped = [...this.opened, ...this.waiting].filter((request) => !keeps(request))
    this.waiting = this.waiting.filter(keeps)
    for (const request of dropped) {
      const isRemoved = this.opened.has(request) && !this.#take(request)
      if (!isRemoved) this.#reject(request)
    }
  }

  /** The user has removed these from the array. */
  forget(isRemoved) {
    for (const request of this.opened) if (isRemoved(request)) this.#drop(request)
    this.release()
  }

  clear() {
    this.opened.clear()
    this.waiting.length = 0
    this.bytes = 0
  }

  /** There may be room for those that wait; they are never emitted inside the call that has made it. */
  release() {
    if (this.isReleasing || this.waiting.length === 0) return
    this.isReleasing = true
    process.nextTick(() => this.session.inContext(() => this.#emitAll()))
  }

  #emitAll() {
    this.isReleasing = false
    const { wire } = this.session
    while (this.waiting.length > 0 && !wire._isEnding && this.#hasRoom()) {
      const request = this.waiting.shift()
      const { piece, offset, length } = request
      const respond = this.#add(request)
      attempt(() => wire.emit('request', piece, offset, length, respond))
    }
  }
}

function matches(piece, offset, length) {
  return (request) =>
    request.piece === piece && request.offset === offset && request.length === length
}

module.exports = { LateRequests }
