// A user of a wire that requests blocks, answers the peer's requests, and counts both.
import { blockAt } from './blocks.mjs'
import { pwp } from './wires.mjs'

const INFO_HASH = Buffer.alloc(20, 1)
const PEER_ID = Buffer.alloc(20, 2)
const PIECES = 10_000
const LENGTHS = [1, 1000, 2048, 2049, 16 * 1024, 16 * 1024, 16 * 1024, 128 * 1024]

/** Most bytes in a message of the extension. */
const MAX_MESSAGE = 5000

/** Pieces that each side allows the other to request while it chokes, at most. */
const MAX_ALLOWED = 5

const Chat = pwp.makeExtension('x_transfer')

/**
 * Counts of a transfer; they can be summed over many. Of the extension: `announced` extended handshakes of the peer,
 * `messages` with the right bytes, `garbled` others.
 */
const nothing = () => ({
  asked: 0,
  settled: 0,
  repeated: 0,
  blocks: 0,
  bytes: 0,
  wrong: 0,
  rejected: 0,
  allowed: 0,
  announced: 0,
  messages: 0,
  garbled: 0
})

/**
 * Whether a user asks for the fast extension, and uses an extension: most do, so that often both sides do.
 *
 * @param {object} random
 * @returns {{isFast: boolean, isExtended: boolean}}
 */
export const drawFeatures = (random) => ({
  isFast: random.chance(0.7),
  isExtended: random.chance(0.7)
})

export class Transfer {
  counts = nothing()
  #wire
  #random
  #inFlight
  #left
  #isFast
  #messagesLeft

  /**
   * @param {object} wire
   * @param {object} random
   * @param {{inFlight: number, blocks: number, isFast?: boolean, isExtended?: boolean}} plan requests that are
   *   open at once, and in all; `drawFeatures()`
   */
  constructor(wire, random, { inFlight, blocks, isFast = false, isExtended = false }) {
    this.#wire = wire
    this.#random = random
    this.#inFlight = inFlight
    this.#left = blocks
    this.#isFast = isFast
    wire.on('unchoke', () => this.ask())
    wire.on('request', (...request) => this.#answer(...request))
    wire.on('reject', () => this.counts.rejected++)
    if (isFast) this.#allow()
    if (isExtended) this.#chat()
  }

  /** Allows some pieces, and requests those that the peer allows. */
  #allow() {
    const [wire, random] = [this.#wire, this.#random]
    wire.on('handshake', () => {
      if (!wire.hasFast) return
      for (let left = random.below(MAX_ALLOWED + 1); left > 0; left--)
        wire.allowedFast(random.below(PIECES))
    })
    wire.on('allowed-fast', () => {
      this.counts.allowed++
      this.ask()
    })
  }

  /** Sends some messages with bytes that the other side knows, and checks those of the peer. */
  #chat() {
    const [wire, random] = [this.#wire, this.#random]
    const chat = wire.use(Chat)
    this.#messagesLeft = random.below(10)
    wire.on('extended-handshake', () => this.counts.announced++)
    chat.on('ready', () => this.#say(chat))
    chat.on('malformed', () => this.counts.garbled++)
    chat.on('message', ({ offset, bytes } = {}) => {
      const isRight = bytes?.equals?.(blockAt(0, offset, bytes.length))
      this.counts[isRight === true ? 'messages' : 'garbled']++
      this.#say(chat)
    })
  }

  #say(chat) {
    if (!chat.isReady || this.#messagesLeft-- <= 0) return
    const offset = this.#random.below(PIECES)
    chat.send({ offset, bytes: blockAt(0, offset, this.#random.below(MAX_MESSAGE)) })
  }

  /** Sends handshake, interested and unchoke. */
  greet() {
    this.#wire.handshake(INFO_HASH, PEER_ID, { fast: this.#isFast })
    this.#wire.interested()
    this.#wire.unchoke()
  }

  /** Keeps as many requests open as planned. */
  ask() {
    const wire = this.#wire
    const allowed = wire.peerChoking ? wire.peerAllowedFastSet : null
    const draw = () => (allowed === null ? this.#random.below(PIECES) : this.#random.pick(allowed))
    if (allowed?.length === 0) return
    while (wire.requests.length < this.#inFlight && this.#left-- > 0) this.#request(draw())
  }

  /** Cancels a random request. */
  cancel() {
    if (this.#wire.requests.length === 0) return
    const { piece, offset, length } = this.#random.pick(this.#wire.requests)
    this.#wire.cancel(piece, offset, length)
  }

  #request(piece) {
    const offset = this.#random.below(16) * 16_384
    const length = this.#random.pick(LENGTHS)
    let calls = 0
    this.counts.asked++
    this.#wire.request(piece, offset, length, (error, block) => {
      if (calls++ > 0) this.counts.repeated++
      else this.counts.settled++
      if (error) return
      this.#take(block, blockAt(piece, offset, length))
      this.ask()
    })
  }

  #take(block, expected) {
    this.counts.blocks++
    this.counts.bytes += block.length
    if (!block.equals(expected)) this.counts.wrong++
  }

  /** Answers at once, a turn later, never, twice, or with a refusal. */
  #answer(piece, offset, length, respond) {
    const answer = () => respond(null, blockAt(piece, offset, length))
    const how = this.#random.weighted({ now: 80, later: 15, twice: 3, refused: 1, never: 1 })
    if (how === 'refused') return respond(new Error('no such block'))
    if (how === 'later') return setImmediate(answer)
    if (how === 'never') return undefined
    answer()
    return how === 'twice' ? answer() : undefined
  }
}
