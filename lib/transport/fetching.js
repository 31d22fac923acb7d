// `fetchPiece()` of a native wire: blocks are requested, put together and checked by the I/O thread.
'use strict'

const { native, FetchOutcome, SocketOrder } = require('./native.js')
const { byteLength, viewOf } = require('../arguments.js')
const { allocate } = require('../own-memory.js')
const { aborted, failure } = require('../pieces/errors.js')
const { partialOf } = require('../pieces/options.js')
const { onAbort } = require('../session/signals.js')

/** What an outcome is called in ../pieces/errors.js. */
const ENDS = new Map(Object.entries(FetchOutcome).map(([name, number]) => [number, name]))
// Without a reason of ours only what is on its way already is not begun.
ENDS.set(FetchOutcome.Cancelled, 'Twice')

const NOTHING = Buffer.alloc(0)

class Fetching {
  /** @param {import('./link.js').Link} link */
  constructor(link) {
    this.link = link
    /** Fetches that have not ended, by their ids. */
    this.open_ = new Map()
    this.lastId = 0
  }

  /**
   * @param {object} fetch - see ../pieces/options.js
   * @returns {Promise<Buffer>} the piece
   */
  fetch(fetch) {
    return new Promise((resolve, reject) => {
      const id = (this.lastId = (this.lastId + 1) >>> 0)
      const { signal } = fetch
      // What the user may change is read now, although there may be no socket yet.
      const details = toDetails(fetch)
      const job = {
        id,
        fetch,
        details,
        resolve,
        reject,
        reason: null,
        stopListening: null,
        /** Whether the blocks are in the memory of the user already. */
        isDirect: false
      }
      this.open_.set(id, job)
      if (signal !== null)
        job.stopListening = onAbort(signal, (reason) => this.#cancel(job, reason))
      if (this.link.takesFrames) this.#order(job)
    })
  }

  /** There is a socket: what was asked for before is ordered. */
  open() {
    for (const job of this.open_.values()) this.#order(job)
  }

  #order(job) {
    const { number, session } = this.link
    const { details, fetch, id } = job
    job.details = null
    try {
      job.isDirect = native.fetchPiece(session.core.slot, number, id, fetch, details)
    } catch (error) {
      this.#fail(job, Object.assign(error, { partial: partialOf(fetch) }))
    }
  }

  #cancel(job, reason) {
    job.reason = { reason }
    if (this.link.takesFrames) native.order(this.link.number, SocketOrder.Cancel, job.id)
    else this.#fail(job, aborted(reason, partialOf(job.fetch)))
  }

  /** The wire has sent a request by itself. */
  requested(piece, offset, length) {
    if (this.link.takesFrames) {
      native.order(this.link.number, SocketOrder.Requested, piece, offset, length)
    }
  }

  lost(piece) {
    if (this.link.takesFrames) native.order(this.link.number, SocketOrder.Lost, piece)
  }

  /** @param {number} depth - how many requests the peer keeps, 0 if it has not told */
  keeps(depth) {
    if (this.link.takesFrames) native.order(this.link.number, SocketOrder.Depth, depth)
  }

  onFetched(id, outcome, lines) {
    const job = this.open_.get(id)
    const { number } = this.link
    if (job === undefined) {
      native.copyFetched(number, id, NOTHING)
      return
    }
    const { fetch } = job
    const { length, piece } = fetch
    if (outcome === FetchOutcome.Right) return this.#fill(job)
    // Of a wrong piece nobody knows what is right.
    const ranges = outcome === FetchOutcome.Wrong ? [] : toRanges(lines)
    const partial = { index: piece, ranges, bytes: takeBytes(number, id, length) }
    if (job.reason !== null) return this.#fail(job, aborted(job.reason.reason, partial))
    const cause = outcome === FetchOutcome.Closed ? this.link.wire.error : null
    this.#fail(job, failure(ENDS.get(outcome), fetch, partial, cause))
  }

  /** The piece is there. */
  #fill(job) {
    const { fetch, id } = job
    const { into, length, piece } = fetch
    const { number } = this.link
    if (into === null) return this.#finish(job, takeBytes(number, id, length))
    // The user may have transferred or resized it meanwhile.
    if (byteLength(into) < length) {
      const bytes = takeBytes(number, id, length)
      const partial = { index: piece, ranges: [[0, length]], bytes }
      return this.#fail(job, failure('MemoryChanged', fetch, partial))
    }
    const bytes = viewOf(into, length)
    native.copyFetched(number, id, job.isDirect ? NOTHING : bytes)
    this.#finish(job, bytes)
  }

  /** The socket is gone, and has reported what was on its way. */
  close() {
    for (const job of this.open_.values()) {
      const { fetch, reason } = job
      const partial = partialOf(fetch)
      if (reason !== null) this.#fail(job, aborted(reason.reason, partial))
      else this.#fail(job, failure('Closed', fetch, partial, this.link.wire.error))
    }
  }

  #finish(job, bytes) {
    this.#end(job)
    job.resolve(bytes)
  }

  #fail(job, error) {
    this.#end(job)
    job.reject(error)
  }

  #end(job) {
    this.open_.delete(job.id)
    job.stopListening?.()
  }
}

/** @returns {Buffer} the bytes of a fetch, in memory of their own */
function takeBytes(number, id, length) {
  const memory = native.takeFetched(number, id)
  if (memory !== null) return Buffer.from(memory)
  const bytes = allocate(length)
  native.copyFetched(number, id, bytes)
  return bytes
}

function toRanges(lines) {
  return lines.filter((line) => line !== '').map((line) => line.split(' ').map(Number))
}

/** @returns {Buffer} what the entry takes besides numbers: see src/binding/transport/fetching.rs */
function toDetails({ endsOnChoke, hash, pieceLength, resume }) {
  const ranges = resume === null ? [] : resume.ranges
  const head = Buffer.alloc(46 + 8 * ranges.length)
  head[0] = endsOnChoke ? 1 : 0
  head[1] = hash === null ? 0 : hash.kind
  if (hash !== null) head.set(hash.bytes, 2)
  head.writeUInt32BE(pieceLength, 38)
  head.writeUInt32BE(ranges.length, 42)
  ranges.flat().forEach((place, at) => head.writeUInt32BE(place, 46 + 4 * at))
  return ranges.length === 0 ? head : Buffer.concat([head, resume.bytes])
}

/**
 * @param {import('../session/session.js').Session} session
 * @param {object} fetch - see ../pieces/options.js
 * @returns {Promise<Buffer>}
 */
function fetchFromSocket(session, fetch) {
  const { link } = session.port
  if (!link.isOpen) return Promise.reject(failure('Closed', fetch, partialOf(fetch)))
  link.fetching ??= new Fetching(link)
  return link.fetching.fetch(fetch)
}

module.exports = { fetchFromSocket }
