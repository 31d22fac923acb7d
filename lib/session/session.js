// One connection to a peer: input, commands and ends, independent of the API that users see.
//
// A session drives the core and owns everything that belongs to it. Its face is a table of handlers, each
// called with the object that users have (`wire`); its port takes the output. It knows no more of either.
'use strict'

const { AsyncResource } = require('node:async_hooks')

const { attempt } = require('./attempt.js')
const { Core } = require('./core.js')
const { startDeadlines } = require('./deadlines.js')
const { Downloads } = require('./downloads.js')
const { fail } = require('./ends.js')
const { enableExtensions } = require('./extended.js')
const { Intake } = require('./intake.js')
const { Pieces } = require('./pieces.js')
const { Uploads } = require('./uploads.js')
const { readCounters, toStats } = require('../diagnostics/stats.js')
const { Tracer, isWatched } = require('../diagnostics/trace.js')
const {
  cancelled,
  choking,
  closed,
  memoryChanged,
  pieceLost,
  rejected,
  timedOut,
  toProtocolError,
  withoutFrames
} = require('../errors.js')
const { addon, native, record } = require('../native.js')

/** Makes the error of a request that the core drops, by its reason: see src/binding/record.rs. */
const DROPPED = [closed, choking, pieceLost]

class Session {
  /**
   * @param {object} wire - what users have
   * @param {object} face - its handlers: see FACE in lib/face.js
   * @param {import('../stream/port.js').Port} port
   * @param {object} settings - see lib/options.js
   */
  constructor(wire, face, port, settings) {
    this.wire = wire
    this.face = face
    this.port = port
    this.settings = settings
    this.core = new Core(settings)
    // Events that are delivered after the call that caused them has returned run in the async context in
    // which the session was made. This costs some 50 bytes; a snapshot of AsyncLocalStorage costs 1,400.
    this.context = new AsyncResource('PeerWire')
    this.output = port.makeOutput(this.core)
    this.downloads = new Downloads(this.core)
    this.uploads = new Uploads(wire, this.core)
    this.intake = new Intake(this.core, settings.copyBlocks)
    this.pieces = new Pieces(this.core, settings.pieces)
    // A mirror of the core's state, which users may also write.
    this.amChoking = true
    this.amInterested = false
    this.peerChoking = true
    /** The peer's reserved bytes as two numbers, -1 before its handshake. */
    this.reservedHigh = -1
    this.reservedLow = -1
    /**
     * Info hash of our first handshake, else of the peer's; null before. A string of 20 characters, which takes a
     * fifth of a Buffer.
     */
    this.infoHash = null
    /** What our first handshake announces; null before it. */
    this.announced = null
    /** What the peer's handshake announces; null before it. */
    this.peerAnnounced = null
    /** The listeners of the peer's handshake have run. */
    this.isIntroduced = false
    /** Made once both sides have announced the fast extension. */
    this.fast = null
    /** Made once both sides have chosen version 2. */
    this.hashes = null
    /** Made when the extension protocol is used. */
    this.extensions = null
    /** Whether an extended handshake came before the extension protocol was used: the peer need not repeat it. */
    this.hasMissedHandshake = false
    this.isDispatching = false
    /** Whether output waits for the end of a step. */
    this.isGathering = false
    /** Nothing more is delivered from the peer. */
    this.isClosed = false
    /** Both directions have ended. */
    this.isFinished = false
    /** Why the session fails, or has failed. */
    this.failure = null
    /** Whether the core was last told that output waits outside of it. */
    this.hasUnsent = false
    /** A chunk that was received during the dispatch, and waits for its end. */
    this.queued = null
    this.keepAliveTimer = null
    /** What the core had counted at the end. */
    this.counters = null
    if (settings.extensions) enableExtensions(this)
    this.deadlines = startDeadlines(settings, (error) => this.inContext(fail, this, error), port)
    this.tracer = settings.transcript > 0 ? new Tracer(wire, this.core, settings) : null
    this.trace()
  }

  /**
   * Runs a step in the session's own async context.
   *
   * @param {Function} step - of the session
   * @param {...unknown} args - of the step
   */
  inContext(step, ...args) {
    this.context.runInAsyncScope(step, this, ...args)
  }

  /** The addon, for modules that are loaded late: they may be of another copy of the code, with its own queue. */
  get native() {
    return native
  }

  // Commands

