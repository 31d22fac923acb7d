// `serve()` of a native wire: the I/O thread answers the requests of the peer.
'use strict'

const { native, SocketServe } = require('./native.js')
const { PieceSource } = require('./piece-source.js')

class Serving {
  /** @param {import('./link.js').Link} link */
  constructor(link) {
    this.link = link
    /** @type {PieceSource | null} Kept, as its events are for somebody as long as it is served. */
    this.source = null
  }

  get isOn() {
    return this.source !== null
  }

  /** @param {PieceSource | null} source - null to serve no longer */
  serve(source) {
    if (source !== null) source._numberToServe()
    this.source = source
    if (this.link.takesFrames) this.#start()
  }

  /** There is a socket. */
  open() {
    if (this.isOn) this.#start()
  }

  #start() {
    if (!this.isOn) return this.#order(SocketServe.Stop)
    // It was closed before there was a socket.
    if (this.source.closed) this.source = null
    else this.#inTurn(() => this.#begin())
  }

  #begin() {
    const { number, session } = this.link
    const allowed = session.fast === null ? [] : [...session.fast.allowed]
    native.serve(number, this.source._numberToServe(), session, allowed)
    for (const { piece, offset, length } of session.uploads.takeAll()) {
      this.#order(SocketServe.Receive, piece, offset, length)
    }
    // Those that were held back come here now.
    if (session.intake.isHolding) session.release()
  }

  choke() {
    this.#orderInTurn(SocketServe.Choke)
  }

  unchoke() {
    this.#orderInTurn(SocketServe.Unchoke)
  }

  allowFast(piece) {
    this.#orderInTurn(SocketServe.AllowFast, piece)
  }

  setPieces(count) {
    this.#orderInTurn(SocketServe.SetPieces, count)
  }

  /** The wire has read a request that arrived before ours began. */
  receive(piece, offset, length) {
    this.#order(SocketServe.Receive, piece, offset, length)
  }

  /** The same of a cancel. */
  withdraw(piece, offset, length) {
    this.#order(SocketServe.Withdraw, piece, offset, length)
  }

  #orderInTurn(kind, first = 0) {
    if (this.isOn && this.link.takesFrames) this.#inTurn(() => this.#order(kind, first))
  }

  /**
   * Gives orders after the frames of the wire that say so to the peer. They leave together: else the I/O thread could
   * send a choke and then blocks, or reject what the peer requests at once after an unchoke.
   */
  #inTurn(step) {
    const { session } = this.link
    session.port.together(() => {
      session.output.isWaiting = true
      session.flush()
      step()
    })
  }

  #order(kind, first = 0, second = 0, third = 0) {
    const { link } = this
    if (link.takesFrames) native.orderServing(link.number, kind, first, second, third)
  }
}

/**
 * @param {import('../session/session.js').Session} session
 * @param {unknown} source - a PieceSource, the options of one, or null to serve no longer
 * @throws {TypeError | RangeError} when it is nothing of the kind
 */
function serve({ isClosed, isFinished, port }, source) {
  const { link } = port
  const isMade = source === null || source instanceof PieceSource
  const found = isMade ? source : new PieceSource(source)
  if (isClosed || isFinished || !link.isOpen) return
  link.serving ??= new Serving(link)
  link.serving.serve(found)
}

module.exports = { serve }
