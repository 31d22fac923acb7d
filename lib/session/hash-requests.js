// Requests for hashes of version 2, of both sides. BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>.
'use strict'

const { isUint8Array } = require('node:util').types

const { attempt } = require('./attempt.js')
const { onAbort, reasonOf } = require('./signals.js')
const { checkDuration, checkSignal, toBytes, toHash } = require('../arguments.js')
const { showDroppedHashes } = require('../diagnostics/answers.js')
const {
  hashesClosed,
  hashesRejected,
  hashesTimedOut,
  noV2,
  tooManyHashRequests,
  wrongHashes
} = require('../errors.js')
const { checkNumbers } = require('../hash-request.js')
const { addon, native, NO_SLOT, PANICKED } = require('../native.js')

const { HashesOutcome } = addon

/** Bytes of a hash. */
const HASH_LENGTH = 32

const MAX_UINT32 = 0xffffffff

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
    this.timer = null
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
    const outcome = native.requestHashes(session.core.slot, id, request, nodes)
    // The next event reports the panic.
    if (outcome === PANICKED) return Promise.reject(hashesClosed())
    if (outcome !== HashesOutcome.Sent) return refuse(outcome)
    const answer = new Promise((resolve, reject) => {
      this.open.set(id, new HashRequest(request, resolve, reject))
    })
    const open = this.open.get(id)
    if (timeout > 0) open.timer = setTimeout(() => this.#giveUp(id, hashesTimedOut()), timeout)
    if (signal !== null) open.stopListening = onAbort(signal, (reason) => this.#giveUp(id, reason))
    session.sent()
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
    const { core, uploads, wire } = this.session
    if (error) return this.#reject(id)
    const outcome = isUint8Array(hashes)
      ? native.answerHashes(core.slot, id, toBytes('hashes', hashes))
      : HashesOutcome.Length
    if (outcome === HashesOutcome.Sent) return this.session.sent()
    if (outcome !== HashesOutcome.Length) return
    // The peer has chosen how many, so this never throws into the application.
    this.#reject(id)
    uploads.dropped++
    attempt(showDroppedHashes, wire, request, hashes)
  }

  #reject(id) {
    native.rejectHashes(this.session.core.slot, id)
    this.session.sent()
  }

  #giveUp(id, reason) {
    native.withdrawHashes(this.session.core.slot, id)
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
  const numbers = checkNumbers('request', request)
  const nodes = [toHash('request.root', request.root)]
  if (request.parent !== undefined && request.parent !== null)
    nodes.push(toHash('request.parent', request.parent))
  const checked = toOptions(options)
  const { hashes, isClosed } = session
  const bytes = Buffer.concat(nodes)
  if (hashes === null || isClosed) {
    // Only checks it.
    const outcome = native.requestHashes(NO_SLOT, 0, numbers, bytes)
    return refuse(isClosed || outcome !== HashesOutcome.Closed ? outcome : HashesOutcome.NotV2)
  }
  if (checked.signal?.aborted) return Promise.reject(reasonOf(checked.signal))
  return hashes.send(numbers, bytes, checked)
}

function toOptions(options) {
  if (options === undefined || options === null) return { signal: null, timeout: 0 }
  if (typeof options !== 'object') throw new TypeError('options must be an object')
  const signal = options.signal ?? null
  const timeout = options.timeout ?? 0
  if (signal !== null) checkSignal('options.signal', signal)
  checkDuration('options.timeout', timeout)
  return { signal, timeout }
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
