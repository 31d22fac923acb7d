// Native wires that test bodies made for streams can use: what they write goes to the wire by a real socket.
import { EventEmitter, once } from 'node:events'
import net from 'node:net'

import { HOST } from './native.mjs'
import { pwp } from './wires.mjs'

/** Makes native wires, each with a socket of Node at its other end. */
export class NativePeers {
  #server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#take(socket))
  /** Peers by the port of their wire. */
  #waiting = new Map()
  #sockets = new Map()

  async start() {
    this.#server.listen(0, HOST)
    await once(this.#server, 'listening')
    return this
  }

  close() {
    this.#server.close()
  }

  /**
   * A native wire, with methods of its own: `write(chunk)` sends a chunk to it, `endInput()` ends what is sent,
   * and `output` emits `'data'` with what it sends.
   *
   * @param {object} [options]
   */
  make = (options) => {
    const { port } = this.#server.address()
    const wire = pwp.connect({ host: HOST, port, ...options })
    const peer = new Peer(wire)
    wire.once('connect', () => {
      const socket = this.#sockets.get(wire.localPort)
      this.#sockets.delete(wire.localPort)
      if (socket === undefined) this.#waiting.set(wire.localPort, peer)
      else peer.connect(socket)
    })
    return wire
  }

  #take(socket) {
    const { remotePort } = socket
    socket.on('error', () => {})
    const peer = this.#waiting.get(remotePort)
    this.#waiting.delete(remotePort)
    if (peer === undefined) this.#sockets.set(remotePort, socket)
    else peer.connect(socket)
  }
}

class Peer {
  #wire
  #socket = null
  #early = []
  #isEnded = false
  #written = 0
  #received = 0

  constructor(wire) {
    this.#wire = wire
    wire.output = new EventEmitter()
    wire.write = (chunk) => this.#write(Buffer.from(chunk))
    wire.endInput = () => this.#end()
    wire.settle = () => this.#settle()
  }

  connect(socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#received += chunk.length
      this.#wire.output.emit('data', chunk)
    })
    socket.on('end', () => socket.end())
    for (const chunk of this.#early) socket.write(chunk)
    if (this.#isEnded) socket.end()
  }

  #write(chunk) {
    this.#written += chunk.length
    if (this.#socket === null) this.#early.push(chunk)
    else if (this.#socket.writable) this.#socket.write(chunk)
    return true
  }

  #end() {
    this.#isEnded = true
    this.#socket?.end()
  }

  /** Waits until both sides have what the other one has sent. */
  async #settle() {
    while (!this.#isSettled) await nextTurn() // oxlint-disable-line no-await-in-loop
    await nextTurn()
  }

  /** Whether the peer has all that was sent before the end. */
  get #isOver() {
    const socket = this.#socket
    return socket === null || socket.readableEnded || socket.destroyed
  }

  get #isSettled() {
    const { destroyed } = this.#wire
    if (destroyed || this.#wire.writableEnded) return this.#wire.readableEnded && this.#isOver
    if (this.#socket === null || this.#isEnded) return false
    const { received, sent, bufferedAmount } = this.#wire.stats()
    return received.bytes >= this.#written && bufferedAmount === 0 && sent.bytes <= this.#received
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
