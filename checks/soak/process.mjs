// One of the two processes of a soak, as seen by its parent.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PEER = fileURLToPath(new URL('peer.mjs', import.meta.url))

/** Longest time for an answer, and for the exit, in ms. */
const TIMEOUT = 60_000

/**
 * @param {'server' | 'client'} name
 * @param {(string | number)[]} args of peer.mjs
 * @returns {Promise<Peer>} settles when it is ready
 */
export async function startPeer(name, args) {
  const peer = new Peer(name, args.map(String))
  await peer.ready()
  return peer
}

class Peer {
  port = 0
  counts = {}
  samples = [] // { seconds, rss, heapUsed }, in bytes
  code = null
  #child
  #ended

  constructor(name, args) {
    this.name = name
    this.#child = fork(PEER, args, { execArgv: ['--expose-gc'] })
    this.#ended = once(this.#child, 'exit').then(([code, signal]) => {
      this.code = signal ?? code
    })
    process.once('exit', () => this.#child.kill('SIGKILL'))
  }

  async ready() {
    const { port } = await this.#receive()
    this.port = port
  }

  /** Asks for its counts and its memory. */
  async sample() {
    this.#child.send('sample')
    const { counts, memory } = await this.#receive()
    this.counts = counts
    this.samples.push({ seconds: performance.now() / 1000, ...memory })
  }

  describeSample() {
    const { rss, heapUsed } = this.samples.at(-1)
    const { connections, blocks } = this.counts
    const [rssKiB, heapKiB] = [rss, heapUsed].map((bytes) => Math.round(bytes / 1024))
    return `${this.name}: ${connections} connections, ${blocks} blocks, RSS ${rssKiB} KiB, heap ${heapKiB} KiB`
  }

  /** Closes all connections, takes the last counts, and waits for the process to exit by itself. */
  async stop() {
    this.#child.send('stop')
    const { counts } = await this.#receive()
    this.counts = counts
    const watchdog = setTimeout(() => this.#child.kill('SIGKILL'), TIMEOUT)
    await this.#ended
    clearTimeout(watchdog)
  }

  async #receive() {
    const signal = AbortSignal.timeout(TIMEOUT)
    const ended = this.#ended.then(() => {
      throw new Error(`the ${this.name} ended with ${this.code}`)
    })
    const [message] = await Promise.race([once(this.#child, 'message', { signal }), ended])
    return message
  }
}