  choke() {
    if (this.amChoking) return
    this.amChoking = true
    // BEP 3: a choked peer gets no answers, so the requests that wait are dropped.
    if (this.fast === null) this.uploads.requests.clear()
    else this.uploads.dropChoked((piece) => this.fast.allowed.has(piece))
    native.choke(this.core.slot)
    this.port.choked(true)
    this.sent()
  }

  unchoke() {
    if (!this.amChoking) return
    this.amChoking = false
    native.unchoke(this.core.slot)
    this.port.choked(false)
    this.sent()
  }

  interested() {
    if (this.amInterested) return
    this.amInterested = true
    native.interested(this.core.slot)
    this.sent()
  }

  uninterested() {
    if (!this.amInterested) return
    this.amInterested = false
    native.notInterested(this.core.slot)
    this.sent()
  }

  have(piece) {
    native.have(this.core.slot, piece)
    this.sent()
  }

  bitfield(bits) {
    native.sendBitfield(this.core.slot, bits)
    this.sent()
  }

  haveAll() {
    native.haveAll(this.core.slot)
    this.sent()
  }

  haveNone() {
    native.haveNone(this.core.slot)
    this.sent()
  }

  suggest(piece) {
    native.suggest(this.core.slot, piece)
    this.sent()
  }

  allowedFast(piece) {
    this.fast.allowed.add(piece)
    native.allowedFast(this.core.slot, piece)
    this.port.allowedFast(piece)
    this.sent()
  }

  /** Rejects the oldest request of the peer for this block; does nothing if none waits. */
  reject(piece, offset, length) {
    if (this.uploads.reject(piece, offset, length)) this.declined()
  }

  /** @param {number} count - of the torrent; what the peer has announced must fit */
  setPieces(count) {
    this.pieces.setCount(count)
    native.setPieces(this.core.slot, count)
    this.port.piecesKnown(count)
    this.face.piecesKnown(this.wire, this.pieces)
    // The next event reports it if it does not fit.
    this.goOn()
  }

  /** Delivers the events that follow from what was just done, before further input. */
  goOn() {
    if (!this.isDispatching) return this.poll()
    this.intake.goOn()
    // The reader of the output is called when the input of the dispatch is used up.
    this.#pollSoon()
  }

  dhtPort(port) {
    native.port(this.core.slot, port)
    this.sent()
  }

  extended(id, payload) {
    native.extended(this.core.slot, id, payload)
    this.sent()
  }

  /** Calls the callback at once if the request cannot be sent. */
  request(piece, offset, length, callback) {
    if (this.isFinished || this.failure !== null) return callback(closed())
    if (this.peerChoking && !this.fast?.peerAllows(piece)) return callback(choking())
    this.downloads.open(piece, offset, length, callback)
    this.port.requested(piece, offset, length)
    this.sent()
  }

  /** Cancels the oldest request for this block; the message is sent even if there is none. */
  cancel(piece, offset, length) {
    const request = this.downloads.withdraw(piece, offset, length)
    if (request !== undefined) this.settle(request, cancelled(), null)
    native.cancel(this.core.slot, piece, offset, length)
    this.sent()
  }

  /**
   * Withdraws a request that has been ended early, with a cancel if the peer knows of it.
   *
   * @param {number} id
   * @param {unknown} error - for its callback
   */
  withdraw(id, error) {
    const request = this.downloads.requests.take(id)
    if (request === undefined) return
    native.withdraw(this.core.slot, id)
    this.output.isWaiting = true
    // The callback first: a reader of the cancel may cause events, before which the request must have ended.
    try {
      this.settle(request, error, null)
    } finally {
      this.sent()
    }
  }

  /** Sends a block, which answers a request for it if one is open. */
  piece(piece, offset, block) {
    this.uploads.settle(piece, offset, block.length)
    this.upload(piece, offset, block)
  }

  /** Drops an answer that is not a block; returns whether a request was open for it. */
  dropAnswer(piece, offset, answer) {
    const isDropped = this.uploads.drop(piece, offset, answer)
    if (isDropped) this.declined()
    return isDropped
  }

