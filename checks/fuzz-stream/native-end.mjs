// An end of a random TCP connection that is a native wire.
import { EventEmitter } from 'node:events'
import { WireEnd } from './ends.mjs'

/** How a native socket may fail whose peer goes away, in an exchange of keys too. */
const LOST = /^(ECONNABORTED|ECONNRESET|EPIPE|ERR_PWP_ENCRYPTION_TRUNCATED)$/

/** What docs/errors.md blames on a peer where the server knows its torrents. */
const REFUSED = /^ERR_PWP_(ENCRYPTION_|INFO_HASH$)/

/** What the mishaps of an end do to its socket, for one that only its wire reaches. */
class HiddenSocket extends EventEmitter {
  closed = false
  #wire

  constructor(wire) {
    super()
    this.#wire = wire
    wire.on('close', () => {
      // As that of a socket, after all of the wire.
      setImmediate(() => {
        this.closed = true
        this.emit('close')
      })
    })
  }

  get writableEnded() {
    return this.#wire.writableEnded
  }

  destroy() {
    this.#wire.destroy()
  }

  resetAndDestroy() {
    this.#wire.destroy()
  }

  end() {
    this.#wire.end()
  }

  /** There is nothing to pause. */
  pause() {}
}

export class NativeEnd extends WireEnd {
  /**
   * @param {string} name
   * @param {import('../../index.js').Wire} wire
   * @param {object} random
   */
  constructor(name, wire, random) {
    super(name, new HiddenSocket(wire), random, () => wire)
  }

  /** A native wire is joined to its socket. */
  join() {}

  check(isPeerValid) {
    const code = this.wire.error?.code
    const isBlamed = LOST.test(code) || (!isPeerValid && REFUSED.test(code))
    return isBlamed ? this.checkAll(isPeerValid, null) : super.check(isPeerValid)
  }
}
