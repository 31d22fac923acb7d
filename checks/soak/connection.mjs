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
const WEIGHTS = Object.fromEntries(
  Object.entries(ENDINGS).map(([name, [weight]]) => [name, weight])
)

/** Interval between two random actions of the user, in ms. */
const PAUSE = 20

export class Connection {
  #socket
  #wire
  #transfer
  #random
  #timer

  /**
   * @param {import('node:net').Socket} socket
   * @param {object} random
   */
  constructor(socket, random) {
    this.#socket = socket
    this.#wire = pwp()
    this.#random = random
    const plan = { inFlight: random.pick([1, 10, 100]), blocks: random.pick([10, 200, 2000]) }
    this.#transfer = new Transfer(this.#wire, random, { ...plan, ...drawFeatures(random) })
    this.#join()
    this.#transfer.greet()
    this.#wire.setTimeout(random.pick([5, 100, 1000]), () => this.#transfer.ask())
    this.#wire.setKeepAlive()
    this.#timer = setInterval(() => this.#whim(), PAUSE)
  }

  get counts() {
    return this.#transfer.counts
  }

  /** Closes each when the other closes: neither the socket nor the wire outlives the other. */
  #join() {
    const [socket, wire] = [this.#socket, this.#wire]
    socket.pipe(wire).pipe(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(this.#timer)
      wire.destroy()
    })
    wire.on('close', () => socket.destroy())
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
    const [, end] = ENDINGS[this.#random.weighted(WEIGHTS)]
    end({ wire: this.#wire, socket: this.#socket })
  }
}
