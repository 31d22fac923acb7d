// Replaces the global timers with ones that advance only when a test says so.

import { inTurn } from './in-turn.mjs'

const NAMES = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval']

/**
 * Time stands still until {@link FakeClock.advance}; timers fire in the order in which they are due.
 *
 * Unreferenced timers, such as one that a module shares among all its wires, survive
 * {@link FakeClock.restore}.
 */
export class FakeClock {
  #now = 0
  #timers = new Set()
  #saved = null

  /** Number of timers that would keep a process alive. */
  get pending() {
    return [...this.#timers].filter((timer) => timer.hasRef()).length
  }

  /** Number of timers, also of those that would not. */
  get active() {
    return this.#timers.size
  }

  /** Elapsed time, in ms. */
  get now() {
    return this.#now
  }

  /** Installs the fake timers. */
  install() {
    this.#saved = NAMES.map((name) => globalThis[name])
    globalThis.setTimeout = (run, ms, ...args) => this.#add(run, ms, args, false)
    globalThis.setInterval = (run, ms, ...args) => this.#add(run, ms, args, true)
    globalThis.clearTimeout = (timer) => this.#remove(timer)
    globalThis.clearInterval = globalThis.clearTimeout
  }

  /** Restores the real timers; only unreferenced fake ones are kept, and start over. */
  restore() {
    NAMES.forEach((name, at) => (globalThis[name] = this.#saved[at]))
    this.#now = 0
    for (const timer of this.#timers) {
      if (timer.hasRef()) this.#timers.delete(timer)
      else timer.due = timer.ms
    }
  }

  /**
   * Advances by `ms`. `settle` is awaited after each timer, where Node drains its queues.
   *
   * @param {number} ms
   * @param {() => Promise<void>} settle
   * @param {boolean} [afterAll] also after timers that are unreferenced, as those of modules are
   */
  async advance(ms, settle, afterAll = false) {
    const end = this.#now + ms
    await inTurn(this.#untilDue(end), (timer) => {
      this.#fire(timer)
      return afterAll || timer.hasRef() ? settle() : null
    })
    this.#now = end
  }

  *#untilDue(end) {
    for (let timer = this.#next(end); timer; timer = this.#next(end)) yield timer
  }

  #add(run, ms, args, repeats) {
    return new FakeTimer(this.#timers, () => this.#now, { run, args, repeats, ms }).refresh()
  }

  #remove(timer) {
    this.#timers.delete(timer)
  }

  #next(end) {
    let first = null
    for (const timer of this.#timers) {
      if (timer.due <= end && (!first || timer.due < first.due)) first = timer
    }
    return first
  }

  #fire(timer) {
    this.#now = timer.due
    if (timer.repeats) timer.refresh()
    else this.#timers.delete(timer)
    timer.run(...timer.args)
  }
}

/** What the fake `setTimeout` and `setInterval` return: the methods of Node's own timer objects. */
class FakeTimer {
  #timers
  #now
  #referenced = true

  constructor(timers, now, { run, args, repeats, ms }) {
    this.#timers = timers
    this.#now = now
    this.run = run
    this.args = args
    this.repeats = repeats
    this.ms = Math.max(1, ms || 0)
  }

  refresh() {
    // Moves to the end, so that timers due at the same time fire in the order in which they were started.
    this.#timers.delete(this)
    this.due = this.#now() + this.ms
    this.#timers.add(this)
    return this
  }

  ref() {
    this.#referenced = true
    return this
  }

  unref() {
    this.#referenced = false
    return this
  }

  hasRef() {
    return this.#referenced
  }

  close() {
    this.#timers.delete(this)
    return this
  }
}
