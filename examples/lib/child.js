// Starts an example in a process of its own and hears its reports.
'use strict'

const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')

/** A running seed.js or leech.js. */
class Child {
  #process
  #name
  #ended

  /**
   * @param {string} name file name of the script in examples/
   * @param {string[]} args
   */
  constructor(name, args) {
    this.#name = name
    this.#process = fork(path.join(__dirname, '..', name), args, { stdio: STDIO })
    // 'exit' may come before the last messages are read, 'disconnect' comes after them.
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
    const report = new Promise((resolve, reject) => {
      this.on(type, resolve)
      this.#ended.then(() => reject(new Error(`${this.#name} failed`)), reject)
    })
    // The failure is told by whoever waits for it, maybe later than it happens.
    report.catch(() => {})
    return report
  }

  /** Asks the process to stop; it does so as soon as it is alone. */
  disconnect() {
    if (this.#process.connected) this.#process.disconnect()
  }

  /** Stops the process, whatever it is at. Settles when it is gone. */
  async stop() {
    this.disconnect()
    await this.#ended
  }

  /**
   * Stops the process, which has done its work.
   *
   * @throws {Error} when it ends with a failure
   */
  async finish() {
    this.disconnect()
    const code = await this.#ended
    if (code !== 0) throw new Error(`${this.#name} ended with ${code}`)
  }
}

const STDIO = ['ignore', 'inherit', 'inherit', 'ipc']

module.exports = { Child }
