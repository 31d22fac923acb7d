// The requests of the peer: their callbacks, and which answers fit them.
'use strict'

const { Request, Requests } = require('./requests.js')
const { toBytes } = require('../arguments.js')
const { isAnswer, showDropped } = require('../diagnostics/answers.js')
const { native } = require('../native.js')

class Uploads {
  /**
   * @param {object} wire - what subscribers get
   * @param {import('./core.js').Core} core
   */
  constructor(wire, core) {
    this.wire = wire
    this.core = core
    this.requests = new Requests()
    /** Answers that did not fit their request. */
    this.dropped = 0
  }

  /**
   * @param {number} piece - piece index
   * @param {number} offset - bytes
   * @param {number} length - bytes
   * @param {number} id - given by the core
   * @param {(request: Request, id: number, error: unknown, answer: unknown) => void} respond
   * @returns {Request}
   */
  open(piece, offset, length, id, respond) {
    const request = new Request(piece, offset, length, (error, answer) =>
      respond(request, id, error, answer)
    )
    this.requests.add(id, request)
    return request
  }

  /**
   * Ends a request, with an answer or without.
   *
   * @param {Request} request
   * @param {number} id
   * @param {unknown} error - truthy for no answer
   * @param {unknown} answer
   * @returns {Uint8Array | null | undefined} the block to send, null for none, undefined if the request is
   *   no longer open
   */
  answer(request, id, error, answer) {
    if (!this.requests.has(id, request)) {
      this.leave(id, request)
      return undefined
    }
    this.requests.take(id)
    if (!error && isAnswer(request, answer)) {
      native.answer(this.core.slot, id)
      return toBytes('block', answer)
    }
    native.decline(this.core.slot, id)
    if (!error) this.countDropped(request, answer)
    return null
  }

  /** An answer does not fit its request. */
  countDropped(request, answer) {
    this.dropped++
    showDropped(this.wire, request, answer)
  }

  /**
   * Takes out the oldest request for this block, without an answer.
   *
   * @returns {Request | undefined}
   */
  forget(piece, offset, length) {
    const id = this.#find(piece, offset, length)
    return id === undefined ? undefined : this.requests.take(id)
  }

  /** Ends the oldest request that a block of this place and length answers. */
  settle(piece, offset, length) {
    const id = this.#find(piece, offset, length)
    if (id === undefined) return
    this.requests.take(id)
    native.answer(this.core.slot, id)
  }

  /**
   * Ends the oldest request for this block without one.
   *
   * @returns {boolean} whether there was one
   */
  reject(piece, offset, length) {
    const id = this.#find(piece, offset, length)
    if (id === undefined) return false
    this.requests.take(id)
    native.decline(this.core.slot, id)
    return true
  }

  /**
   * We choke the peer, and the core drops its requests.
   *
   * @param {(piece: number) => boolean} keeps - whether those for a piece stay
   */
  dropChoked(keeps) {
    this.requests.removeWhere((request) => !keeps(request.piece))
  }

  /**
   * Ends a request with an answer that is not a block. A store may give one when it does not have what the
   * peer requests, so it is not a mistake of the caller.
   *
   * @returns {boolean} whether there was such a request, which has ended now
   */
  drop(piece, offset, answer) {
    const id = this.requests.find((request) => request.piece === piece && request.offset === offset)
    if (id === undefined) return false
    this.answer(this.requests.get(id), id, null, answer)
    return true
  }

  /**
   * Gives all requests away, to whoever answers them from now on.
   *
   * @returns {Request[]} the oldest first
   */
  takeAll() {
    const taken = [...this.requests.entries()]
    this.requests.clear()
    for (const [id] of taken) native.answer(this.core.slot, id)
    return taken.map(([, request]) => request)
  }

  /** The peer withdraws a request. */
  cancel(id) {
    this.requests.take(id)
  }

  /** The user has taken a request out of the array, and so it counts no longer. */
  leave(id, request) {
    if (this.requests.get(id) !== request) return
    this.requests.take(id)
    native.answer(this.core.slot, id)
  }

  #find(piece, offset, length) {
    return this.requests.find(
      (request) => request.piece === piece && request.offset === offset && request.length === length
    )
  }
}

module.exports = { Uploads }
