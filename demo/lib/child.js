// Starts an example in a process of its own, and receives its output and the reports of observe.js.
'use strict'

const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')

/** A running seed.js or leech.js. */
class Child {
  #process
  #name
  #ended
  #output = ''

  /**
   * @param {string} name file name of the script in examples/
   * @param {string[]} args
   */
  constructor(name, args) {
    this.#name = name
    this.#process = fork(path.join(EXAMPLES, name), args, {
      execArgv: ['--require', require.resolve('./observe.js')],
      stdio: ['ignore', 'pipe', 'inherit', 'ipc']
    })
    this.#process.stdout.setEncoding('utf8').on('data', (text) => (this.#output += text))
    // 'exit' may be emitted before the last messages are read, 'disconnect' only after them.
    const ends = ['exit', 'disconnect'].map((event) => once(this.#process, event))
    this.#ended = Promise.all(ends).then(([[code, signal]]) => signal ?? code)
  }

  /** @returns {number} process id */
  get pid() {
    return this.#process.pid
  }

  /**
   * @param {string} type
   * @param {(report: object) => void} listener
   */
  on(type, listener) {
    this.#process.on('message', (report) => report.type === type && listener(report))
  }

  /**
   * @param {string} type
   * @returns {Promise<object>} the first report of this type; rejects when the process ends without
   */
  expect(type) {
    return this.#orEnd((resolve) => this.on(type, resolve))
  }

  /**
   * @param {RegExp} pattern
   * @returns {Promise<RegExpExecArray>} its match in the output; rejects as expect() does
   */
  prints(pattern) {
    return this.#orEnd((resolve) => {
      const look = () => {
        const match = pattern.exec(this.#output)
        if (match) resolve(match)
      }
      this.#process.stdout.on('data', look)
      look()
    })
  }

  #orEnd(start) {
    const promise = new Promise((resolve, reject) => {
      start(resolve)
      this.#ended.then(() => reject(new Error(`${this.#name} failed`)), reject)
    })
    // The failure is reported where it is awaited, possibly later than it happens.
    promise.catch(() => {})
    return promise
  }

  /** Asks the process to stop: it does so once it is disconnected, see observe.js. */
  disconnect() {
    if (this.#process.connected) this.#process.disconnect()
  }

  /** Kills the process, whatever it is doing. Settles when it is gone. */
  async stop() {
    this.disconnect()
    await this.#ended
  }

  /**
   * Waits until the process has ended by itself.
   *
   * @throws {Error} when it ends with a failure
   */
  async finish() {
    const code = await this.#ended
    if (code !== 0) throw new Error(`${this.#name} ended with ${code}`)
  }
}

const EXAMPLES = path.dirname(require.resolve('../../examples/seed.js'))

module.exports = { Child }
