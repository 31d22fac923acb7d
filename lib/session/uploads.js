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
    if (!this.requests.has(id, request)) return undefined
    this.#take(id)
    if (error) return null
    if (isAnswer(request, answer)) return toBytes('block', answer)
    this.dropped++
    showDropped(this.wire, request, answer)
    return null
  }

  /** Ends the oldest request that a block of this place and length answers. */
  settle(piece, offset, length) {
    const id = this.requests.find(
      (request) => request.piece === piece && request.offset === offset && request.length === length
    )
    if (id !== undefined) this.#take(id)
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

  /** The peer withdraws a request. */
  cancel(id) {
    this.requests.take(id)
  }

  #take(id) {
    this.requests.take(id)
    native.answer(this.core.slot, id)
  }
}

module.exports = { Uploads }
