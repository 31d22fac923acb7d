// Runs the example scripts as processes of their own and hears what they say.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const EXAMPLES = new URL('../../examples/', import.meta.url)

/**
 * Starts an example; it is killed at the end of the test if it still runs.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {string} name file name in examples/
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env] additional variables
 * @returns {Script}
 */
export function startScript(t, name, args, env) {
  const script = new Script(fileURLToPath(new URL(name, EXAMPLES)), args, env)
  t.teardown(() => script.kill())
  return script
}

class Script {
  output = ''
  #child

  constructor(file, args, env) {
    const options = { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, ...env } }
    this.#child = fork(file, args, options)
    const { stdout, stderr } = this.#child
    for (const stream of [stdout, stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text))
    }
    const ends = ['close', 'disconnect'].map((event) => once(this.#child, event))
    /** Exit code, or the name of the signal that ended the process. */
    this.ended = Promise.all(ends).then(([[code, signal]]) => signal ?? code)
  }

  /** The first report of a type that comes from now on, see report() in examples/lib. */
  report(type) {
    return this.#before((resolve) => {
      this.#child.on('message', (message) => message.type === type && resolve(message))
    }, `report '${type}'`)
  }

  /** The match of a pattern in what was printed so far or is printed later. */
  printed(pattern) {
    return this.#before((resolve) => {
      const look = () => {
        const match = pattern.exec(this.output)
        if (match) resolve(match)
      }
      this.#child.stdout.on('data', look)
      this.#child.stderr.on('data', look)
      look()
    }, String(pattern))
  }

  #before(start, what) {
    return new Promise((resolve, reject) => {
      start(resolve)
      this.ended.then((code) => {
        reject(new Error(`ended with ${code} before ${what}:\n${this.output}`))
      })
    })
  }

  /** Ctrl-C. */
  interrupt() {
    this.#child.kill('SIGINT')
  }

  async kill() {
    this.#child.kill('SIGKILL')
    await this.ended
  }
}
