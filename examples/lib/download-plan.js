// Knows which blocks are still to be asked for, and puts arriving blocks together into pieces.
'use strict'

/** The work of one download. A block is `{piece, offset, length}`, in bytes. */
class DownloadPlan {
  #torrent
  #pieces
  #blocks = []
  #begun = new Map()

  /** @param {Torrent} torrent */
  constructor(torrent) {
    this.#torrent = torrent
    this.#pieces = Array.from({ length: torrent.pieceCount }, (_, piece) => piece)
  }

  /**
   * Takes the next block to ask for, in order, so that few pieces are incomplete at a time.
   *
   * @param {boolean[]} peerPieces which pieces the peer has
   * @returns {object | null} null when the peer has nothing that is still to be asked for
   */
  take(peerPieces) {
    if (this.#blocks.length === 0) this.#begin(this.#pieces.findIndex((piece) => peerPieces[piece]))
    return this.#blocks.shift() ?? null
  }

  /**
   * Returns a block that was taken and did not arrive.
   *
   * @param {object} block
   */
  putBack(block) {
    this.#blocks.push(block)
  }

  /**
   * Keeps the bytes of a block that was taken.
   *
   * @param {object} block
   * @param {Buffer} bytes
   * @returns {Buffer | null} the whole piece when this was its last missing block
   */
  add({ piece, offset }, bytes) {
    const begun = this.#begun.get(piece)
    // Copied, not kept: the bytes are a view of a much larger chunk of the socket.
    bytes.copy(begun.bytes, offset)
    begun.missing -= bytes.length
    if (begun.missing > 0) return null
    this.#begun.delete(piece)
    return begun.bytes
  }

  #begin(number) {
    if (number === -1) return
    const [piece] = this.#pieces.splice(number, 1)
    const length = this.#torrent.lengthOf(piece)
    this.#begun.set(piece, { bytes: Buffer.allocUnsafeSlow(length), missing: length })
    this.#blocks = this.#torrent.blocksOf(piece)
  }
}

module.exports = { DownloadPlan }
