// The two kinds of ends of a random TCP connection: a wire with its user, and a hostile socket.
import { makeHostileInput } from '../../testkit/hostile/inputs.mjs'
import { cut, frame } from '../../testkit/messages.mjs'
import { FAST_HANDSHAKE, HANDSHAKE } from '../../testkit/wires.mjs'
import { reset } from '../../testkit/sockets.mjs'
import { Transfer, drawFeatures } from '../../testkit/transfer.mjs'

/** What an end may do to its connection at any moment. */
const MISHAPS = {
  reset: ({ socket }) => reset(socket),
  'destroy the socket': ({ socket }) => socket.destroy(),
  'end the socket': ({ socket }) => socket.end(),
  'read no more': ({ socket }) => socket.pause(),
  'destroy the wire': ({ wire }) => wire?.destroy(),
  'end the wire': ({ wire }) => wire?.end(),
  'cancel one': ({ transfer }) => transfer?.cancel(),
  choke: ({ wire }) => wire?.choke(),
  nothing: () => {}
}

const MOMENTS = [
  'handshake',
  'extended-handshake',
  'allowed-fast',
  'reject',
  'unchoke',
  'request',
  'piece',
  'upload',
  'download',
  'close',
  'finish'
]

/** Some events that must not come after `'close'`. */
const EVENTS = [
  'have',
  'piece',
  'request',
  'choke',
  'extended',
  'extended-handshake',
  'reject',
  'allowed-fast',
  'keep-alive'
]

/** Output that may be queued when a request is delivered, in bytes; sockets buffer much themselves. */
const MAX_AHEAD = 2 * 1024 * 1024

/** Errors that docs/errors.md blames on a peer under the lenient policy. */
const CODE =
  /^ERR_PWP_(BITFIELD_LENGTH|HANDSHAKE|MESSAGE_(LENGTH|TOO_LONG)|PIECE_INDEX|REQUEST_LENGTH|TRUNCATED)$/

/** A connection may break inside a message even if the peer is valid. */
const TRUNCATED = 'ERR_PWP_TRUNCATED'

/** Opens a wire on a socket, piped both ways. */
export class WireEnd {
  trace
  #problems = []
  #closes = 0
  #finishes = 0

  constructor(name, socket, random, createWire) {
    const mishap = random.pick(Object.keys(MISHAPS))
    const moment = random.pick([...MOMENTS, 'time'])
    this.trace = `${name}: at ${moment} ${mishap}`
    this.socket = socket
    this.wire = createWire({ uploadBacklog: random.pick([0, 20_000, 2 ** 20]) })
    this.#watch(random.pick(['destroy', 'end', 'pause']))
    const plan = { inFlight: random.pick([1, 5, 50]), blocks: random.pick([0, 5, 200]) }
    const features = drawFeatures(random)
    this.trace += `, ${JSON.stringify(features)}`
    this.transfer = new Transfer(this.wire, random, { ...plan, ...features })
    this.#arrange(moment, () => MISHAPS[mishap](this), random)
    this.join()
    this.transfer.greet()
    if (random.chance(0.3)) this.wire.setTimeout(random.between(1, 20), () => this.transfer.ask())
    if (random.chance(0.2)) this.wire.setKeepAlive()
  }

  join() {
    this.socket.pipe(this.wire).pipe(this.socket)
  }

  /** Closes each when the other closes, as users do: neither the socket nor the wire outlives the other. */
  #watch(whenClosed) {
    const { socket, wire } = this
    socket.on('error', () => {})
    socket.on('close', () => wire.destroy())
    wire.on('close', () => {
      this.#closes++
      socket[whenClosed]()
    })
    wire.on('finish', () => this.#finishes++)
    for (const name of EVENTS) {
      wire.on(name, () => this.#closes > 0 && this.#problems.push(`'${name}' came after 'close'`))
    }
    wire.on('request', () => {
      if (wire.bufferedAmount > MAX_AHEAD) this.#problems.push(`${wire.bufferedAmount} bytes wait`)
    })
  }

  #arrange(moment, act, random) {
    if (moment === 'time') {
      const timer = setTimeout(act, random.below(20))
      this.socket.on('close', () => clearTimeout(timer))
      return
    }
    let left = random.pick([1, 1, 3, 20])
    this.wire.on(moment, () => --left === 0 && act())
  }

  /** Checks, after the socket has closed, what must hold at every end. */
  check(isPeerValid) {
    return this.checkAll(isPeerValid, this.wire.error)
  }

  /** @param {Error | null} error - of the wire, if it counts */
  checkAll(isPeerValid, error) {
    const { counts } = this.transfer
    const problems = {
      [`'close' came ${this.#closes} times`]: this.#closes !== 1,
      [`'finish' came ${this.#finishes} times`]: this.#finishes !== 1,
      [`${counts.asked - counts.settled} callbacks were lost`]: counts.asked !== counts.settled,
      [`${counts.repeated} callbacks were repeated`]: counts.repeated > 0,
      [`${counts.wrong} blocks were wrong`]: counts.wrong > 0,
      [`${counts.garbled} messages were wrong`]: isPeerValid && counts.garbled > 0,
      [`failed with ${error?.stack}`]:
        error !== null && (isPeerValid ? error.code !== TRUNCATED : !CODE.test(error.code))
    }
    return [...this.#problems, ...Object.keys(problems).filter((what) => problems[what])]
  }
}

/** Sends bytes that no wire would send, with timing that no wire has. */
export class HostileEnd {
  trace
  #random
  #timer = null

  constructor(name, socket, random) {
    const kind = random.pick(Object.keys(HOSTILITIES))
    const ending = random.pick(['reset', 'destroy the socket', 'end the socket', 'nothing'])
    this.trace = `${name}: ${kind}, then ${ending}`
    this.socket = socket
    this.#random = random
    socket.on('error', () => {})
    socket.on('close', () => clearTimeout(this.#timer))
    if (random.chance(0.7)) socket.resume()
    this.#send(HOSTILITIES[kind](random), () => MISHAPS[ending](this))
  }

  /** Sends the chunks one by one, each after the previous one has been written. */
  #send(chunks, end) {
    const { value, done } = chunks.next()
    if (done) end()
    else this.socket.write(value, () => this.#later(() => this.#send(chunks, end)))
  }

  #later(act) {
    if (this.socket.destroyed) return
    if (this.#random.chance(0.9)) setImmediate(act)
    else this.#timer = setTimeout(act, this.#random.below(4))
  }

  check() {
    return []
  }
}

const REQUEST = frame(6, 1, 0, 128 * 1024)

const HOSTILITIES = {
  *bytes(random) {
    yield* cut(makeHostileInput(random.below(2 ** 32), 40).bytes, random.pick([[], [1], [7, 100]]))
  },
  *trickle(random) {
    yield* cut(makeHostileInput(random.below(2 ** 32)).bytes.subarray(0, random.below(200)), [1])
  },
  *'truncated handshake'(random) {
    yield HANDSHAKE.subarray(0, random.between(1, 67))
  },
  *'many requests'(random) {
    yield random.pick([HANDSHAKE, FAST_HANDSHAKE])
    for (let left = random.below(50); left > 0; left--)
      yield Buffer.concat(Array(100).fill(REQUEST))
  },
  *nothing() {}
}
