// A user of a wire that requests blocks, answers the peer's requests, and counts both.
import { blockAt } from './blocks.mjs'

const INFO_HASH = Buffer.alloc(20, 1)
const PEER_ID = Buffer.alloc(20, 2)
const PIECES = 10_000
const LENGTHS = [1, 1000, 2048, 2049, 16 * 1024, 16 * 1024, 16 * 1024, 128 * 1024]

/** Counts of a transfer; they can be summed over many. */
export const nothing = () => ({ asked: 0, settled: 0, repeated: 0, blocks: 0, bytes: 0, wrong: 0 })

export class Transfer {
  counts = nothing()
  #wire
  #random
  #inFlight
  #left

  /**
   * @param {object} wire
   * @param {object} random
   * @param {{inFlight: number, blocks: number}} plan requests that are open at once, and in all
   */
  constructor(wire, random, { inFlight, blocks }) {
    this.#wire = wire
    this.#random = random
    this.#inFlight = inFlight
    this.#left = blocks
    wire.on('unchoke', () => this.ask())
    wire.on('request', (...request) => this.#answer(...request))
  }

  /** Sends handshake, interested and unchoke. */
  greet() {
    this.#wire.handshake(INFO_HASH, PEER_ID)
    this.#wire.interested()
    this.#wire.unchoke()
  }

  /** Keeps as many requests open as planned. */
  ask() {
    const wire = this.#wire
    while (!wire.peerChoking && wire.requests.length < this.#inFlight && this.#left-- > 0) {
      this.#request()
    }
  }

  /** Cancels a random request. */
  cancel() {
    if (this.#wire.requests.length === 0) return
    const { piece, offset, length } = this.#random.pick(this.#wire.requests)
    this.#wire.cancel(piece, offset, length)
  }

  #request() {
    const [piece, offset] = [this.#random.below(PIECES), this.#random.below(16) * 16_384]
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
