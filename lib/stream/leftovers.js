// What is left unread when the stream that a wire was piped into is over: nobody can get it any more,
// and a wire that waits for a reader would never end.
'use strict'

class Leftovers {
  /** @param {import('node:stream').Duplex} stream */
  constructor(stream) {
    this.stream = stream
    this.isCutOff = false
  }

  /**
   * The wire is no longer piped into a stream.
   *
   * @param {import('node:stream').Writable} sink - may be over, or just have been taken off
   * @param {import('node:stream').Readable | null} source - of the input
   * @param {boolean} isFinished - whether the wire takes no more input
   * @param {() => void} onclose - to be called when the source closes without an end
   */
  onUnpiped(sink, source, isFinished, onclose) {
    if (!isOver(sink) || this.#hasReader) return
    this.isCutOff = true
    if (isFinished) this.discard()
    else if (source !== null) this.#watch(source, onclose)
  }

  onPiped() {
    this.isCutOff = false
  }

  /** Input may still come; but a source that closes without an end does not end the wire. */
  #watch(source, onclose) {
    const listener = () => {
      if (this.isCutOff && !this.stream.writableEnded) onclose()
    }
    if (source.destroyed === true) listener()
    else source.once('close', listener)
  }

  /** The wire has finished: lets what is left go if it is cut off, so that it ends. */
  discard() {
    if (this.isCutOff && !this.#hasReader) this.stream.resume()
  }

  get #hasReader() {
    return this.stream.listenerCount('data') > 0 || this.stream.listenerCount('readable') > 0
  }
}

function isOver(sink) {
  return sink.destroyed === true || sink.writableEnded === true || sink.writable === false
}

module.exports = { Leftovers }
