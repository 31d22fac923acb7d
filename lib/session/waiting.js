// A queue that is searched by ascending ids. A Map that is filled as fast as it is emptied is rebuilt all
// the time, in memory that only a full garbage collection frees; this one reuses its memory.
'use strict'

/** Longest arrays that are kept when the queue is empty. */
const MAX_KEPT = 128

/** @template T */
class Waiting {
  constructor() {
    /** Ids of 32 bits, ascending from `start` on; they may wrap. */
    this.ids = []
    /** The items of these ids, null where one was taken out. */
    this.items = []
    this.start = 0
    this.end = 0
    this.size = 0
  }

  /**
   * @param {number} id - above all others
   * @param {T} item
   */
  add(id, item) {
    if (this.end === this.ids.length && this.size * 2 <= this.end) this.#close()
    this.ids[this.end] = id
    this.items[this.end] = item
    this.end++
    this.size++
  }

  /**
   * @param {number} id
   * @returns {T | undefined}
   */
  get(id) {
    return this.items[this.#find(id)] ?? undefined
  }

  /**
   * @param {number} id
   * @returns {T | undefined} which is taken out
   */
  take(id) {
    const place = this.#find(id)
    const item = this.items[place] ?? undefined
    if (item === undefined) return undefined
    this.items[place] = null
    this.size--
    if (this.size === 0) this.#restart()
    else while (this.items[this.start] === null) this.start++
    return item
  }

  /** @returns {number | undefined} the id of the oldest item */
  get oldestId() {
    return this.size === 0 ? undefined : this.ids[this.start]
  }

  /** @yields {[number, T]} */
  *[Symbol.iterator]() {
    for (let place = this.start; place < this.end; place++) {
      const item = this.items[place]
      if (item !== null) yield [this.ids[place], item]
    }
  }

  clear() {
    this.items.fill(null)
    this.size = 0
    this.#restart()
  }

  /** @returns {number} the index of an id, -1 for none; a binary search, as ids ascend modulo 2^32 */
  #find(id) {
    const { ids, start } = this
    if (this.size === 0) return -1
    const first = ids[start]
    if (id === first) return start
    const distance = (id - first) >>> 0
    let low = start + 1
    let high = this.end - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ids[middle] - first) >>> 0 < distance) low = middle + 1
      else high = middle
    }
    return low === high && ids[low] === id ? low : -1
  }

  /** The queue is empty: begins again at index 0. */
  #restart() {
    if (this.ids.length > MAX_KEPT) {
      this.ids = []
      this.items = []
    }
    this.start = 0
    this.end = 0
  }

  /** Closes the gaps. */
  #close() {
    const { ids, items } = this
    let end = 0
    for (let place = this.start; place < this.end; place++) {
      if (items[place] !== null) {
        ids[end] = ids[place]
        items[end++] = items[place]
      }
    }
    items.fill(null, end)
    this.start = 0
    this.end = end
  }
}

module.exports = { Waiting }
