// Reads the output of a wire in one of several ways, with random pauses.
import { Writable } from 'node:stream'

/** High-water marks of the streams that a wire is piped into, in bytes. */
const MARKS = [1, 200, 16 * 1024]

const PLAIN_KINDS = ['flow', 'paused']
const PIPE_KINDS = ['prompt pipe', 'slow pipe', 'stuck pipe']

export class Reader {
  mark = 0 // bytes that the sink may hold
  length = 0 // bytes that were taken
  isTaking = false
  #subject
  #chunks = []
  #kind
  #sink = null
  #isPiped = false
  #held = []

  /**
   * @param {import('./subject.mjs').Subject} subject
   * @param {object} random
   * @param {boolean} mayPipe
   */
  constructor(subject, random, mayPipe) {
    this.#subject = subject
    this.#kind = random.pick(mayPipe ? [...PLAIN_KINDS, ...PIPE_KINDS] : PLAIN_KINDS)
    if (this.#kind === 'flow') subject.wire.on('data', (chunk) => this.#take(chunk))
    if (!this.#kind.endsWith('pipe')) return
    this.mark = random.pick(MARKS)
    this.#sink = this.#makeSink(random)
    this.pipe()
  }

  get isPipe() {
    return this.#sink !== null
  }

  /** All that was read. */
  get bytes() {
    return Buffer.concat(this.#chunks)
  }

  /** Bytes that have left the wire and are not taken yet. */
  get waiting() {
    return this.#sink?.writableLength ?? 0
  }

  #take(chunk) {
    // Its memory may be taken away.
    const bytes = Buffer.from(chunk, 'latin1')
    this.#chunks.push(bytes)
    this.length += bytes.length
    this.isTaking = true
    try {
      this.#subject.onOutput(chunk, this.isPipe)
    } finally {
      this.isTaking = false
    }
  }

  #makeSink() {
    return new Writable({
      highWaterMark: this.mark,
      write: (chunk, encoding, done) => {
        this.#take(chunk)
        if (this.#kind === 'prompt pipe') done()
        else if (this.#kind === 'slow pipe') setImmediate(done)
        else this.#held.push(done)
      }
    })
  }

  pipe() {
    if (this.#sink === null || this.#isPiped) return
    this.#isPiped = true
    this.#subject.wire.pipe(this.#sink)
  }

  unpipe() {
    if (!this.#isPiped) return
    this.#isPiped = false
    this.#subject.wire.unpipe(this.#sink)
  }

  pause() {
    if (this.#kind !== 'paused') this.#subject.wire.pause()
  }

  /** Without a listener or a pipe, flowing data would be lost. */
  resume() {
    if (this.#kind === 'flow' || this.#isPiped) this.#subject.wire.resume()
  }

  read(size) {
    if (this.#kind !== 'paused') return
    const chunk = this.#subject.wire.read(size)
    if (chunk !== null) this.#take(chunk)
  }

  /** With an encoding set, a pipe would pass text to the sink. */
  setEncoding() {
    if (this.#sink === null) this.#subject.wire.setEncoding('latin1')
  }

  /** Lets a stalled sink take the chunks it holds. */
  release() {
    for (const done of this.#held.splice(0)) done()
  }

  /** Reads what is available; call in every turn until the wire has ended. */
  drain() {
    this.pipe()
    // After a listener has thrown, the stream no longer flows.
    if (this.#kind === 'flow') this.pause()
    this.resume()
    this.release()
    if (this.#kind !== 'paused') return
    while (this.#subject.wire.readableLength > 0) this.read()
    this.read()
  }
}
