// A session for the class of bittorrent-protocol: our requests are in an array that its users edit, the methods of
// the wire decide on what the peer sends, and output waits for the end of the turn.
'use strict'

const { native } = require('../native.js')
const { attempt } = require('../session/attempt.js')
const ends = require('../session/ends.js')
const { Session } = require('../session/session.js')
const { LateRequests } = require('./late.js')

const noop = () => {}

/** A microtask begins when this is settled, which it is. */
const READY = Promise.resolve()

/** In place of the id of a request. */
const NONE = -1

/** In place of the pieces of other wires: such a wire has its own. */
const NO_PIECES = { keep: noop }

class WireSession extends Session {
  constructor(wire, face, port, settings) {
    super(wire, face, port, settings)
    this.pieces = NO_PIECES
    native.leaveRequests(this.core.slot)
    /** The id of the request that is being handled, until it is opened. */
    this.arrived = NONE
    /** @type {LateRequests | null} requests of the peer that the core does not know of; null while there were none */
    this.late = null
    /** How many elements `peerRequests` had besides open requests when it was last looked at. */
    this.surplus = 0
    this.isLooking = false
    this.isScheduled = false
    this.onturn = () => attempt(endTurn, this)
    /** @type {import('./encryptor.js').Encryptor | null} */
    this.encryption = null
  }

  get delaysInput() {
    return this.encryption !== null && this.encryption.delaysInput
  }

  receive(chunk, done) {
    const { encryption } = this
    this.#noticeRemoved()
    if (encryption === null) super.receive(chunk, done)
    else encryption.receive(chunk, done)
  }

  /** Reads what is deciphered. */
  receiveClear(bytes, done) {
    super.receive(bytes, done)
  }

  // Output

  sent() {
    this.output.isWaiting = true
    this.trace()
    this.schedule()
  }

  /** Output leaves in the next microtask, all of it at once. */
  schedule() {
    if (this.isScheduled || this.isFinished) return
    this.isScheduled = true
    READY.then(this.onturn)
  }

  flush() {
    this.schedule()
  }

  uncork() {
    if (this.output.isWaiting) this.schedule()
    this.#noticeRemoved()
  }

  flushNow() {
    this.port.release()
    if (!this.holdsOutput) super.flush()
  }

  /** What is sent next leaves as another chunk, and by another cipher if that changes. */
  cut() {
    if (this.output.isWaiting && !this.holdsOutput) this.port.keepAll(() => super.flush())
  }

  /** Whether messages have to wait for an exchange, as they may not leave in clear text. */
  get holdsOutput() {
    return this.encryption !== null && this.encryption.holdsOutput
  }

  /** Sends bytes that are no message. */
  sendRaw(bytes) {
    this.cut()
    this.port.keep(bytes)
    this.schedule()
  }

  sendRequest(piece, offset, length) {
    native.request(this.core.slot, 0, piece, offset, length)
    this.sent()
  }

  sendCancel(piece, offset, length) {
    native.cancel(this.core.slot, piece, offset, length)
    this.sent()
  }

  /** The timer calls the method of the wire, which users may replace. */
  keepAlive() {
    this.wire.keepAlive()
  }

  sendKeepAlive() {
    super.keepAlive()
  }

  choke() {
    super.choke()
    if (this.late === null) return
    this.late.choke(({ piece }) => this.fast !== null && this.wire.allowedFastSet.includes(piece))
    this.sent()
  }

  /** Rejects a request of the peer, even if none waits. */
  reject(piece, offset, length) {
    if (this.uploads.forget(piece, offset, length) === undefined)
      this.late?.settle(piece, offset, length)
    native.sendReject(this.core.slot, piece, offset, length)
    this.declined()
  }

  piece(piece, offset, block) {
    this.late?.settle(piece, offset, block.length)
    super.piece(piece, offset, block)
  }

  /** Counted after it is queued: what listeners of 'upload' send follows it. */
  upload(piece, offset, block) {
    const { length } = block
    super.upload(piece, offset, block)
    this.wire._onUpload(length)
  }

