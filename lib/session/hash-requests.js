// Requests for hashes of version 2, of both sides. BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>.
//
// This module is loaded late, so where modules are reset (by jest, for one) a session may be of another copy
// of the code: only its own `native` queues commands for it.
'use strict'

const { isUint8Array } = require('node:util').types

const { attempt } = require('./attempt.js')
const { onAbort, reasonOf } = require('./signals.js')
const { toBytes } = require('../arguments.js')
const { showDroppedHashes } = require('../diagnostics/answers.js')
const {
  hashesClosed,
  hashesRejected,
  hashesTimedOut,
  noV2,
  tooManyHashRequests,
  wrongHashes
} = require('../errors.js')
const { toHashRequest } = require('../hash-request.js')
const { addon, NO_SLOT, PANICKED } = require('../native.js')
const { toLimits } = require('../request-options.js')

const { HashesOutcome } = addon

/** Bytes of a hash. */
const HASH_LENGTH = 32

const MAX_UINT32 = 0xffffffff

/** Too short for every request. */
const NOTHING = Buffer.alloc(0)

const NO_LIMITS = { signal: null, timeout: 0 }

/** What is wrong with a request, by the outcome that says so. */
const MISTAKES = {
  [HashesOutcome.AnswerTooLong]: 'length must be less: the answer would exceed maxMessageLength',
  [HashesOutcome.Index]: 'index must be a multiple of length',
  [HashesOutcome.Layers]: 'baseLayer and request.proofLayers must be within a tree of 50 layers',
  [HashesOutcome.Length]: 'length must be a power of two from 2 to 8192',
  [HashesOutcome.Unreachable]:
    'index must be below the length of a layer of which proofLayers reach the root'
}

/** A request of ours that waits for its answer. */
class HashRequest {
  /**
   * @param {{baseLayer: number, index: number, length: number}} range
   * @param {(hashes: Buffer) => void} resolve
   * @param {(error: unknown) => void} reject
   */
  constructor({ baseLayer, index, length }, resolve, reject) {
    this.range = { baseLayer, index, length }
    this.resolve = resolve
    this.reject = reject
    this.timer = undefined
    this.stopListening = null
  }

  /** It ends, in whichever way. */
  stop() {
    clearTimeout(this.timer)
    this.stopListening?.()
  }
}

/** Made once both sides have chosen version 2. */
class HashRequests {
  /** @param {import('./session.js').Session} session */
  constructor(session) {
    this.session = session
    /** Ours, by id. */
    this.open = new Map()
    this.lastId = 0
  }

