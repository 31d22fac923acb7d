// Requests of the peer that are opened after they were handled, as users may replace `_onRequest` on a wire and call
// it later. The core knows of them no longer, so that its limits are kept here: some are open, others have to wait.
'use strict'

/** Bytes for which a request counts besides its block: what it takes in memory, as in the core. */
const OVERHEAD = 192

class LateRequests {
  /** @param {{maxPeerRequests: number, uploadBacklog: number}} settings */
  constructor({ maxPeerRequests, uploadBacklog }) {
    this.maxCount = maxPeerRequests
    this.maxBytes = uploadBacklog
    /** Those that users have in `peerRequests`. */
    this.open = new Set()
    /** Bytes of these. */
    this.bytes = 0
    /** Those that are held back, the oldest first. */
    this.waiting = []
  }

  /** Whether there is no place for one more, not even to wait. */
  get isFull() {
    return this.open.size + this.waiting.length >= this.maxCount
  }

  /** @param {number} unsent - bytes of output */
  hasRoom(unsent) {
    return this.open.size < this.maxCount && this.bytes + unsent <= this.maxBytes
  }

  add(request) {
    this.open.add(request)
    this.bytes += request.length + OVERHEAD
  }

  /** @returns {boolean} whether it was open */
  take(request) {
    if (!this.open.delete(request)) return false
    this.bytes -= request.length + OVERHEAD
    return true
  }

  /** @returns {object | undefined} the oldest that is open for this block */
  find(piece, offset, length) {
    for (const request of this.open) if (isFor(request, piece, offset, length)) return request
    return undefined
  }

  /** @returns {boolean} whether one for this block waited, which is taken out */
  withdraw(piece, offset, length) {
    const at = this.waiting.findIndex((request) => isFor(request, piece, offset, length))
    if (at !== -1) this.waiting.splice(at, 1)
    return at !== -1
  }

  clear() {
    this.open.clear()
    this.waiting.length = 0
    this.bytes = 0
  }
}

function isFor(request, piece, offset, length) {
  return request.piece === piece && request.offset === offset && request.length === length
}

module.exports = { LateRequests }