  /**
   * Limits how long the oldest request may wait.
   *
   * @param {number} ms - 0 for no limit
   */
  setTimeout(ms) {
    this.downloads.setTimeout(ms, () => {
      const { oldest } = this.downloads.requests
      this.port.catchUp(() => this.inContext(this.#expire, oldest))
    })
  }

  /** @param {boolean} isOn */
  setKeepAlive(isOn) {
    clearInterval(this.keepAliveTimer)
    this.keepAliveTimer = null
    if (!isOn || this.isFinished) return
    const tick = () => this.inContext(this.keepAlive)
    this.keepAliveTimer = setInterval(tick, this.keepAliveInterval)
  }

  /** A user has assigned to the mirror of the core's state. */
  overwriteState() {
    const { amChoking, amInterested, peerChoking } = this
    native.overwriteState(this.core.slot, +!!amChoking, +!!amInterested, +!!peerChoking)
    this.port.choked(!!amChoking)
  }

  keepAlive() {
    native.keepAlive(this.core.slot)
    this.sent()
  }

  /**
   * The core has output: it is flushed now, or at the end of the dispatch. A piped stream is corked during
   * the dispatch and gets it at once, so that it is sent even if a listener ends that stream.
   */
  sent() {
    this.output.isWaiting = true
    this.trace()
    if (this.isGathering) return
    if (!this.isDispatching || this.port.isPiped || this.output.isFull) this.flush()
  }

  /**
   * Pushes what a step sends at once, at its end.
   *
   * @param {() => void} step - which calls no code of the user
   */
  gather(step) {
    this.isGathering = true
    try {
      step()
    } finally {
      this.isGathering = false
      if (this.output.isWaiting) this.sent()
    }
  }

  /** Answers a request of the peer, unless it is no longer open. */
  respond(request, id, error, answer) {
    const block = this.uploads.answer(request, id, error, answer)
    if (block === undefined) return
    if (block === null) this.declined()
    else this.upload(request.piece, request.offset, block)
  }

  /** This frees room: requests that are held back may be delivered, even if a listener throws. */
  upload(piece, offset, block) {
    const { length } = block
    try {
      this.face.uploading(this.wire, length)
      if (this.isFinished) return
      if (this.output.addBlock(piece, offset, block, length)) this.sent()
      else this.#failLost()
    } finally {
      this.#releaseHeld()
    }
  }

  /** A request of the peer ended without a block. This frees room, and with BEP 6 rejects it. */
  declined() {
    try {
      if (this.fast !== null) this.sent()
    } finally {
      this.#releaseHeld()
    }
  }

  #releaseHeld() {
    if (this.intake.isHolding) this.release()
  }

  // Output

  /** Pushes all output now. */
  flush() {
    if (!this.output.isWaiting || this.output.isFlushing) return
    try {
      this.output.flush()
    } finally {
      this.#afterFlush()
    }
  }

  #afterFlush() {
    if (this.output.isLost && this.failure === null) this.#failLost()
    // The next event reports the failure.
    if (this.output.isBroken) this.#pollSoon()
    this.release()
  }

  /** Puts bytes of a user into the readable side, after all that was sent before. */
  insert(put) {
    if (this.output.isFlushing) return this.output.insert(put)
    this.flush()
    return put()
  }

  /**
   * The output may have drained: tells the core how much waits outside of it, and resumes the delivery of
   * requests that are held back.
   */
  release() {
    const { port } = this
    port.measure()
    const { waiting, ahead } = port
    const hasUnsent = waiting > 0 || ahead > 0
    // Sent even if unchanged, because equal numbers may stand for other bytes; and of a native socket even if there
    // are none, as the addon has told the core what it has left with that.
    if (hasUnsent || this.hasUnsent || port.isNative)
      native.setUnsent(this.core.slot, waiting, ahead)
    this.hasUnsent = hasUnsent
    if (this.extensions !== null) this.extensions.onDrain?.()
    if (this.fetching !== null && this.fetching.isHeld) this.#fillSoon()
    if (!this.intake.isHolding) return
    this.intake.isHolding = false
    this.#pollSoon()
  }

  /** Flushes the output of a dispatch, and uncorks the stream we are piped into. */
  uncork() {
    try {
      this.flush()
    } finally {
      this.port.uncork()
    }
  }

