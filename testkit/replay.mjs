// Replays a recorded session with a wire in place of one side: it receives what the other side sent, cut
// anywhere, and gets the command for each message that its own side sent.
import { contentAt } from './captures.mjs'
import { describeEmitted, MESSAGE_EVENTS } from './hostile/runner.mjs'
import { inTurn } from './in-turn.mjs'

const HANDSHAKE_LENGTH = 68
const RESERVED_START = 20

/** The flag of the fast extension in the last reserved byte. */
const FAST = 4

export class Replay {
  events = [] // as `expectEvents` writes them
  received = [] // chunks
  commanded = [] // frames that the wire has a command for, as they were recorded
  answers = { right: 0, wrong: 0, rejected: 0 } // to our requests
  #asksForFast
  #unsent = Buffer.alloc(0) // bytes of our side that are not a whole message yet
  #open = [] // open requests of the peer, as 'request' delivers them

  /**
   * @param {object} wire
   * @param {boolean} asksForFast whether the wire announces the fast extension if its side did
   */
  constructor(wire, asksForFast) {
    this.wire = wire
    this.#asksForFast = asksForFast
    for (const name of MESSAGE_EVENTS) {
      wire.on(name, (...values) => this.events.push(describeEmitted(name, values)))
    }
    wire.on('request', (...request) => this.#open.push(request))
  }

  /**
   * Replays a session.
   *
   * @param {import('./captures.mjs').Session} session
   * @param {'a' | 'b'} side the side that the wire replaces
   * @param {(chunks: Buffer[]) => Buffer[]} recut cuts a turn of the other side into other chunks
   * @param {() => Promise<void>} settle waits until a turn has reached its side
   */
  async run({ turns }, side, recut, settle) {
    await inTurn(turns, async (turn) => {
      if (turn.side === side) this.#send(Buffer.concat(turn.chunks))
      else this.#receive(recut(turn.chunks))
      await settle()
    })
  }

  /** Without the fast extension, which allows it for some pieces, a wire does not request while choked. */
  request(piece, offset, length) {
    const { wire, answers } = this
    const isChoked = wire.peerChoking
    if (!wire.hasFast) wire.peerChoking = false
    wire.request(piece, offset, length, (error, block) => {
      const isRight = !error && block.equals(contentAt(piece, offset, length))
      if (error?.message === 'request was rejected') answers.rejected++
      else answers[isRight ? 'right' : 'wrong']++
    })
    if (!wire.hasFast) wire.peerChoking = isChoked
  }

  /** A request received while we choke is not open, unless BEP 6 allows it. */
  answer(piece, offset, block) {
    const asked = String([piece, offset, block.length])
    const at = this.#open.findIndex((request) => String(request.slice(0, 3)) === asked)
    if (at === -1) return this.wire.piece(piece, offset, block)
    const [[, , , respond]] = this.#open.splice(at, 1)
    return respond(null, block)
  }

  #receive(chunks) {
    for (const chunk of chunks) {
      this.received.push(chunk)
      this.wire.write(chunk)
    }
  }

  #send(chunk) {
    this.#unsent = Buffer.concat([this.#unsent, chunk])
    if (this.commanded.length === 0) this.#greet(this.#take(HANDSHAKE_LENGTH))
    while (this.#unsent.length >= 4 && this.#unsent.length >= 4 + this.#unsent.readUInt32BE(0)) {
      const frame = this.#take(4 + this.#unsent.readUInt32BE(0))
      const id = frame[4]
      const command = COMMANDS[id] ?? (this.wire.hasFast ? FAST_COMMANDS[id] : undefined)
      if (command === undefined) continue
      if (CHANGES[id]?.(this.wire) ?? true) this.commanded.push(frame)
      command(this, frame.subarray(4))
    }
  }

  #take(length) {
    const bytes = this.#unsent.subarray(0, length)
    this.#unsent = this.#unsent.subarray(length)
    return bytes
  }

  /** Announces the DHT and, if the replay asks for it, the fast extension, as the recorded side did. */
  #greet(handshake) {
    const flags = handshake[27] & (this.#asksForFast ? FAST | 1 : 1)
    const [dht, fast] = [1, FAST].map((flag) => (flags & flag) !== 0)
    this.wire.handshake(handshake.subarray(28, 48), handshake.subarray(48), { dht, fast })
    const greeting = Buffer.from(handshake)
    greeting.set([0, 0, 0, 0, 0, 0x10, 0, flags], RESERVED_START)
    this.commanded.push(greeting)
  }
}

const blockOf = (body) => [1, 5, 9].map((at) => body.readUInt32BE(at))

/** By message id. Keep-alives are sent only by a timer. */
const COMMANDS = {
  0: ({ wire }) => wire.choke(),
  1: ({ wire }) => wire.unchoke(),
  2: ({ wire }) => wire.interested(),
  3: ({ wire }) => wire.uninterested(),
  4: ({ wire }, body) => wire.have(body.readUInt32BE(1)),
  5: ({ wire }, body) => wire.bitfield(body.subarray(1)),
  6: (replay, body) => replay.request(...blockOf(body)),
  7: (replay, body) => replay.answer(body.readUInt32BE(1), body.readUInt32BE(5), body.subarray(9)),
  8: ({ wire }, body) => wire.cancel(...blockOf(body)),
  9: ({ wire }, body) => wire.port(body.readUInt16BE(1)),
  20: ({ wire }, body) => wire.extended(body[1], body.subarray(2))
}

const FAST_COMMANDS = {
  13: ({ wire }, body) => wire.suggest(body.readUInt32BE(1)),
  14: ({ wire }) => wire.haveAll(),
  15: ({ wire }) => wire.haveNone(),
  16: ({ wire }, body) => wire.reject(...blockOf(body)),
  17: ({ wire }, body) => wire.allowedFast(body.readUInt32BE(1))
}

/** Whether a state changes: a wire does not send it otherwise, though clients do repeat theirs. */
const CHANGES = {
  0: (wire) => !wire.amChoking,
  1: (wire) => wire.amChoking,
  2: (wire) => !wire.amInterested,
  3: (wire) => wire.amInterested
}
