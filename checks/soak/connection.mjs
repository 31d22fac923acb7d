// One end of a soak connection: transfers blocks both ways for a while, then ends in a random way.
import { pwp } from '../../testkit/wires.mjs'
import { reset } from '../../testkit/sockets.mjs'
import { Transfer, drawFeatures } from '../../testkit/transfer.mjs'

/** Most connections end after their blocks, the others in the middle of them. */
const ENDINGS = {
  'destroy the wire': [40, ({ wire }) => wire.destroy()],
  'end the wire': [20, ({ wire }) => wire.end()],
  'end the socket': [20, ({ socket }) => socket.end()],
  'destroy the socket': [10, ({ socket }) => socket.destroy()],
  reset: [10, ({ socket }) => reset(socket)]
}
const NATIVE_ENDINGS = {
  'destroy the wire': ENDINGS['destroy the wire'],
  'end the wire': ENDINGS['end the wire']
}

/** Interval between two random actions of the user, in ms. */
const PAUSE = 20

export class Connection {
  #socket
  #wire
  #endings
  #transfer
  #random
  #timer

  /**
   * @param {import('node:net').Socket} socket
   * @param {object} random
   * @param {import('../../index.js').Wire} [wire]
   * @param {object} [endings] - those that it may have, with their weights
   */
  constructor(socket, random, wire = pwp(), endings = ENDINGS) {
    this.#socket = socket
    this.#wire = wire
    this.#endings = endings
    this.#random = random
    const plan = { inFlight: random.pick([1, 10, 100]), blocks: random.pick([10, 200, 2000]) }
    this.#transfer = new Transfer(this.#wire, random, { ...plan, ...drawFeatures(random) })
    this.join(socket, wire)
    wire.on('close', () => clearInterval(this.#timer))
    this.#transfer.greet()
    this.#wire.setTimeout(random.pick([5, 100, 1000]), () => this.#transfer.ask())
    this.#wire.setKeepAlive()
    this.#timer = setInterval(() => this.#whim(), PAUSE)
  }

  get counts() {
    return this.#transfer.counts
  }

  /** Closes each when the other closes: neither the socket nor the wire outlives the other. */
  join(socket, wire) {
    socket.pipe(wire).pipe(socket)
    socket.on('error', () => {})
    socket.on('close', () => wire.destroy())
    wire.on('close', () => socket.destroy())
  }

  /** @param {() => void} listener - called when all is closed */
  onclose(listener) {
    this.#socket.on('close', listener)
  }

  /** Performs one of the other actions of peers, apart from requests. */
  #whim() {
    const wire = this.#wire
    const whim = this.#random.weighted({ nothing: 60, cancel: 10, choke: 5, unchoke: 20, end: 5 })
    if (whim === 'cancel') this.#transfer.cancel()
    else if (whim === 'end') this.stop()
    else if (whim !== 'nothing') wire[whim]()
    this.#transfer.ask()
  }

  /** Ends the connection in one of the ways. */
  stop() {
    const [, end] = this.#endings[this.#random.weighted(weightsOf(this.#endings))]
    end({ wire: this.#wire, socket: this.#socket })
  }
}

/** One whose wire has its socket itself. */
export class NativeConnection extends Connection {
  /**
   * @param {import('../../index.js').Wire} wire
   * @param {object} random
   */
  constructor(wire, random) {
    super(wire, random, wire, NATIVE_ENDINGS)
  }

  join() {}
}

function weightsOf(endings) {
  return Object.fromEntries(Object.entries(endings).map(([name, [weight]]) => [name, weight]))
}
