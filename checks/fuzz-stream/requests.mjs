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
 * @property {number} chokedAt when the peer has choked us since, Infinity if it has not
 * @property {boolean} isAccepted whether the wire did not refuse it at once
 * @property {() => void} onSettled called after the callback
 * @property {import('./limits.mjs').Limits | null} limits what ends it early
 */

export class Requests {
  asked = [] // of ours
  accepted = [] // delivered requests of the peer
  dropped = 0 // answers of ours
  rejected = [] // those of `accepted` that the wire had to reject, as text
  #open = [] // those of `asked` without an answer, oldest first
  #waiting = [] // those of `accepted` without an answer, oldest first
  #wire

  constructor(wire) {
    this.#wire = wire
  }

  /** @returns {Asked} */
  ask(block, isAccepted) {
    const request = {
      ...block,
      calls: 0,
      code: null,
      isAccepted,
      chokedAt: Infinity,
      onSettled: () => {},
      limits: null
    }
    this.asked.push(request)
    if (isAccepted) this.#open.push(request)
    return request
  }

  get open() {
    return this.#open
  }

  findOpen(block) {
    return this.#open.find((request) => isSame(request, block))
  }

  /** @returns {boolean} whether a callback may be called now */
  settle(request) {
    const isOpen = remove(this.#open, (open) => open === request) !== undefined
    return isOpen === request.isAccepted
  }

  /** Removes the first unanswered request that matches; returns whether there was one. */
  take(matches) {
    return this.#take(matches) !== undefined
  }

  #take(matches) {
    if (this.#wire.writableFinished) this.#waiting = []
    return remove(this.#waiting, matches)
  }

  /** Removes the first unanswered request that matches and gets no block. */
  refuse(matches) {
    const refused = this.#take(matches)
    if (refused !== undefined) this.#noteRejects([refused])
    return refused !== undefined
  }

  /** Removes the first unanswered request that matches; its answer did not fit and is not sent. */
  drop(matches) {
    const isThere = this.refuse(matches)
    if (isThere) this.dropped++
    return isThere
  }

  /** We choke the peer; with the fast extension requests for these pieces stay. */
  choke(allowed) {
    const isKept = ({ piece }) => this.#wire.hasFast && allowed.has(piece)
    this.#noteRejects(this.#waiting.filter((request) => !isKept(request)))
    this.#waiting = this.#waiting.filter(isKept)
  }

  /** Nothing is sent after the end, nor after a failure. */
  #noteRejects(requests) {
    if (this.#wire.writableFinished || this.#wire._getSession().failure !== null) return
    this.rejected.push(...requests.map(describe))
  }

  onRequest([piece, offset, length, respond]) {
    const request = { piece, offset, length, respond }
    this.#waiting.push(request)
    this.accepted.push(request)
  }

  onCancel([piece, offset, length]) {
    const cancelled = remove(this.#waiting, (one) => isSame(one, { piece, offset, length }))
    if (cancelled !== undefined) this.#noteRejects([cancelled])
  }

  /** @returns {string[]} how the arrays of the wire differ */
  check() {
    const { requests, peerRequests, writableFinished } = this.#wire
    if (writableFinished) this.#waiting = []
    // The wire has a callback of its own for a request with limits.
    const ours = this.#open.map(({ callback, limits }) => (limits === null ? callback : null))
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
    const isOther = callback !== null && requests[at]?.callback !== callback
    if (isOther) problems.push(`other ${what} at ${at}`)
  })
  return problems
}

const describe = ({ piece, offset, length }) => [piece, offset, length].join()

/** Returns the item that was removed, if any. */
function remove(items, matches) {
  const at = items.findIndex(matches)
  return at >= 0 ? items.splice(at, 1)[0] : undefined
}
