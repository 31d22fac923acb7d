// `pwp.fetchPiece()`: a piece from the first of several wires that gives it.
//
// Each wire goes on with what those before it have got. Once a piece of several is wrong nobody knows who has lied:
// then each wire is asked for the whole piece alone, so that what is wrong is its own. A piece that is right in the end
// shows which blocks before were wrong.
'use strict'

const { aborted, failure, noWireLeft } = require('./errors.js')
const { fetchFrom } = require('./fetch.js')
const { checkBlocks, partialOf, toFetch } = require('./options.js')
const { checkCallback, readFields } = require('../arguments.js')
const { attempt } = require('../session/attempt.js')
const { reasonOf } = require('../session/signals.js')
const { findSession } = require('../session-of.js')

/** Errors that no other wire would save from. */
const FINAL = new Set(['ABORT_ERR', 'ERR_PWP_MEMORY_CHANGED'])

/** Not of the peer: nobody has to be blamed. */
const OURS = new Set(['ERR_PWP_PIECE_TWICE'])

/**
 * @param {Iterable<import('../wire.js')>} wires - in the order in which they are asked
 * @param {number} index - of the piece
 * @param {object} options - see docs/api.md
 * @returns {Promise<Buffer>} the piece
 * @throws {TypeError | RangeError} that names what is wrong
 */
function fetchFromSeveral(wires, index, options) {
  const sessions = toSessions(wires)
  const fetch = { ...toFetch(index, options), endsOnChoke: true }
  const { onDrop } = readFields('options', options, ['onDrop'])
  checkCallback('options.onDrop', onDrop)
  for (const session of sessions) checkBlocks(session, fetch)
  return new Search(sessions, fetch, onDrop ?? null).run()
}

function toSessions(wires) {
  let all
  try {
    all = [...wires]
  } catch (cause) {
    throw new TypeError('wires must be an iterable', { cause })
  }
  const sessions = all.map((wire) => {
    const session = findSession(wire)
    if (session === null) throw new TypeError('wires must have only wires of this package')
    return session
  })
  return [...new Set(sessions)]
}

class Search {
  constructor(sessions, fetch, onDrop) {
    this.fetch = fetch
    this.onDrop = onDrop
    /** Those that may still be asked. */
    this.left = sessions
    this.errors = []
    /** What has arrived so far; unknown when it is right. */
    this.partial = partialOf(fetch)
    /** Who has sent what of it: `{ session, ranges }`. What the caller had is nobody's. */
    this.shares = []
    /** Whether each wire is asked for the whole piece. */
    this.isAlone = false
    /** A wrong piece of several, with their shares. */
    this.wrong = null
  }

  async run() {
    const { signal } = this.fetch
    const session = this.#next()
    if (session === null) throw this.#noneLeft()
    if (signal?.aborted) throw aborted(reasonOf(signal), this.partial)
    let bytes
    try {
      bytes = await fetchFrom(session, this.#fetchNow())
    } catch (error) {
      this.#onError(session, error)
      return this.run()
    }
    this.#blame(bytes)
    return bytes
  }

  #noneLeft() {
    for (const session of this.left) {
      const cause = session.failure ?? session.wire.error
      this.#note(session, failure(this.#against(session), this.fetch, this.partial, cause))
    }
    return noWireLeft(this.errors, this.partial)
  }

  /** @returns {object | null} the first session that can be asked now, which is taken out */
  #next() {
    const position = this.left.findIndex((session) => this.#against(session) === null)
    return position === -1 ? null : this.left.splice(position, 1)[0]
  }

  /** @returns {string | null} why it cannot be asked now: an end of errors.js */
  #against({ fast, isClosed, isFinished, peerChoking, pieces, wire, failure: reason }) {
    const { piece } = this.fetch
    if (isClosed || isFinished || reason !== null) return 'Closed'
    if (!pieces.has(piece, wire)) return 'Missing'
    return !peerChoking || fast?.peerAllows(piece) === true ? null : 'Choked'
  }

  #fetchNow() {
    const { ranges } = this.partial
    const resume = this.isAlone || ranges.length === 0 ? null : this.partial
    return { ...this.fetch, resume }
  }

  #onError(session, error) {
    if (error.code === 'ERR_PWP_PIECE_HASH') return this.#onWrong(session, error)
    const { partial } = error
    if (!this.isAlone && partial !== undefined) {
      const ranges = difference(partial.ranges, this.partial.ranges)
      if (ranges.length > 0) this.shares.push({ session, ranges })
      this.partial = partial
    }
    if (FINAL.has(error.code)) throw Object.assign(error, { partial: this.partial })
    this.#drop(session, error)
  }

  /** The piece is wrong: by one wire, or one of several. */
  #onWrong(session, error) {
    const { fetch, isAlone, shares } = this
    const before = isAlone ? [] : this.partial.ranges
    const { bytes } = error.partial
    const ranges = difference([[0, fetch.length]], before)
    const all = isAlone ? [] : [...shares, { session, ranges }]
    this.partial = partialOf({ ...fetch, resume: null })
    this.shares = []
    if (before.length === 0) return this.#drop(session, error)
    this.isAlone = true
    this.wrong = { bytes, shares: all, error }
    error.wires = all.map((share) => share.session.wire)
    this.errors.push(error)
    // Those that have been asked for parts are asked again, after the others.
    this.left.push(...all.map((share) => share.session).filter(isOpen))
  }

  #drop(session, error) {
    this.#note(session, error)
    if (this.onDrop !== null && !OURS.has(error.code)) attempt(this.onDrop, session.wire, error)
  }

  #note({ wire }, error) {
    this.errors.push(Object.assign(error, { wire, wires: [wire] }))
  }

  /** @param {Buffer} right - the piece */
  #blame(right) {
    if (this.wrong === null || this.onDrop === null) return
    const { bytes, shares, error } = this.wrong
    for (const { session, ranges } of shares) {
      const hasLied = ranges.some(
        ([start, end]) => bytes.compare(right, start, end, start, end) !== 0
      )
      if (!hasLied) continue
      const { wire } = session
      const own = failure('Wrong', this.fetch, error.partial)
      attempt(this.onDrop, wire, Object.assign(own, { wire, wires: [wire] }))
    }
  }
}

const isOpen = ({ isClosed, isFinished }) => !isClosed && !isFinished

/**
 * @param {[number, number][]} ranges - in order
 * @param {[number, number][]} others - in order
 * @returns {[number, number][]} what is only in the first ones
 */
function difference(ranges, others) {
  const rest = []
  for (const [start, end] of ranges) {
    let at = start
    for (const [from, to] of others) {
      if (to <= at || from >= end) continue
      if (from > at) rest.push([at, from])
      at = Math.max(at, to)
    }
    if (at < end) rest.push([at, end])
  }
  return rest
}

module.exports = { fetchFromSeveral }
