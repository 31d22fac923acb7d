// Drops output that is unread when the stream that a wire was piped into has ended: nobody can read it any
// more, and a wire that waits for a reader would never end.
'use strict'

class Leftovers {
  /** @param {import('node:stream').Duplex} stream */
  constructor(stream) {
    this.stream = stream
    this.isCutOff = false
  }

  /**
   * The wire was unpiped from a stream.
   *
   * @param {import('node:stream').Writable} sink - which may have ended, or merely been unpiped
   * @param {import('node:stream').Readable | null} source - what is piped into the wire
   * @param {boolean} isFinished - whether the wire takes no more input
   * @param {() => void} onclose - called when the source closes without an end
   */
  onUnpiped(sink, source, isFinished, onclose) {
    if (!hasEnded(sink) || this.#hasReader) return
    this.isCutOff = true
    if (isFinished) this.discard()
    else if (source !== null) this.#watch(source, onclose)
  }

  onPiped() {
    this.isCutOff = false
  }

  /**
   * Input may still be received, but a source that closes without 'end' does not end the wire: Node's pipe
   * only forwards 'end'.
   */
  #watch(source, onclose) {
    const listener = () => {
      if (this.isCutOff && !this.stream.writableEnded) onclose()
    }
    if (source.destroyed === true) listener()
    else source.once('close', listener)
  }

  /** The wire has finished: drops what is left if nobody can read it, so that the wire ends. */
  discard() {
    if (this.isCutOff && !this.#hasReader) this.stream.resume()
  }

  get #hasReader() {
    return this.stream.listenerCount('data') > 0 || this.stream.listenerCount('readable') > 0
  }
}

function hasEnded(sink) {
  return sink.destroyed === true || sink.writableEnded === true || sink.writable === false
}

module.exports = { Leftovers }
