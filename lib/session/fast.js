// The fast extension, BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>, on the side of JavaScript: the
// allowed pieces, and how long a peer that chokes may take to reject.
'use strict'

const { Deadline } = require('./deadlines.js')

/** Made once both sides have announced the extension. */
class Fast {
  /**
   * @param {import('./downloads.js').Downloads} downloads
   * @param {number} rejectTimeout - ms, 0 for no limit
   * @param {(requests: [number, import('./requests.js').Request][]) => void} onOverdue - gets their ids, too
   * @param {import('../stream/port.js').Port} port
   */
  constructor(downloads, rejectTimeout, onOverdue, port) {
    /** Pieces that we serve even while we choke. */
    this.allowed = new Set()
    /** Pieces that the peer serves even while it chokes. */
    this.peerAllowed = new Set()
    this.downloads = downloads
    this.rejectTimeout = rejectTimeout
    this.onOverdue = onOverdue
    this.port = port
    /** Of the requests that were open when the peer choked us; null if it need not reject any. */
    this.deadline = null
    /** Id of the newest request when the peer last choked us. */
    this.newest = 0
  }

  /** @param {number} piece */
  peerAllows(piece) {
    return this.peerAllowed.has(piece)
  }

  /**
   * The peer chokes us, and now has to reject the open requests. Some clients never do, and nothing else
   * would end these requests.
   */
  awaitRejects() {
    this.newest = this.downloads.lastId
    if (this.deadline === null) this.#start()
  }

  stop() {
    this.deadline?.stop()
    this.deadline = null
    this.rejectTimeout = 0
  }

  #start() {
    if (this.rejectTimeout === 0 || this.downloads.requests.size === 0) return
    const { newest } = this
    this.deadline = new Deadline(this.rejectTimeout, () => this.#expire(newest), this.port)
  }

  /** @param {number} newest - id of the newest request that has waited for the whole time */
  #expire(newest) {
    this.deadline = null
    if (newest !== this.newest) this.#start()
    const overdue = []
    for (const [id, request] of this.downloads.requests.entries()) {
      if (!isAfter(id, newest) && !this.peerAllows(request.piece)) overdue.push([id, request])
    }
    this.onOverdue(overdue)
  }
}

/** Ids ascend, and may wrap. */
function isAfter(id, other) {
  return ((id - other) | 0) > 0
}

module.exports = { Fast }
