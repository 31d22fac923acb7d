// The native socket of a wire: what the I/O thread says becomes input and ends of the wire.
'use strict'

const { Duplex } = require('node:stream')

const { toAddress } = require('./addresses.js')
const { toDialError, toSocketError } = require('./errors.js')
const { native, record, WILL_DRAIN } = require('./native.js')
const { catchUp, keepAlive, links } = require('./records.js')
const { toProtocolError, unflushed } = require('../errors.js')
const { NO_SLOT } = require('../native.js')
const { copyOf } = require('../own-memory.js')
const { attempt } = require('../session/attempt.js')
const { fail } = require('../session/ends.js')
const { takeInput } = require('../stream/methods.js')

/** No socket yet, or none any more. */
const NONE = -1

/** Output in bytes above which the user is asked to wait. */
const HIGH_MARK = 256 * 1024

class Link {
  /** @param {boolean} isRef - whether it keeps the process alive */
  constructor(isRef) {
    this.number = NONE
    this.wire = null
    this.session = null
    this.isRef = isRef
    this.isOpen = true
    this.isConnected = false
    /** Whether the wire has ended with output before there is a socket, which has only that to do. */
    this.isEnding = false
    /** Output from before there is a socket; null once there is one. */
    this.early = []
    this.local = null
    /** Our address, if one was asked for. */
    this.asked = null
    this.remote = null
    this.isPaused = false
    this.isTruncated = false
    /** Whether nothing follows of our output. */
    this.isClosing = false
    this.isEncrypting = false
    /** Limits of its speed; null for none. */
    this.rates = null
    /** Made when the first piece is fetched. */
    this.fetching = null
    /** Made when something is first served. */
    this.serving = null
    /** Whether nobody has seen the wire: its end need not wait for what the peer still sends. */
    this.isUnseen = false
    /** The place of a peer among those of which a server does not know the torrent yet. */
    this.ticket = null
    /** Callers that wait until what they have sent has left: one record of the socket for each, in their order. */
    this.flushes = []
    /** Bytes that never left. */
    this.lost = 0
    /** Called when the socket is closed. */
    this.onreleased = null
    if (isRef) keepAlive(1)
  }

  /** The wire and its session are made: the socket may be used. */
  attach(wire, session) {
    this.wire = wire
    this.session = session
    this.isEncrypting = session.encryption !== null && !session.encryption.settings.isPlain
    // Nobody reads the stream of a native wire: so that it ends.
    Duplex.prototype.resume.call(wire)
  }

  /** There is a socket. */
  open(number) {
    this.number = number
    links.set(number, this)
    this.session.core.socket = number
    if (this.isEncrypting) native.beginExchange(number)
    for (const bytes of this.early) native.write(number, bytes)
    if (this.early.length > 0) native.send(number)
    this.early = null
    if (this.isEnding) return this.#endAtOnce(number)
    if (this.session.announced !== null) this.handshakeSent()
    this.fetching?.open()
    this.serving?.open()
    this.pace()
    this.#tellFlushes(number)
    // Not before: what is read in a key exchange pauses the socket, and passes the sieve of transfers.
    native.startReading(this.session.core.slot, number)
  }

