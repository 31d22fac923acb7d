// The hash of one piece on the event loop, over its bytes as they arrive.
'use strict'

const { createHash } = require('node:crypto')

class PieceCheck {
  /**
   * @param {object} fetch - see options.js
   * @param {Buffer} bytes - of the piece, filled meanwhile
   */
  constructor({ hash, pieceLength }, bytes) {
    this.hash = hash
    this.pieceLength = pieceLength
    this.bytes = bytes
    this.hashed = 0
    // A root is over all bytes at once: see src/protocol/hashes.
    this.sha1 = hash?.bytes.length === 20 ? createHash('sha1') : null
  }

  /** @param {number} end - the bytes before it are there */
  advance(end) {
    if (this.sha1 === null || end <= this.hashed) return
    this.sha1.update(this.bytes.subarray(this.hashed, end))
    this.hashed = end
  }

  /** @returns {boolean} whether the piece, of which all bytes are there, is right */
  isRight() {
    if (this.hash === null) return true
    this.advance(this.bytes.length)
    return this.#digest().equals(this.hash.bytes)
  }

  #digest() {
    if (this.sha1 !== null) return this.sha1.digest()
    const { pieceRoot } = require('../hash-tree.js')
    const { pieceLength } = this
    return pieceRoot(this.bytes, pieceLength === 0 ? undefined : { pieceLength })
  }
}

module.exports = { PieceCheck }
