// Runs the examples and the demo as processes of their own and hears what they say.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('../../', import.meta.url)

/**
 * Starts a script; it is killed at the end of the test if it still runs.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {string} name such as examples/seed.js
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env] additional variables
 * @returns {Script}
 */
export function startScript(t, name, args, env) {
  const script = new Script(fileURLToPath(new URL(name, ROOT)), args, env)
  t.teardown(() => script.kill())
  return script
}

class Script {
  output = ''
  #child

  constructor(file, args, env) {
    this.#child = spawn(process.execPath, [file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env }
    })
    const { stdout, stderr } = this.#child
    for (const stream of [stdout, stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text))
    }
    /** Exit code, or the name of the signal that ended the process. */
    this.ended = once(this.#child, 'close').then(([code, signal]) => signal ?? code)
  }

  /** The match of a pattern in what was printed so far or is printed later. */
  printed(pattern) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(this.output)
        if (match) resolve(match)
      }
      this.#child.stdout.on('data', look)
      this.#child.stderr.on('data', look)
      look()
      this.ended.then((code) => {
        reject(new Error(`ended with ${code} before ${pattern}:\n${this.output}`))
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