  /** Nothing is to be pushed while the stream is being read. */
  #fillSoon() {
    process.nextTick(() => this.inContext(() => this.fetching.fill()))
  }

  #pollSoon() {
    process.nextTick(() => this.inContext(this.poll))
  }

  /** @returns {number} bytes whose departure {@link release} will notice */
  get held() {
    const { output, port } = this
    port.measure()
    return output.length + port.waiting
  }

  /** @returns {number} bytes that wait to be read, or to be taken by the stream we are piped into */
  get unsent() {
    const { output, port } = this
    port.measure()
    return output.length + port.waiting + port.ahead
  }

  // Input

  /**
   * Hands a chunk to the core and delivers each message in it.
   *
   * An error that a listener throws is thrown again in the next tick: thrown from here it would leave
   * Node's Writable stuck in this write, and the rest of the chunk undelivered.
   *
   * @param {Buffer} chunk - read only until `done` is called
   * @param {() => void} done
   */
  receive(chunk, done) {
    if (this.deadlines !== null) this.deadlines.putOff()
    if (this.isDispatching) {
      // A listener, or the reader of our output, writes to the wire.
      this.queued = { chunk, length: chunk.length, done }
      return
    }
    if (!this.intake.keep(chunk)) this.#dispatch(chunk)
    done()
  }

  /** Delivers the events that the core has without new input. Does nothing within a dispatch. */
  poll() {
    if (!this.isDispatching) this.#dispatch(null)
  }

  #dispatch(chunk) {
    this.isDispatching = true
    try {
      this.#run(chunk, chunk === null ? 0 : chunk.length)
    } finally {
      if (this.queued !== null) this.#runAllQueued()
      this.isDispatching = false
    }
  }

  /** Delivers a chunk, or without one the events that the core has. `length`: of the chunk when lent. */
  #run(chunk, length) {
    this.port.cork()
    this.trace()
    try {
      this.intake.drain(chunk, length, this)
      if (this.failure !== null) attempt(endFailed, this)
    } finally {
      attempt(uncork, this)
    }
  }

  /** Delivers chunks that were received meanwhile, one after the other and never nested. */
  #runAllQueued() {
    while (this.queued !== null) {
      const { queued } = this
      this.queued = null
      this.inContext(this.#runQueued, queued)
    }
  }

  #runQueued({ chunk, length, done }) {
    this.#run(chunk, length)
    attempt(done)
  }

  #failLost() {
    this.onLost()
    this.#pollSoon()
  }

  /** Memory that was lent to us was transferred or resized. */
  onLost() {
    this.failure ??= memoryChanged()
    native.close(this.core.slot)
  }

  /** @param {Buffer} infoHash - that the peer wants, and that is served */
  tellServed(infoHash) {
    const { onserved } = this
    if (onserved === null) return
    this.onserved = null
    attempt(onserved, infoHash)
  }

  /** The core has answered a message by itself, in a dispatch: at its end all answers leave together. */
  onReplied() {
    this.output.isWaiting = true
    this.trace()
  }

  /** Shows the frame just delivered: a subscriber may act on the wire, as a listener may. */
  onDelivered() {
    this.trace()
  }

  // Events

  /** Each open request follows as a RequestDropped event, or with BEP 6 is answered by the peer. */
  onChoke() {
    this.peerChoking = true
    if (this.fast !== null) this.fast.awaitRejects()
    if (this.fetching !== null) this.fetching.choked()
    this.face.choke(this.wire)
  }

  onUnchoke() {
    this.peerChoking = false
    if (this.fetching !== null) this.fetching.fill()
    this.face.unchoke(this.wire)
  }

  onAllowedFast(piece) {
    this.fast.peerAllowed.add(piece)
    if (this.fetching !== null) this.fetching.fill()
    this.face.allowedFast(this.wire, piece)
  }

  /** `id` is 0 for a request that was given up before. */
  onReject(piece, offset, length, id) {
    const request = id === 0 ? undefined : this.downloads.requests.take(id)
    if (request !== undefined) attempt(settle, this, request, withoutFrames(rejected), null)
    if (!this.isClosed) this.face.reject(this.wire, piece, offset, length)
  }

  onRequest(piece, offset, length, id) {
    if (this.port.takesRequest(piece, offset, length)) return native.answer(this.core.slot, id)
    const respond = (...args) => this.respond(...args)
    const request = this.uploads.open(piece, offset, length, id, respond)
    this.face.request(this.wire, piece, offset, length, request.callback)
  }

  onCancel(piece, offset, length, wasDelivered, id) {
    if (wasDelivered) this.uploads.cancel(id)
    else if (this.port.takesCancel(piece, offset, length)) return
    this.face.cancel(this.wire, piece, offset, length)
  }

  /**
   * A block may already be in flight when we cancel or the peer chokes us, so 'piece' is emitted for one that
   * answers no open request (`id` 0), too. A strict wire has failed before it gets here.
   */
  onPiece(piece, offset, id, block) {
    const { face, wire } = this
    // Read first, as the callback may transfer the block.
    const { length } = block
    const request = id === 0 ? undefined : this.downloads.requests.take(id)
    if (request !== undefined) attempt(settle, this, request, null, block)
    if (this.isClosed) return
    attempt(face.downloaded, wire, length)
    if (!this.isClosed) face.piece(wire, piece, offset, block)
  }

  /**
   * The peer says that it has a piece no longer (BEP 54). The caller goes on, as requests may be dropped.
   *
   * @param {Buffer} payload - of its message
   * @returns {{outcome: number, piece: number}} of addon.DontHaveOutcome; the piece if it is lost
   */
  readDontHave(payload) {
    const outcome = native.readDontHave(this.core.slot, payload)
    const piece = record[1]
    if (outcome === addon.DontHaveOutcome.Lost) {
      this.port.lost(piece)
      if (this.fetching !== null) this.fetching.lost(piece)
      this.face.pieceLost(this.wire, piece, this.pieces)
    }
    return { outcome, piece }
  }

  onRequestDropped(id, reason) {
    const request = this.downloads.requests.take(id)
    if (request === undefined) return
    const error = this.failure ?? withoutFrames(DROPPED[reason])
    this.settle(request, error, null)
  }

  onFailed() {
    this.failure ??= readFailure(this.core.slot)
  }

  settle(request, error, block) {
    const isRunning = (this.fast !== null || !this.peerChoking) && !this.isFinished
    this.downloads.settle(request, error, block, isRunning)
  }

  /** The peer has choked us for long, and neither answered nor rejected these requests. */
  dropOverdue(requests) {
    for (const [id, { piece, offset, length }] of requests) {
      // The callback of an earlier one may have cancelled it, and requested the same block again.
      if (this.downloads.requests.get(id) === undefined) continue
      const request = this.downloads.withdraw(piece, offset, length)
      if (request !== undefined) attempt(settle, this, request, withoutFrames(choking), null)
    }
  }

  /** Requests that were held back, as the peer keeps only so many, may have left for those given up. */
  #gaveUp() {
    if (this.extensions !== null) this.sent()
  }

  /** @param {import('./requests.js').Request | undefined} oldest - when its time was up */
  #expire(oldest) {
    // Its answer may have come since, or the user has taken its time limit away.
    if (oldest !== undefined && !this.downloads.isTimed(oldest)) return
    const request = this.downloads.expire()
    this.#gaveUp()
    if (request !== undefined) this.settle(request, timedOut(), null)
    this.face.timeout(this.wire)
  }

  /** @returns {object} see docs/diagnostics.md */
  stats() {
    const counters = this.counters ?? readCounters(this.core)
    const { servedRequests, ...counted } = toStats(counters, this.intake.skipped)
    return {
      ...counted,
      droppedAnswers: this.uploads.dropped,
      requests: this.downloads.requests.size,
      peerRequests: this.uploads.requests.size + servedRequests,
      bufferedAmount: this.unsent,
      requestLatency: this.downloads.latency === null ? null : this.downloads.latency.toStats()
    }
  }

  /** Shows frames to subscribers, from the moment they subscribe. */
  trace() {
    if (this.tracer === null) {
      if (!isWatched()) return
      this.tracer = new Tracer(this.wire, this.core, this.settings)
    }
    this.tracer.follow()
  }
}