  #endAtOnce(number) {
    this.pace()
    native.close(number)
    this.#tellFlushes(number)
  }

  /** A peer has opened this socket. */
  accept(number, local, remote) {
    this.isConnected = true
    this.local = local
    this.remote = remote
    this.open(number)
  }

  /** Its limits are in force from now on. */
  pace() {
    if (this.rates !== null && this.number !== NONE) native.pace(this.number, this.rates.numbers)
  }

  // What a wire shows of it, under the names of net.Socket

  get connecting() {
    return this.isOpen && !this.isConnected
  }

  get localAddress() {
    return this.local?.address
  }

  get localPort() {
    return this.local?.port
  }

  get localFamily() {
    return this.local?.family
  }

  get remoteAddress() {
    return this.remote?.address
  }

  get remotePort() {
    return this.remote?.port
  }

  get remoteFamily() {
    return this.remote?.family
  }

  ref() {
    this.setRef(true)
  }

  unref() {
    this.setRef(false)
  }

  /** @param {boolean} isRef - whether it keeps the process alive */
  setRef(isRef) {
    if (isRef === this.isRef || !this.isOpen) return
    this.isRef = isRef
    keepAlive(isRef ? 1 : -1)
  }

  // Output

  write(bytes) {
    if (this.early !== null) this.early.push(copyOf(bytes))
    else if (this.isOpen) native.write(this.number, bytes)
  }

  /** Whether frames go to the socket without passing JavaScript. */
  get takesFrames() {
    return this.early === null && this.isOpen
  }

  send() {
    if (this.number !== NONE) native.send(this.number)
  }

  /** @returns {Promise<void>} settled when all that was sent has been handed to the system, or is lost */
  flushed() {
    if (!this.isOpen)
      return this.lost > 0 ? Promise.reject(unflushed(this.lost)) : Promise.resolve()
    return new Promise((resolve, reject) => {
      this.flushes.push({ resolve, reject })
      if (this.number !== NONE) native.tellFlushed(this.number)
    })
  }

  #tellFlushes(number) {
    this.flushes.forEach(() => native.tellFlushed(number))
  }

  #settleFlushes() {
    const { flushes } = this
    this.flushes = []
    for (const { resolve, reject } of flushes) {
      if (this.lost > 0) reject(unflushed(this.lost))
      else resolve()
    }
  }

  measure() {
    if (this.early !== null) return { unsent: this.#earlyLength, willDrain: false }
    const answer = this.number === NONE ? 0 : native.unsent(this.number)
    return { unsent: answer % WILL_DRAIN, willDrain: answer >= WILL_DRAIN }
  }

  get #earlyLength() {
    return this.early.reduce((length, { byteLength }) => length + byteLength, 0)
  }

  get isFull() {
    return this.measure().unsent >= HIGH_MARK
  }

  handshakeSent() {
    if (this.number !== NONE) native.handshakeSent(this.session.core.slot, this.number)
  }

  /**
   * The I/O thread encrypts from now on.
   *
   * @param {import('../encryption/exchange.js').Exchange | null} exchange - that is over
   * @param {Buffer} payload - what was read after it already
   */
  endExchange(exchange, payload) {
    this.isEncrypting = false
    if (this.number !== NONE) native.endExchange(this.number, exchange?.slot ?? NO_SLOT, payload)
  }

  /**
   * All output is left: it is sent, and then the socket ends. After an error that may not take long. A dial goes on only
   * to send what there is.
   */
  close() {
    if (!this.isOpen) return
    this.isClosing = true
    const isNeeded = this.isConnected ? !this.isUnseen : this.#hasLastWords
    if (this.number === NONE && isNeeded) this.isEnding = true
    else if (this.number === NONE) this.#release(this.#earlyLength)
    else if (!isNeeded) native.destroy(this.number)
    else if (this.wire.error === null) native.close(this.number)
    else native.fail(this.number)
  }

  /** The wire has failed. If it had ended before, what is left of its output has little time from now on. */
  fail() {
    if (this.isClosing && this.number !== NONE) native.fail(this.number)
  }

  /** Whether it has ended with output, and was not destroyed. What is enciphered needs the answer of the peer. */
  get #hasLastWords() {
    const { session } = this
    const hasEnded = session !== null && !session.isClosed && !this.isEncrypting
    return hasEnded && this.measure().unsent > 0
  }

  /** Whether a socket is of use: for the wire, or for its last output. */
  get isWanted() {
    return this.isOpen && (this.isEnding || !this.session.isClosed)
  }

  // What the I/O thread says. All of it runs in the async context of the wire.

  onData(chunk) {
    this.session.inContext(this.#receive.bind(this), chunk)
  }

  #receive(chunk) {
    if (this.wire.writableEnded) return
    if (this.isEncrypting) takeInput(this.session, chunk, () => this.#goOn())
    else if (!takeInput(this.session, chunk)) this.#pause()
  }

  /**
   * A chunk of an exchange was read. The next one is read only now, so that nothing is on its way while the
   * cipher goes to the I/O thread.
   */
  #goOn() {
    if (this.number !== NONE) native.resume(this.number)
  }

  /** Input waits in the wire, which says when it wants more. */
  #pause() {
    if (this.isPaused) return
    this.isPaused = true
    native.pause(this.number)
    this.wire.once('drain', () => {
      this.isPaused = false
      if (this.number !== NONE) native.resume(this.number)
    })
  }

  /** Blocks were received or sent without us, or other messages that were. */
  onProgress(received, sent) {
    const { session, wire } = this
    session.inContext(() => {
      if (session.deadlines !== null) session.deadlines.putOff()
      if (received > 0 && !session.isClosed) session.face.downloaded(wire, received)
      if (sent === 0) return
      if (session.isClosed) wire.uploaded += sent
      else session.face.uploading(wire, sent)
    })
  }

  /** Bytes of a piece are counted before its callers know. */
  onFetched(id, outcome, ranges, received, sent) {
    if (received > 0 || sent > 0) attempt(() => this.onProgress(received, sent))
    this.session.inContext(() => this.fetching?.onFetched(id, outcome, ranges))
  }

  /** The peer has broken a rule that the I/O thread has checked. */
  onViolation(lines) {
    const { session } = this
    session.inContext(() => fail(session, toProtocolError(lines)))
  }

  /** Runs a step when all that was received has been delivered. */
  catchUp(step) {
    catchUp(() => {
      if (this.number !== NONE && native.takeProgress(this.number))
        attempt(() => this.onProgress(record[1], record[2]))
      step()
    })
  }

  onDrained() {
    const { session } = this
    session.inContext(session.release)
  }

  onFlushed() {
    this.flushes.shift()?.resolve()
  }

  /** @param {boolean} isTruncated - inside a block of a fetch, of which the wire does not know */
  onEnded(isTruncated) {
    this.isTruncated = isTruncated
    this.session.inContext(() => this.wire.end())
  }

  onConnected([local, remote]) {
    this.isConnected = true
    this.local = toAddress(local)
    this.remote = toAddress(remote)
    const { session, wire } = this
    if (!session.isClosed) session.inContext(() => wire.emit('connect'))
  }

  /** There will be no socket. */
  giveUp(error) {
    this.#fail(error)
    if (this.isEnding) this.#release(this.#earlyLength)
  }

  /**
   * @param {number} unsent - bytes that were left for the socket
   * @param {string[]} lines - see ./errors.js
   */
  onDialFailed(unsent, lines) {
    this.#fail(toDialError(lines, this.asked))
    this.#release(unsent)
  }

  onFailed([line]) {
    this.#fail(toSocketError(line))
  }

  #fail(error) {
    const { session, wire } = this
    session.inContext(() => wire.destroy(error))
  }

  /** @param {number} unsent - bytes that have not left */
  onClosed(unsent) {
    const { session, wire } = this
    this.#release(unsent)
    // Without an end before, the socket was lost.
    session.inContext(() => {
      if (!wire.writableEnded) wire.destroy()
    })
  }

  #release(unsent) {
    if (!this.isOpen) return
    this.isOpen = false
    links.delete(this.number)
    this.number = NONE
    this.early = null
    this.lost = unsent
    if (this.isRef) keepAlive(-1)
    this.fetching?.close()
    this.#settleFlushes()
    this.ticket?.leave(false)
    this.ticket = null
    this.onreleased?.()
  }
}

module.exports = { Link }
