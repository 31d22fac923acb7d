// Runs a client as a process: logs its output, waits for conditions, ends it with its children.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL = 50 // ms; most clients send no notification of progress
const PATIENCE = 120_000 // ms; for a busy machine, far above what any client needs
const LOG_LENGTH = 10_000 // characters, the last ones of what a client printed

/**
 * @param {string} command
 * @param {string[]} args that make it print its version and exit
 * @returns {string | undefined} what it printed; undefined if there is no such program
 */
export function ask(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return error || status !== 0 ? undefined : stdout + stderr
}

/**
 * Starts a program that is killed at the end of the test if it still runs.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Program}
 */
export function startProgram(t, command, args, options) {
  const program = new Program(command, args, options)
  t.teardown(() => program.kill())
  return program
}

class Program {
  #name
  #child
  #log = ''
  #end

  constructor(command, args, options) {
    this.#name = command
    // A group of its own, so that one signal reaches its children too.
    const stdio = ['pipe', 'pipe', 'pipe']
    this.#child = spawn(command, args, { ...options, stdio, detached: true })
    this.#child.stdin.on('error', () => {})
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => this.#note(text))
    }
    const kill = () => this.#signal('SIGKILL')
    process.once('exit', kill)
    /** Exit code, or the name of the signal that ended it. */
    this.ended = once(this.#child, 'close').then(
      ([code, signal]) => (this.#end = signal ?? code),
      (error) => (this.#end = error.message)
    )
    this.ended.then(() => process.removeListener('exit', kill))
  }

  #note(text) {
    this.#log = (this.#log + text).slice(-LOG_LENGTH)
  }

  /** The end of its output. */
  get output() {
    return this.#log
  }

  /**
   * Settles when a condition holds.
   *
   * @template T
   * @param {string} what the condition, in words
   * @param {() => T | Promise<T>} condition
   * @returns {Promise<T>} the first true value of the condition
   * @throws {Error} with the output of the program, when it exits or takes minutes
   */
  async until(what, condition, deadline = performance.now() + PATIENCE) {
    const value = await condition()
    if (value) return value
    if (this.#end !== undefined) throw this.#failure(`ended with ${this.#end} before it ${what}`)
    if (performance.now() > deadline) throw this.#failure(`took too long until it ${what}`)
    await sleep(POLL)
    return this.until(what, condition, deadline)
  }

  /** Settles when something accepts connections on a port of 127.0.0.1. */
  listens(port) {
    return this.until(`listens on port ${port}`, () => accepts(port))
  }

  #failure(reason) {
    return new Error(`${this.#name} ${reason}; it printed:\n${this.#log}`)
  }

  /**
   * Asks it to exit, as the system does at shutdown.
   *
   * @returns {Promise<number | string>} exit code, or the name of the signal that ended it
   */
  async stop() {
    this.#signal('SIGTERM')
    return this.until('was stopped', () => this.#end !== undefined && [this.#end]).then(first)
  }

  async kill() {
    this.#signal('SIGKILL')
    await this.ended
  }

  #signal(name) {
    const { pid } = this.#child
    if (pid === undefined || this.#end !== undefined) return
    try {
      process.kill(-pid, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}

const first = ([value]) => value

async function accepts(port) {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/**
 * Queries a server that may not be listening yet.
 *
 * @template T
 * @param {() => Promise<T>} question rejects while nothing listens
 * @returns {Promise<T | undefined>}
 */
export async function whenListening(question) {
  try {
    return await question()
  } catch (error) {
    const code = error.code ?? error.cause?.code
    if (NOT_LISTENING.has(code)) return undefined
    throw error
  }
}

const NOT_LISTENING = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'UND_ERR_SOCKET'])