/**
 * Ms between two keep-alives. Peers drop a connection after about two minutes of silence: BEP 3
 * <https://www.bittorrent.org/beps/bep_0003.html>.
 */
Session.prototype.keepAliveInterval = 60 * 1000

// Of the few sessions that encrypt, see encrypted.js; the others do not grow by it.

/** @type {import('../encryption/wire-exchange.js').WireExchange | null} */
Session.prototype.encryption = null
/** Whether input has to wait before it is read. */
Session.prototype.delaysInput = false

// Of those that a server shows then.

/** @type {((infoHash: Buffer) => void) | null} called when it is known that the peer wants a torrent that is served */
Session.prototype.onserved = null

// Of those that fetch pieces as a stream, see ../pieces/stream-fetching.js.

/** @type {import('../pieces/stream-fetching.js').StreamFetching | null} */
Session.prototype.fetching = null

/** The face closes a session that has failed, after the output has been flushed. */
function endFailed(session) {
  attempt(flush, session)
  session.face.failed(session.wire, session.failure)
}

function settle(session, request, error, block) {
  session.settle(request, error, block)
}

function flush(session) {
  session.flush()
}

function uncork(session) {
  session.uncork()
}

function readFailure(slot) {
  const text = Buffer.alloc(256)
  const length = native.readFailure(slot, text)
  return toProtocolError(text.toString('utf8', 0, length).split('\n'))
}

module.exports = { Session }
