// The requests of both sides, as the arrays of a wire must list them.

/**
 * A request of ours.
 *
 * @typedef {object} Asked
 * @property {number} piece
 * @property {number} offset
 * @property {number} length
 * @property {number} calls of its callback
 * @property {string | null} code of the error that it got
 * @property {boolean} isAccepted whether the wire did not refuse it at once
 * @property {() => void} onSettled called after the callback
 */

export class Requests {
  asked = [] // of ours
  accepted = [] // delivered requests of the peer
  dropped = 0 // answers of ours
  #open = [] // those of `asked` without an answer, oldest first
  #waiting = [] // those of `accepted` without an answer, oldest first
  #wire

  constructor(wire) {
    this.#wire = wire
  }

  /** @returns {Asked} */
  ask(block, isAccepted) {
    const request = { ...block, calls: 0, code: null, isAccepted, onSettled: () => {} }
    this.asked.push(request)
    if (isAccepted) this.#open.push(request)
    return request
  }

  findOpen(block) {
    return this.#open.find((request) => isSame(request, block))
  }

  /** @returns {boolean} whether a callback may be called now */
  settle(request) {
    return remove(this.#open, (open) => open === request) === request.isAccepted
  }

  /** Removes the first unanswered request that matches; returns whether there was one. */
  take(matches) {
    if (this.#wire.writableFinished) this.forget()
    return remove(this.#waiting, matches)
  }

  /** Removes the first unanswered request that matches; its answer did not fit and is not sent. */
  drop(matches) {
    const isThere = this.take(matches)
    if (isThere) this.dropped++
    return isThere
  }

  forget() {
    this.#waiting = []
  }

  onRequest([piece, offset, length, respond]) {
    const request = { piece, offset, length, respond }
    this.#waiting.push(request)
    this.accepted.push(request)
  }

  onCancel([piece, offset, length]) {
    remove(this.#waiting, (request) => isSame(request, { piece, offset, length }))
  }

  /** @returns {string[]} how the arrays of the wire differ */
  check() {
    const { requests, peerRequests, writableFinished } = this.#wire
    if (writableFinished) this.forget()
    const ours = this.#open.map(({ callback }) => callback)
    const theirs = this.#waiting.map(({ respond }) => respond)
    return [...compare('request', requests, ours), ...compare('peer request', peerRequests, theirs)]
  }
}

export const isSame = (a, b) =>
  a.piece === b.piece && a.offset === b.offset && a.length === b.length

function compare(what, requests, callbacks) {
  const problems = []
  if (requests.length !== callbacks.length) {
    problems.push(`${what}s: ${requests.length} instead of ${callbacks.length}`)
  }
  callbacks.forEach((callback, at) => {
    if (requests[at]?.callback !== callback) problems.push(`other ${what} at ${at}`)
  })
  return problems
}

function remove(items, matches) {
  const at = items.findIndex(matches)
  if (at >= 0) items.splice(at, 1)
  return at >= 0
}
