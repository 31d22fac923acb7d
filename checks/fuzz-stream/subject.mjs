// A wire under test and the actions of its user.
import { EXTENDED_FLAG } from '../../testkit/hostile/extended-messages.mjs'
import { bytesOf, cut, encodeMessage } from '../../testkit/messages.mjs'
import { Extending } from './extending.mjs'
import { Limits } from './limits.mjs'
import { Belongings } from './memory.mjs'
import { Observer } from './observer.mjs'
import { splitRejects } from './output.mjs'
import { Reader } from './reader.mjs'
import { isSame } from './requests.mjs'

export class Subject {
  #scene
  #chunks // still to be received, the last one first
  #belongings
  #asksForFast
  #isStrict
  #isGreeted = false
  #greetsAtOnce
  #uses
  #random
  #allowed = new Set() // pieces that the peer may request while we choke

  /**
   * @param {import('./scene.mjs').Scene} scene
   * @param {import('./stream-case.mjs').Setup} setup
   * @param {object} random
   */
  constructor(scene, setup, random) {
    const { name, input, options, setsPieces } = setup
    this.#scene = scene
    this.#belongings = new Belongings(random)
    this.#chunks = cut(input.bytes, input.sizes).toReversed()
    this.name = name
    this.createWire = setup.createWire
    // The wire itself, where `front` may be a proxy of it.
    this.raw = setup.createWire(setsPieces ? { ...options, pieces: undefined } : options)
    this.wire = setup.front(this.raw)
    if (setsPieces) this.wire.setPieces(options.pieces)
    this.#asksForFast = input.asksForFast
    this.#isStrict = options.policy === 'strict'
    this.extending = new Extending(this, scene, options)
    // Before the listeners of the observer, which may throw.
    if (setup.greetsAt !== null) this.wire.once(setup.greetsAt, () => this.#greet())
    this.observer = new Observer(this, scene, setup, this.#belongings)
    this.reader = new Reader(this, random, setup.mayPipe)
    this.#greetsAtOnce = setup.greetsAt === null && input.asksForFast
    this.#uses = setup.uses
    this.#random = random
  }

  /** What the user does before anything is received. */
  start() {
    if (this.#greetsAtOnce) this.#greet()
    this.useAt(null)
  }

  /** @param {string | null} place event in whose listeners extensions are used */
  useAt(place) {
    for (const { name, at } of this.#uses) {
      if (at === place) this.#scene.attempt(() => this.extending.use(name, this.#random))
    }
  }

  /** The handshake with which the extension is agreed on precedes the first message of the peer. */
  #greet() {
    if (!this.#isGreeted) this.handshake({ fast: this.#asksForFast })
  }

  // Actions of the user

  /** A call whose frame must be sent, unless the wire has ended. */
  send(message, call) {
    this.observer.expect(encodeMessage(message))
    call()
  }

  /** @param {object} extensions for a first handshake `fast` is replaced by what the case needs */
  handshake(extensions, fill = 7) {
    const wanted = this.#isGreeted ? extensions : { ...extensions, fast: this.#asksForFast }
    const [infoHash, peerId] = [fill, fill + 1].map((first) => ({ size: 20, fill: first }))
    const call = () => this.wire.handshake(bytesOf(infoHash), bytesOf(peerId), wanted)
    if (this.#isGreeted && this.#isStrict) return this.#refused(call, 'ERR_PWP_HANDSHAKE_SENT')
    this.#isGreeted = true
    const reserved = reservedOf(wanted)
    const message = { type: 'handshake', reserved, infoHash, peerId }
    const announces = (reserved[5] & EXTENDED_FLAG) !== 0
    return this.send(message, () => this.extending.handshake(announces, call))
  }

  /** What we tell a peer that has agreed on the fast extension. */
  tell(message, call) {
    if (!this.wire.hasFast) return this.#refused(call, 'ERR_PWP_NO_FAST')
    if (message.type === 'allowed-fast') this.#allowed.add(message.piece)
    return this.send(message, call)
  }

  reject({ piece, offset, length }) {
    const call = () => this.wire.reject(piece, offset, length)
    if (!this.wire.hasFast) return this.#refused(call, 'ERR_PWP_NO_FAST')
    this.observer.requests.refuse((request) => isSame(request, { piece, offset, length }))
    return call()
  }

  /** A call that must throw an error with this code, unless the wire is over, and change nothing. */
  #refused(call, code) {
    const before = this.#scene.describe()
    try {
      call()
      if (!this.wire.writableFinished) this.problem(`no ${code}`)
    } catch (error) {
      if (error.code !== code) throw error
    }
    if (this.#scene.describe() !== before) this.problem(`${code}, but something has changed`)
  }

  request(block) {
    const { callback } = this.observer.ask(block)
    this.wire.request(block.piece, block.offset, block.length, callback)
  }

  /** A request that a signal or a deadline may end. */
  requestWithin(block) {
    const limits = new Limits(this.observer, this.#random)
    const { callback } = this.observer.ask(block, limits)
    this.wire.request(block.piece, block.offset, block.length, limits.options, callback)
  }

  /** Messages that the callback of the cancelled request sends go before the cancel message. */
  cancel(block) {
    const withdrawn = this.observer.requests.findOpen(block)
    const expect = () => this.observer.expect(encodeMessage({ type: 'cancel', ...block }))
    if (withdrawn) withdrawn.onSettled = expect
    else expect()
    this.wire.cancel(block.piece, block.offset, block.length)
  }

  choke() {
    if (this.wire.amChoking) return this.wire.choke()
    this.observer.requests.choke(this.#allowed)
    this.send({ type: 'choke' }, () => this.wire.choke())
  }

  piece(piece, offset, block) {
    // It answers the oldest request for this block.
    const answered = { piece, offset, length: block.size }
    this.observer.requests.take((request) => isSame(request, answered))
    this.wire.piece(piece, offset, this.#promise({ piece, offset }, block))
  }

  /** Sends what is not a block: dropped if a request is open there, else an invalid argument. */
  pieceOfNothing({ piece, offset }, answer) {
    const isThere = (request) => request.piece === piece && request.offset === offset
    const call = () => this.wire.piece(piece, offset, answer)
    if (this.observer.requests.drop(isThere)) call()
    else this.misuse(call)
  }

  answer(request, block) {
    const { respond } = request
    const isWaiting = this.observer.requests.take((waiting) => waiting.respond === respond)
    respond(null, isWaiting ? this.#promise(request, block) : bytesOf(block))
  }

  /** Gives an answer that does not fit: nothing is sent, and the request is settled. */
  answerWrongly({ respond }, answer) {
    this.observer.requests.drop((waiting) => waiting.respond === respond)
    respond(null, answer)
    this.observer.checkDropped()
  }

  refuse({ respond }) {
    this.observer.requests.refuse((waiting) => waiting.respond === respond)
    respond(new Error('no such block'))
  }

  /** Returns the bytes of a block in memory that may be taken away. */
  #promise({ piece, offset }, block) {
    const bytes = this.#belongings.lendBlock(bytesOf(block))
    this.observer.output.promise(encodeMessage({ type: 'piece', piece, offset, block }), bytes)
    return bytes
  }

  /** Passes the next chunk of the peer to `write`. */
  receive(write) {
    if (this.isEnded || this.#chunks.length === 0) return
    this.observer.hearing.take(this.#belongings.lendChunk(this.#chunks.pop()), write)
  }

  /** Another wire of the case, if any. */
  get neighbour() {
    const { subjects } = this.#scene
    return subjects[(subjects.indexOf(this) + 1) % subjects.length]
  }

  uncork() {
    this.observer.hearing.uncork()
    this.wire.uncork()
  }

  /** @param {Buffer} [chunk] the last one of the peer */
  end(chunk) {
    this.observer.hearing.isEnded = true
    this.wire.end(chunk)
  }

  destroy(error) {
    const { wire } = this
    this.observer.hearing.isEnded = true
    if (wire.destroyed) return void wire.destroy(error)
    this.observer.hearing.failure = error ?? null
    wire.destroy(error)
    if (!wire.destroyed || this.observer.closes !== 1) this.problem("destroy() without 'close'")
  }

  get isEnded() {
    return this.observer.hearing.isEnded
  }

  /** Takes away the memory of a received block or of a chunk. */
  loseInput() {
    this.#scene.lose(this.#belongings.pickInput())
  }

  /** Takes away the memory of a sent block. In a pipe nobody checks it, so not before all of it is read. */
  loseOutput() {
    if (!this.reader.isPipe || this.#isAllRead) this.#scene.lose(this.#belongings.pickOutput())
  }

  /** What was read, apart from rejects. */
  get readBytes() {
    const { bytes } = this.reader
    return this.wire.hasFast ? splitRejects(bytes) : { rest: bytes, rejects: [] }
  }

  get #isAllRead() {
    return this.wire.readableLength + this.reader.waiting === 0
  }

  /** Notes that memory was taken away. */
  noteLoss(memory) {
    this.observer.hearing.noteLoss(memory)
    const { length } = this.wire.hasFast ? this.readBytes.rest : this.reader
    this.observer.output.noteLoss(memory, length)
  }

  /** An invalid call must throw one of these kinds of errors, naming `names`, and change nothing. */
  misuse(call, { kinds = [TypeError, RangeError], names = '' } = {}) {
    const before = this.#scene.describe()
    try {
      call()
      this.problem('a wrong call was taken')
    } catch (error) {
      if (!kinds.some((kind) => error instanceof kind)) throw error
      if (!error.message.includes(names)) this.problem(`no word of ${names} in ${error.message}`)
    }
    if (this.#scene.describe() !== before) this.problem('a wrong call has changed something')
  }

  /** The state that an invalid call must not change. */
  describe() {
    const { requests, peerRequests, bufferedAmount, amChoking, amInterested, destroyed } = this.wire
    const lengths = [requests.length, peerRequests.length, bufferedAmount]
    const { extendedMapping, extendedHandshake, peerExtendedMapping } = this.raw
    const extending = [extendedMapping, extendedHandshake, peerExtendedMapping]
    return JSON.stringify([...lengths, amChoking, amInterested, destroyed, ...extending])
  }

  /** Does what a user may do when output is read. */
  onOutput(chunk, isPiped) {
    if (typeof chunk !== 'string' && this.#isAllRead) this.#scene.mayLose(chunk)
    if (isPiped) this.#scene.meddle(this)
    else this.#scene.react(this, 'data')
  }

  // How it ends

  get isAtRest() {
    const { bufferedAmount, writableLength } = this.wire
    return bufferedAmount + writableLength + this.reader.waiting === 0
  }

  /** Writes the rest of the input, unless the user has ended the wire. */
  receiveAll() {
    while (!this.isEnded && this.#chunks.length > 0) {
      this.receive((chunk) => this.wire.write(chunk))
    }
  }

  checkReaction() {
    this.observer.checkReaction(!this.isEnded && this.#chunks.length === 0)
  }

  checkEnd() {
    this.observer.checkEnd()
  }

  problem(what) {
    this.#scene.problem(`${this.name}: ${what}`)
  }
}

/** The reserved bytes of our handshake. */
function reservedOf({ dht, extended, fast, v2, reserved }) {
  const bytes = [...(reserved ?? Buffer.alloc(8))]
  if (extended ?? true) bytes[5] |= 0x10
  for (const [flag, isAsked] of Object.entries({ 1: dht, 4: fast, 0x10: v2 })) {
    if (isAsked) bytes[7] |= flag
  }
  return bytes
}