  // Events: the methods of the wire are looked up on it, as its users may replace them there.

  onChoke() {
    this.wire._onChoke()
  }

  onUnchoke() {
    this.wire._onUnchoke()
  }

  onAllowedFast(piece) {
    this.wire._onAllowedFast(piece)
  }

  onReject(piece, offset, length) {
    this.wire._onReject(piece, offset, length)
  }

  onPiece(piece, offset, id, block) {
    this.wire._onPiece(piece, offset, block)
  }

  onCancel(piece, offset, length, wasDelivered, id) {
    if (wasDelivered) this.uploads.cancel(id)
    this.wire._onCancel(piece, offset, length)
  }

  onRequest(piece, offset, length, id) {
    // The core may refuse requests for the sake of those that were removed: rarely enough that each costs little.
    if (this.removed * 2 > this.uploads.requests.size) this.#forgetRemoved()
    this.arrived = id
    try {
      this.wire._onRequest(piece, offset, length)
    } finally {
      // Whoever takes it over, to open it later or never, bounds what waits there.
      if (this.arrived !== NONE) native.answer(this.core.slot, this.arrived)
      this.arrived = NONE
    }
  }

  /**
   * Opens a request of the peer: the one that is being handled, or one that comes from the user.
   *
   * @returns {Function | null} answers it, with `(error, block)`; null if it has to wait, or is refused
   */
  open(piece, offset, length) {
    const id = this.arrived
    this.arrived = NONE
    if (id === NONE) {
      this.late ??= new LateRequests(this)
      return this.late.open(piece, offset, length)
    }
    const respond = (request, requestId, error, block) =>
      this.respond(request, requestId, error, block)
    return this.uploads.open(piece, offset, length, id, respond).callback
  }

  // What users remove from the array

  /** Users may edit the array as soon as they have it: it is looked at when they are done. */
  lendRequests() {
    if (!this.isLooking && !this.isFinished) {
      this.isLooking = true
      READY.then(() => this.#look())
    }
    return this.uploads.requests.toArray()
  }

  #look() {
    this.isLooking = false
    this.#noticeRemoved()
  }

  /** The user assigns another array: requests that are not in it count no longer. */
  replaceRequests(array) {
    this.uploads.requests.adopt(array)
    if (!this.isFinished) this.#forgetRemoved()
  }

  /** How many requests users have removed from the array since it was last looked at. */
  get removed() {
    const { requests } = this.uploads
    if (requests.array === null) return 0
    const lateCount = this.late === null ? 0 : this.late.opened.size
    return requests.size + lateCount + this.surplus - requests.array.length
  }

  #noticeRemoved() {
    if (this.removed !== 0 && !this.isFinished) this.#forgetRemoved()
  }

  /** They count no longer, and make room for those that are held back or would be refused. */
  #forgetRemoved() {
    const { requests } = this.uploads
    const isOpen = new Set(requests.array)
    const isRemoved = (request) => !isOpen.has(request)
    const removed = [...requests.entries()].filter(([, request]) => isRemoved(request))
    for (const [id, request] of removed) this.uploads.leave(id, request)
    if (this.late !== null) this.late.forget(isRemoved)
    this.surplus -= this.removed
    if (removed.length > 0) this.release()
  }

  release() {
    super.release()
    if (this.late !== null) this.late.release()
  }

  // Ends

  /** Both directions end: what waits to leave gets to the reader, if there is one that takes it now. */
  finish(reason) {
    this.flushNow()
    if (this.late !== null) this.late.clear()
    ends.close(this, reason)
    ends.finish(this)
  }
}

/** A reader that throws must not make a rejection of it. */
function endTurn(session) {
  session.isScheduled = false
  if (!session.isFinished) session.flushNow()
}

/** That of bittorrent-protocol. */
WireSession.prototype.keepAliveInterval = 55 * 1000

module.exports = { WireSession }
