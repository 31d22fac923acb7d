// The open requests of one side: by id, in their order, and as the live array that users see.
'use strict'

const { Waiting } = require('./waiting.js')

/** An element of `wire.requests` or `wire.peerRequests`. */
class Request {
  /**
   * @param {number} piece - piece index
   * @param {number} offset - bytes
   * @param {number} length - bytes
   * @param {Function} callback - takes `(error, block)`
   */
  constructor(piece, offset, length, callback) {
    this.piece = piece
    this.offset = offset
    this.length = length
    this.callback = callback
    this.timeout = null
  }
}

/** Until the array is read, adding a request and taking one out cost the same wherever it is. */
class Requests {
  constructor() {
    /** By id, the oldest first; null until the first request. */
    this.byId = null
    /** Made when it is first read, because shifting an array costs more; kept up to date from then on. */
    this.array = null
  }

  get size() {
    return this.byId === null ? 0 : this.byId.size
  }

  /**
   * @param {number} id - above those of all others that wait
   * @param {Request} request
   */
  add(id, request) {
    this.byId ??= new Waiting()
    this.byId.add(id, request)
    if (this.array !== null) this.array.push(request)
  }

  /**
   * @param {number} id
   * @returns {Request | undefined} which is taken out
   */
  take(id) {
    const request = this.byId === null ? undefined : this.byId.take(id)
    if (request !== undefined && this.array !== null) remove(this.array, request)
    return request
  }

  /** @returns {Request | undefined} */
  get oldest() {
    return this.byId === null ? undefined : this.byId.get(this.byId.oldestId)
  }

  /** @returns {Request | undefined} which is taken out */
  takeOldest() {
    return this.byId === null ? undefined : this.take(this.byId.oldestId)
  }

  /**
   * @param {number} id
   * @param {Request} request
   * @returns {boolean} whether it is still open under this id, and the user has not removed it
   */
  has(id, request) {
    return this.get(id) === request && (this.array === null || this.array.includes(request))
  }

  /**
   * @param {(request: Request) => boolean} test
   * @returns {number | undefined} the id of the oldest request that passes
   */
  find(test) {
    if (this.byId === null) return undefined
    for (const [id, request] of this.byId) if (test(request)) return id
    return undefined
  }

  /** @param {(request: Request) => boolean} test */
  removeWhere(test) {
    const removed = Array.from(this.entries()).filter(([, request]) => test(request))
    for (const [id] of removed) this.take(id)
  }

  /** @returns {Iterable<[number, Request]>} by id, the oldest first */
  entries() {
    return this.byId ?? []
  }

  /**
   * @param {number} id
   * @returns {Request | undefined}
   */
  get(id) {
    return this.byId === null ? undefined : this.byId.get(id)
  }

  clear() {
    if (this.byId !== null) this.byId.clear()
    if (this.array !== null) this.array.length = 0
  }

  /**
   * The user assigns another array.
   *
   * @param {Request[]} array - which is kept up to date from now on
   */
  adopt(array) {
    this.array = Array.isArray(array) ? array : []
  }

  /** @returns {Request[]} live, oldest first */
  toArray() {
    this.array ??= this.byId === null ? [] : Array.from(this.byId, ([, request]) => request)
    return this.array
  }
}

function remove(array, request) {
  if (array[0] === request) {
    array.shift()
    return
  }
  const position = array.indexOf(request)
  if (position !== -1) array.splice(position, 1)
}

module.exports = { Request, Requests }
