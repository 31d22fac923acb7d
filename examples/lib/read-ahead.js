// Reads from a storage in large steps and answers small requests from memory. Peers ask for blocks
// of 16 KiB in order, and one system call per block would cost more than the whole protocol.
'use strict'

const WINDOW_LENGTH = 256 * 1024
const MAX_WINDOWS = 64 // 16 MiB for all peers together

/** The parts of a torrent that were read last. */
class ReadAhead {
  #storage
  #windows = new Map()

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage
  }

  /**
   * @param {number} position in the torrent
   * @param {number} length bytes, within the torrent
   * @returns {Promise<Buffer>} shared with other callers: to be read only
   */
  async read(position, length) {
    const first = Math.floor(position / WINDOW_LENGTH)
    const last = Math.floor((position + length - 1) / WINDOW_LENGTH)
    const numbers = Array.from({ length: last - first + 1 }, (_, number) => first + number)
    const windows = await Promise.all(numbers.map((number) => this.#window(number)))
    const bytes = windows.length === 1 ? windows[0] : Buffer.concat(windows)
    const start = position - first * WINDOW_LENGTH
    return bytes.subarray(start, start + length)
  }

  #window(number) {
    const window = this.#windows.get(number) ?? this.#load(number)
    // A Map keeps the order of insertion, so its first entry is the one not used for longest.
    this.#windows.delete(number)
    this.#windows.set(number, window)
    if (this.#windows.size > MAX_WINDOWS) this.#windows.delete(this.#windows.keys().next().value)
    return window
  }

  #load(number) {
    const position = number * WINDOW_LENGTH
    const length = Math.min(WINDOW_LENGTH, this.#storage.length - position)
    const window = this.#storage.read(position, length)
    window.catch(() => this.#windows.delete(number))
    return window
  }
}

module.exports = { ReadAhead }
