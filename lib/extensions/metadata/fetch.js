// Fetches the metadata of one torrent from wires that come and go: watches what each announces, and settles the
// promises of those who wait.
'use strict'

const { AsyncResource } = require('node:async_hooks')

const { attempt } = require('../../session/attempt.js')
const { Deadline } = require('../../session/deadlines.js')
const { onAbort, reasonOf } = require('../../session/signals.js')
const { copyOf } = require('../../own-memory.js')
const { Engine } = require('./engine.js')
const errors = require('./errors.js')
const { Link } = require('./link.js')
const { addon } = require('../../native.js')

const { Size } = addon.MetadataFault

class Fetch {
  #settings
  #toHashes
  #onDrop
  #onIdle
  #onDone
  /** Drops that a timer causes are told in the async context in which the fetch was made. */
  #context = new AsyncResource('PeerWireMetadata')
  /** Made for the first peer that has metadata, as the hashes are known then. */
  #engine = null
  /** @type {Map<object, Link>} by session */
  #links = new Map()
  /** By the number of the peer. */
  #joined = new Map()
  /** Why sessions were dropped for good. */
  #banned = new WeakMap()
  #nextId = 0
  #waiters = new Set()
  #metadata = null
  #failure = null

  /**
   * @param {() => Buffer[] | null} toHashes - null as long as they are not known
   * @param {{maxSize: number, requestTimeout: number, resume: object | null}} settings
   * @param {{onDrop: (wire: object, error: Error) => void, onIdle?: () => void, onDone?: () => void}} handlers - a
   *   wire is not used any more; nobody waits any more; the metadata is found
   */
  constructor(toHashes, settings, { onDrop, onIdle, onDone }) {
    this.#toHashes = toHashes
    this.#settings = settings
    this.#onDrop = onDrop
    this.#onIdle = onIdle
    this.#onDone = onDone
    if (settings.resume !== null && !this.#makeEngine().resume(settings.resume)) {
      this.#engine.close()
      throw new RangeError('resume does not fit its size, or maxSize')
    }
  }

  /** @returns {object | null} what was received */
  get state() {
    return this.#engine?.state ?? null
  }

  /** @param {import('../../session/session.js').Session} session */
  add(session) {
    if (this.#metadata !== null || this.#failure !== null || this.#links.has(session)) return
    const link = new Link(session, this.#nextId++, {
      changed: () => this.#check(link),
      receive: (message) => this.#receive(link, message)
    })
    this.#links.set(session, link)
    // What can be told now already is told later all the same, as listeners may be added first. Not in the next
    // tick: a listener of 'drop' may add the wire again, each time.
    setImmediate(() => this.#context.runInAsyncScope(this.#check, this, link))
  }

  remove(session) {
    const link = this.#links.get(session)
    if (link !== undefined) this.#unlink(link)
  }

  /**
   * @param {{signal: AbortSignal | null, timeout: number}} settings
   * @returns {Promise<Buffer>} memory of its own
   */
  fetch({ signal, timeout }) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(reasonOf(signal))
      if (this.#failure !== null) return reject(this.#failure)
      if (this.#metadata !== null) return resolve(copyOf(this.#metadata))
      const waiter = { resolve, reject, release: null }
      const end = (error) => this.#end(waiter, error)
      const stopListening = signal === null ? null : onAbort(signal, end)
      const deadline =
        timeout > 0 ? new Deadline(timeout, () => end(errors.timedOut(timeout))) : null
      waiter.release = () => {
        deadline?.stop()
        stopListening?.()
      }
      this.#waiters.add(waiter)
      this.#engine?.start()
    })
  }

  /** Nothing is fetched any more. */
  fail(error) {
    if (this.#failure !== null || this.#metadata !== null) return
    this.#failure = error
    this.#close()
    this.#settle((waiter) => waiter.reject(error))
  }

  /** One who waited waits no more. */
  #end(waiter, error) {
    this.#waiters.delete(waiter)
    waiter.release()
    if (this.#waiters.size === 0) {
      this.#engine?.pause()
      this.#onIdle?.()
    }
    waiter.reject(error)
  }

  #settle(settleOne) {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const waiter of waiters) {
      waiter.release()
      settleOne(waiter)
    }
  }

  /** A wire may have announced something, or may be closed. */
  #check(link) {
    if (this.#links.get(link.session) !== link) return
    const banned = this.#banned.get(link.session)
    if (banned !== undefined) return this.#drop(link, banned)
    const { error, size } = link.judge(this.#toHashes())
    if (error !== null) return this.#drop(link, error)
    // A peer may repeat its handshake for ever, and the core looks at all peers each time.
    if (size === null || (size === link.size && this.#joined.has(link.id))) return
    this.#joined.set(link.id, link)
    link.size = size
    const engine = this.#engine ?? this.#makeEngine()
    const fault = engine.join(link.id, size, link.client)
    if (fault !== null) this.#refuse(link, fault)
    // What was resumed may have been complete.
    else if (this.#waiters.size > 0) engine.start()
  }

  #receive(link, message) {
    if (this.#joined.has(link.id)) this.#engine.receive(link.id, message)
  }

  #makeEngine() {
    this.#engine = new Engine(this.#toHashes(), this.#settings, {
      request: (id, piece) => this.#joined.get(id)?.ask(piece),
      dropped: (id, fault) => this.#refuse(this.#joined.get(id), fault),
      done: (metadata) => this.#finish(metadata)
    })
    return this.#engine
  }

  #finish(metadata) {
    this.#metadata = metadata
    this.#close()
    this.#onDone?.()
    this.#settle((waiter) => waiter.resolve(copyOf(metadata)))
  }

  #close() {
    this.#engine?.close()
    this.#engine = null
    for (const link of this.#links.values()) this.#unlink(link)
  }

  /** The core does not use a peer. */
  #refuse(link, fault) {
    if (link === undefined) return
    const error = errors.faultOf(fault, link.size, this.#settings.maxSize)
    if (fault !== Size) this.#banned.set(link.session, error)
    this.#drop(link, error)
  }

  #drop(link, error) {
    const { wire } = link.session
    this.#unlink(link)
    this.#context.runInAsyncScope(attempt, null, this.#onDrop, wire, error)
  }

  #unlink(link) {
    this.#links.delete(link.session)
    link.close()
    if (this.#joined.delete(link.id)) this.#engine?.leave(link.id)
  }
}

module.exports = { Fetch }