  /**
   * Sends a request of ours; throws if it makes no sense.
   *
   * @param {object} request - checked
   * @param {Buffer} nodes - see `requestHashes` in src/binding/hashes.rs
   * @param {{signal: AbortSignal | null, timeout: number}} options
   * @returns {Promise<Buffer>}
   */
  send(request, nodes, { signal, timeout }) {
    const { session } = this
    const id = this.#nextId()
    const outcome = session.native.requestHashes(session.core.slot, id, request, nodes)
    // The next event reports the panic.
    if (outcome === PANICKED) return Promise.reject(hashesClosed())
    if (outcome !== HashesOutcome.Sent) return refuse(outcome)
    const answer = new Promise((resolve, reject) => {
      this.open.set(id, new HashRequest(request, resolve, reject))
    })
    const open = this.open.get(id)
    const expire = () => this.#giveUp(id, hashesTimedOut())
    if (timeout > 0) open.timer = setTimeout(() => session.port.catchUp(expire), timeout)
    if (signal !== null) open.stopListening = onAbort(signal, (reason) => this.#giveUp(id, reason))
    try {
      session.sent()
    } catch (error) {
      // Of the reader of the output: the caller gets it in place of the promise, so nobody handles that.
      answer.catch(() => {})
      throw error
    }
    return answer
  }

  /** The session has closed or finished. */
  close(failure) {
    for (const id of this.open.keys()) this.#take(id).reject(failure ?? hashesClosed())
  }

  // Events; `numbers` of the core: see src/binding/record.rs

  onRequest(numbers, root) {
    const request = toRequest(numbers, root)
    const id = numbers[5]
    const { face, wire } = this.session
    const respond = (error, hashes) => this.#respond(id, request, error, hashes)
    if (!face.hashRequest(wire, request, respond)) this.#reject(id)
  }

  onHashes(numbers, payload) {
    const id = numbers[5]
    const isVerified = numbers[6] === 1
    const request = toRequest(numbers, payload.subarray(0, HASH_LENGTH))
    const hashes = payload.subarray(HASH_LENGTH)
    const open = this.#take(id)
    if (open !== undefined) {
      if (isVerified) open.resolve(hashes.subarray(0, request.length * HASH_LENGTH))
      else open.reject(wrongHashes(open.range))
    }
    this.session.face.hashes(this.session.wire, request, hashes, isVerified)
  }

  onReject(numbers, root) {
    const request = toRequest(numbers, root)
    this.#take(numbers[5])?.reject(hashesRejected())
    this.session.face.hashReject(this.session.wire, request)
  }

  /** Answers a request of the peer, unless it has its answer. */
  #respond(id, request, error, hashes) {
    const { core, native, uploads, wire } = this.session
    // No hashes are what a tree has for a request that it cannot answer: no mistake of the application.
    if (error || hashes === null || hashes === undefined) return this.#reject(id)
    const bytes = isUint8Array(hashes) ? toBytes('hashes', hashes) : NOTHING
    const outcome = native.answerHashes(core.slot, id, bytes)
    if (outcome === HashesOutcome.Sent) return this.session.sent()
    if (outcome !== HashesOutcome.Length) return
    // The peer has chosen how many, so this never throws into the application.
    this.#reject(id)
    uploads.dropped++
    attempt(showDroppedHashes, wire, request, hashes)
  }

  #reject(id) {
    const { session } = this
    session.native.rejectHashes(session.core.slot, id)
    session.sent()
  }

  #giveUp(id, reason) {
    const { core, native } = this.session
    native.withdrawHashes(core.slot, id)
    this.#take(id)?.reject(reason)
  }

  /** @returns {HashRequest | undefined} which has ended */
  #take(id) {
    const open = this.open.get(id)
    if (open === undefined) return undefined
    this.open.delete(id)
    open.stop()
    return open
  }

  /** In events of the core the id 0 stands for no request. */
  #nextId() {
    do {
      this.lastId = this.lastId === MAX_UINT32 ? 1 : this.lastId + 1
    } while (this.open.has(this.lastId))
    return this.lastId
  }
}

/**
 * @param {import('./session.js').Session} session
 * @param {unknown} request - of the user
 * @param {unknown} options - of the user
 * @returns {Promise<Buffer>}
 * @throws {TypeError | RangeError} when an argument is wrong
 */
function requestHashes(session, request, options) {
  const { root, parent, ...numbers } = toHashRequest('request', request)
  const limits = toLimits(options) ?? NO_LIMITS
  const { hashes, isClosed, native } = session
  const nodes = parent === null ? root : Buffer.concat([root, parent])
  const isPossible = hashes !== null && !isClosed
  const isAborted = limits.signal !== null && limits.signal.aborted
  if (isPossible && !isAborted) return hashes.send(numbers, nodes, limits)
  // Only checks it.
  const outcome = native.requestHashes(NO_SLOT, 0, numbers, nodes)
  if (outcome !== HashesOutcome.Closed || isClosed) return refuse(outcome)
  return isPossible ? Promise.reject(reasonOf(limits.signal)) : refuse(HashesOutcome.NotV2)
}

/** Throws for a mistake of the caller, and rejects for what they could not know. */
function refuse(outcome) {
  const mistake = MISTAKES[outcome]
  if (mistake !== undefined) throw new RangeError(`request.${mistake}`)
  if (outcome === HashesOutcome.NotV2) return Promise.reject(noV2())
  if (outcome === HashesOutcome.TooMany) return Promise.reject(tooManyHashRequests())
  return Promise.reject(hashesClosed())
}

function toRequest(numbers, root) {
  return {
    root,
    baseLayer: numbers[1],
    index: numbers[2],
    length: numbers[3],
    proofLayers: numbers[4]
  }
}

module.exports = { HashRequests, requestHashes }
