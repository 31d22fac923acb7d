// The stream under an encrypted one: listens to it, and lets go of it at the end.
'use strict'

class Carrier {
  /**
   * @param {import('node:stream').Duplex} stream
   * @param {{data: Function, end: Function, error: Function, close: Function, drain: Function}} listeners
   */
  constructor(stream, listeners) {
    this.stream = stream
    this.listeners = Object.entries(listeners)
    this.isPaused = false
    /** Whether an end of the peer also ends our side. */
    this.isHalfOpen = stream.allowHalfOpen !== false
    // The encrypted stream ends its side later, when its reader has got everything, as this one would have.
    if (!this.isHalfOpen) stream.allowHalfOpen = true
    for (const [name, listener] of this.listeners) stream.on(name, listener)
  }

  pause() {
    if (this.isPaused) return
    this.isPaused = true
    this.stream.pause()
  }

  resume() {
    if (!this.isPaused) return
    this.isPaused = false
    this.stream.resume()
  }

  /** @returns {boolean} whether it takes more before 'drain' */
  write(bytes) {
    return this.stream.write(bytes) !== false
  }

  /** Ends our side. @param {() => void} done - called when everything has left */
  end(done) {
    const { stream } = this
    if (stream.writableFinished || stream.destroyed) return done()
    stream.once('finish', done)
    this.listeners.push(['finish', done])
    stream.end()
  }

  /** Lets go of the stream and destroys it. */
  destroy() {
    const { stream } = this
    for (const [name, listener] of this.listeners) stream.removeListener(name, listener)
    this.listeners = []
    if (isClosed(stream)) return
    // It may still fail while it closes, which is nobody's business any more.
    const letGo = () => {
      stream.removeListener('error', ignore)
      stream.removeListener('close', letGo)
    }
    stream.on('error', ignore)
    stream.on('close', letGo)
    stream.destroy()
  }
}

function isClosed(stream) {
  return stream.closed === true
}

function ignore() {}

module.exports = { Carrier }
