// Reads the output of a wire in one of several ways, as whimsically as its user wants.
import { Writable } from 'node:stream'

/** Marks of the streams that a wire is piped into, in bytes. */
const MARKS = [1, 200, 16 * 1024]

export class Reader {
  mark = 0 // bytes that may wait behind the wire
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
   */
  constructor(subject, random) {
    this.#subject = subject
    this.#kind = random.pick(['flow', 'paused', 'prompt pipe', 'slow pipe', 'stuck pipe'])
    if (this.#kind === 'flow') subject.wire.on('data', (chunk) => this.#take(chunk))
    if (!this.#kind.endsWith('pipe')) return
    this.mark = random.pick(MARKS)
    this.#sink = this.#makeSink(random)
    this.pipe()
  }

  /** All that was read. */
  get bytes() {
    return Buffer.concat(this.#chunks)
  }

  /** Bytes that have left the wire and were not taken yet. */
  get waiting() {
    return this.#sink?.writableLength ?? 0
  }

  #take(chunk) {
    this.#chunks.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk)
    this.isTaking = true
    try {
      this.#subject.onOutput(this.#sink !== null)
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

  /** Without a listener or a pipe what flows would be lost. */
  resume() {
    if (this.#kind === 'flow' || this.#isPiped) this.#subject.wire.resume()
  }

  read(size) {
    if (this.#kind !== 'paused') return
    const chunk = this.#subject.wire.read(size)
    if (chunk !== null) this.#take(chunk)
  }

  /** A pipe would give the sink text. */
  setEncoding() {
    if (this.#sink === null) this.#subject.wire.setEncoding('latin1')
  }

  /** Lets a stuck sink take what it has. */
  release() {
    for (const done of this.#held.splice(0)) done()
  }

  /** Reads what there is; to be called in every turn until the wire has ended. */
  drain() {
    this.pipe()
    // Where a listener has thrown, the flow stands still.
    if (this.#kind === 'flow') this.pause()
    this.resume()
    this.release()
    if (this.#kind !== 'paused') return
    while (this.#subject.wire.readableLength > 0) this.read()
    this.read()
  }
}
