// Lets only so many asynchronous tasks run at a time; the others wait for their turn.
'use strict'

/** A queue of tasks. */
class Limit {
  #free
  #waiting = []

  /** @param {number} max tasks at a time */
  constructor(max) {
    this.#free = max
  }

  /**
   * @param {() => Promise<T>} task
   * @returns {Promise<T>} the result of the task, which runs when it is its turn
   */
  async run(task) {
    if (this.#free > 0) this.#free--
    else await new Promise((resolve) => this.#waiting.push(resolve))
    return task().finally(() => this.#leave())
  }

  /** Forgets the tasks that wait. */
  clear() {
    this.#waiting = []
  }

  #leave() {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}

module.exports = { Limit }
