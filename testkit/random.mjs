// Seeded random numbers, so that a failing case can be repeated from its seed.

/**
 * Creates a random source that yields the same numbers for the same seed and name.
 *
 * @param {number} seed any 32-bit number
 * @param {string} [name] separates the streams of different users of one seed
 * @returns {Random}
 */
export const randomFrom = (seed, name = '') => new Random(mix(seed, name))

/** A small, fast generator (mulberry32) with the draws that test data needs. */
class Random {
  #state

  constructor(state) {
    this.#state = state
  }

  /** A number in [0, 1). */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer in [0, limit). */
  below(limit) {
    return Math.floor(this.next() * limit)
  }

  /** An integer in [low, high]. */
  between(low, high) {
    return low + this.below(high - low + 1)
  }

  chance(probability) {
    return this.next() < probability
  }

  pick(items) {
    return items[this.below(items.length)]
  }

  /** A key of `weights`, with a probability proportional to its value. */
  weighted(weights) {
    const entries = Object.entries(weights)
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [key, weight] of entries) {
      left -= weight
      if (left < 0) return key
    }
    return entries[0][0]
  }

  /** An array of `count` results of `make`. */
  times(count, make) {
    return Array.from({ length: count }, (_, index) => make(index))
  }
}

const mix = (seed, name) => {
  let hash = (seed ^ 0x9e3779b9) | 0
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}
