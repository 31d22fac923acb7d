// What exchanges may cost a listener, over all its connections: time, bytes, and how many at once.
'use strict'

const { checkDuration, checkInteger } = require('../arguments.js')
const { Deadline } = require('../session/deadlines.js')
const { networkOf } = require('./address.js')
const { tooMany, tooManyOfAddress } = require('./errors.js')

const OPTIONS = {
  // Transmission answers within half a second, aria2 within one.
  timeout: { check: checkDuration, normal: 10_000 },
  // More than any exchange takes by the limits of the core, see src/encryption/mod.rs.
  maxBytes: { check: checkCount, normal: 18 * 1024 },
  maxUnfinished: { check: checkCount, normal: 1_000 },
  maxUnfinishedPerAddress: { check: checkCount, normal: 50 },
  penalty: { check: checkDuration, normal: 10_000 }
}

/** Most failed exchanges that are remembered. Whoever has so many addresses is not stopped by a count of each. */
const MAX_PENALTIES = 10_000

/** Shared by any number of streams, of any number of listeners. */
class Policy {
  /** Unfinished exchanges, and failed ones that still count, by address. */
  #places = new Map()
  #unfinished = 0
  #penalties = 0

  /**
   * @param {object} [options] - see docs/api.md
   * @throws {TypeError | RangeError} when one is out of range
   */
  constructor(options) {
    const given = options ?? {}
    if (typeof given !== 'object') throw new TypeError('options must be an object')
    for (const [name, { check, normal }] of Object.entries(OPTIONS)) {
      const value = given[name] ?? normal
      check(name, value)
      Object.defineProperty(this, name, { value, enumerable: true })
    }
  }

  /** @returns {number} exchanges that are not over */
  get unfinished() {
    return this.#unfinished
  }

  /**
   * An exchange begins. For the streams of this package.
   *
   * @param {string | undefined} address - of the peer, if known
   * @returns {Ticket | Error} the error if it may not
   */
  _admit(address) {
    const network = address === undefined ? undefined : networkOf(address)
    if (this.#unfinished >= this.maxUnfinished) return tooMany(this.maxUnfinished)
    const limit = this.maxUnfinishedPerAddress
    if (network !== undefined && (this.#places.get(network) ?? 0) >= limit) {
      return tooManyOfAddress(limit)
    }
    this.#unfinished++
    this.#count(network, 1)
    return new Ticket((wasWasted) => this.#leave(network, wasWasted))
  }

  #leave(network, wasWasted) {
    this.#unfinished--
    const isPenalized =
      wasWasted && network !== undefined && this.penalty > 0 && this.#penalties < MAX_PENALTIES
    if (!isPenalized) return this.#count(network, -1)
    this.#penalties++
    // oxlint-disable-next-line no-new -- the timer keeps it
    new Deadline(this.penalty, () => {
      this.#penalties--
      this.#count(network, -1)
    })
  }

  #count(network, change) {
    if (network === undefined) return
    const count = (this.#places.get(network) ?? 0) + change
    if (count > 0) this.#places.set(network, count)
    else this.#places.delete(network)
  }
}

/** The place of one exchange. */
class Ticket {
  /** @param {(wasWasted: boolean) => void} leave */
  constructor(leave) {
    this.onleave = leave
  }

  /** The exchange is over. @param {boolean} wasWasted - whether it has cost us keys and has failed */
  leave(wasWasted) {
    const { onleave } = this
    this.onleave = null
    onleave?.(wasWasted)
  }
}

function checkCount(name, value) {
  checkInteger(name, value, 0x7fffffff)
}

/** That of streams without one of their own. */
let common = null

/** @returns {Policy} */
function commonPolicy() {
  common ??= new Policy()
  return common
}

module.exports = { Policy, commonPolicy }
