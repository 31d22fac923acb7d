// A peer of raw sockets that a test tells what to send, and wires of either kind that fetch pieces from it.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'

import { frame } from './messages.mjs'
import { CHOKE, FAST_HANDSHAKE, HANDSHAKE, UNCHOKE, pwp } from './wires.mjs'

const HOST = '127.0.0.1'
const ID = Buffer.alloc(20, 1)
const HANDSHAKE_LENGTH = 68
const WORD = 4

/** Bytes of a block, as clients request them. */
export const BLOCK = 16 * 1024

/** Wires with native sockets, and those that are streams. */
export const KINDS = ['native', 'stream']

/** @returns {Buffer} bytes of a piece; each place of each piece has its own */
export const bytesAt = (piece, offset, length) => {
  const first = Math.floor(offset / WORD)
  const words = new Uint32Array(Math.ceil((offset + length) / WORD) - first)
  for (let at = 0; at < words.length; at++) {
    words[at] = Math.imul(first + at + 1, 0x9e3779b1) ^ Math.imul(piece + 1, 0x85ebca6b)
  }
  const start = offset - first * WORD
  return Buffer.from(words.buffer, start, length)
}

/** @returns {string} of a whole piece */
export const sha1Of = (piece, length) =>
  createHash('sha1')
    .update(bytesAt(piece, 0, length))
    .digest('hex')

export class Peer {
  /** Requests that were not answered yet. */
  requests = []
  /** Those that were cancelled. */
  cancels = []
  /** All that were received. */
  asked = []
  isServing = false
  #rest = Buffer.alloc(0)
  #waiting = []
  #isGreeted = false

  constructor(socket, { fast = false, greets = true }) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk) => this.#receive(chunk))
    if (greets) this.send(fast ? FAST_HANDSHAKE : HANDSHAKE)
  }

  send(...frames) {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames))
  }

  choke() {
    this.send(CHOKE)
  }

  unchoke() {
    this.send(UNCHOKE)
  }

  /** Answers all requests from now on. */
  serve() {
    this.isServing = true
    for (const request of this.requests.splice(0)) this.answer(request)
  }

  /** Sends the right block, or other bytes. */
  answer([piece, offset, length], bytes = bytesAt(piece, offset, length)) {
    this.send(frame(7, piece, offset, bytes))
  }

  reject(request) {
    this.send(frame(16, ...request))
  }

  /** Waits until there are so many requests that were not answered, and takes them. */
  async take(count) {
    await this.until(() => this.requests.length >= count)
    return this.requests.splice(0, count)
  }

  /** Waits until something is so, which it looks at after each message. */
  until(test) {
    if (test()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ test, resolve }))
  }

  #receive(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk])
    if (!this.#isGreeted && this.#rest.length < HANDSHAKE_LENGTH) return
    if (!this.#isGreeted) this.#rest = this.#rest.subarray(HANDSHAKE_LENGTH)
    this.#isGreeted = true
    while (this.#rest.length >= WORD) {
      const end = WORD + this.#rest.readUInt32BE(0)
      if (this.#rest.length < end) break
      this.#read(this.#rest.subarray(WORD, end))
      this.#rest = this.#rest.subarray(end)
    }
    this.#waiting = this.#waiting.filter(({ test, resolve }) => !test() || resolve())
  }

  #read(message) {
    const numbers = () => [1, 5, 9].map((at) => message.readUInt32BE(at))
    if (message[0] === 8) this.cancels.push(numbers())
    if (message[0] !== 6) return
    const request = numbers()
    this.asked.push(request)
    if (this.isServing) this.answer(request)
    else this.requests.push(request)
  }
}

/** A server whose sockets end with the test. */
const listen = async (t) => {
  const server = net.createServer({ noDelay: true })
  t.teardown(() => server.close())
  server.on('connection', (socket) => t.teardown(() => socket.destroy()))
  await once(server.listen(0, HOST), 'listening')
  return server
}

/**
 * A peer for whoever connects to a port.
 *
 * @param {import('ava').ExecutionContext} t
 * @returns {Promise<{port: number, peer: Promise<Peer>}>}
 */
export const expectPeer = async (t) => {
  const server = await listen(t)
  const peer = once(server, 'connection').then(([socket]) => new Peer(socket, {}))
  return { port: server.address().port, peer }
}

/** A wire of this kind that connects to a port. */
export const dial = (t, kind, port, options) => {
  if (kind === 'native') {
    const wire = pwp.connect({ host: HOST, port, ...options })
    t.teardown(() => wire.destroy())
    return wire
  }
  const wire = pwp(options)
  const socket = net.connect({ host: HOST, port, noDelay: true })
  socket.on('error', () => wire.destroy())
  wire.on('close', () => socket.destroy())
  socket.pipe(wire).pipe(socket)
  t.teardown(() => wire.destroy())
  return wire
}

/**
 * A wire that has sent its handshake, and its peer, which has sent one too.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {'native' | 'stream'} kind
 * @param {{fast?: boolean, isChoking?: boolean, serves?: boolean, use?: Function[]}} [setting] whether the peer
 *   chokes, and answers all requests; extensions of the wire
 * @param {object} [options] of the wire
 * @returns {Promise<[object, Peer]>}
 */
export const meet = async (t, kind, setting = {}, options = {}) => {
  const { fast = false, isChoking = false, serves = false, use = [] } = setting
  const server = await listen(t)
  const wire = dial(t, kind, server.address().port, options)
  for (const Extension of use) wire.use(Extension)
  wire.handshake(ID, ID, { fast })
  const [socket] = await once(server, 'connection')
  const peer = new Peer(socket, { fast })
  if (wire.peerReserved === null) await once(wire, 'handshake')
  if (serves) peer.serve()
  if (isChoking) return [wire, peer]
  peer.unchoke()
  await once(wire, 'unchoke')
  return [wire, peer]
}

/** How a fetch has failed. */
export const failureOf = (promise) =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error
  )
