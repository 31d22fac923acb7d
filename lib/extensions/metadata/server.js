// Answers requests of a peer for metadata, in bounds: a peer that requests and never reads gets no more than the
// output may hold.
'use strict'

const { addon } = require('../../native.js')
const { startTimer } = require('../../session/deadlines.js')

/** Requests that wait for room in the output. As many as libtorrent takes: metadata of 16 MiB, asked for at once. */
const MAX_WAITING = 1024

/** Bytes above the backlog that rejects may use. */
const REJECT_ROOM = 64 * 1024

/** Bytes that may wait in a wire of bittorrent-protocol, as in ours by default. */
const BACKLOG = 1024 * 1024

/** After how many ms output is looked at of which nobody tells that it has drained. */
const RETRY_INTERVAL = 20

class Server {
  #channel
  #wire
  #session
  /** Piece indices, oldest first. */
  #waiting = []
  #isPlanned = false

  /**
   * @param {import('./channel.js').Channel} channel
   * @param {object} wire
   * @param {import('../../session/session.js').Session | null} session - null for a wire of bittorrent-protocol
   */
  constructor(channel, wire, session) {
    this.#channel = channel
    this.#wire = wire
    this.#session = session
    /** The info dictionary; null as long as there is none. */
    this.info = null
    this.answered = 0
    this.rejected = 0
    this.ignored = 0
  }

  get waiting() {
    return this.#waiting.length
  }

  onRequest(piece) {
    if (!this.#channel.canSend) this.ignored++
    else if (this.#waiting.length === 0 && this.#hasRoom(0)) this.#answer(piece)
    else if (this.#waiting.length < MAX_WAITING) {
      this.#waiting.push(piece)
      this.#plan()
    } else if (this.#hasRoom(REJECT_ROOM)) this.#reject(piece)
    else this.ignored++
  }

  #answer(piece) {
    this.#send(addon.metadataAnswer(this.info, piece))
  }

  #reject(piece) {
    this.#send(addon.metadataAnswer(null, piece))
  }

  #send(answer) {
    if (addon.metadataHead(answer).kind === addon.MetadataKind.Data) this.answered++
    else this.rejected++
    this.#channel.send(answer)
  }

  #hasRoom(more) {
    const limit = this.#session === null ? BACKLOG : this.#session.settings.uploadBacklog
    const unsent = this.#unsent()
    return unsent === 0 || unsent < limit + more
  }

  #unsent() {
    if (this.#session !== null) return this.#session.unsent
    // streamx has it under one name, Node under the other.
    return this.#wire._readableState?.buffered ?? this.#wire.readableLength ?? 0
  }

  /** Goes on once there may be room. */
  #plan() {
    if (this.#isPlanned) return
    this.#isPlanned = true
    const session = this.#session
    // Little that waits in a socket leaves without an event, too.
    if (session === null || session.port.waiting === 0) {
      startTimer(RETRY_INTERVAL, () => this.#resumeInContext())
      return
    }
    session.extensions.onDrain = () => {
      session.extensions.onDrain = null
      // Not within the reader of the output, which has just made room.
      process.nextTick(() => this.#resumeInContext())
    }
  }

  #resumeInContext() {
    if (this.#session === null) this.#resume()
    else this.#session.inContext(() => this.#resume())
  }

  #resume() {
    this.#isPlanned = false
    if (!this.#channel.canSend) {
      this.ignored += this.#waiting.length
      this.#waiting = []
    }
    while (this.#waiting.length > 0 && this.#hasRoom(0)) this.#answer(this.#waiting.shift())
    if (this.#waiting.length > 0) this.#plan()
  }
}

module.exports = { MAX_WAITING, Server }
