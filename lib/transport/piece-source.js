// `PieceSource`: pieces in memory or in files, which the I/O thread serves to the peers of any number of wires.
'use strict'

const { EventEmitter } = require('node:events')

const { toFileError } = require('./errors.js')
const { native } = require('./native.js')
const { sources, startRecords } = require('./records.js')
const { toBytesOf, toSource } = require('./source-options.js')
const { checkInteger } = require('../arguments.js')
const channels = require('../diagnostics/channels.js')
const { withCode } = require('../errors.js')

/** A source that is closed has no number. */
const NONE = -1

/** A source that is dropped without an end must not leak its number; sockets that serve it go on. */
const abandoned = new FinalizationRegistry((number) => {
  sources.delete(number)
  native.closeSource(number, false)
})

class PieceSource extends EventEmitter {
  #number
  #settings
  #failures = 0

  /** @param {object} options - see docs/api.md */
  constructor(options) {
    super()
    const { pieces, ...settings } = toSource(options)
    startRecords()
    // Without the pieces: they are copied, and may be large.
    this.#settings = settings
    this.#number = native.makeSource(settings)
    sources.set(this.#number, new WeakRef(this))
    abandoned.register(this, this.#number, this)
    for (const [index, bytes] of pieces) native.addPiece(this.#number, index, bytes)
  }

  /** @returns {number} bytes of a piece; the last one may be shorter */
  get pieceLength() {
    return this.#settings.pieceLength
  }

  /** @returns {number} bytes of all pieces */
  get length() {
    return this.#settings.length
  }

  /** @returns {number} pieces, whether they are there or not */
  get count() {
    return this.#settings.count
  }

  get closed() {
    return this.#number === NONE
  }

  /** @returns {number} blocks that could not be read, and were not sent */
  get failures() {
    return this.closed ? this.#failures : native.countFailures(this.#number)
  }

  /**
   * A piece is there from now on: in the files, or these bytes.
   *
   * @param {number} index
   * @param {Uint8Array} [bytes] - of a piece in memory, which are copied
   * @returns {this}
   */
  add(index, bytes) {
    this.#check(index)
    const { isOfFiles } = this.#settings
    if (isOfFiles && bytes !== undefined) {
      throw new TypeError('bytes must be left out, as the pieces are in files')
    }
    const given = isOfFiles ? null : toBytesOf('bytes', bytes, this.#settings, index)
    if (this.closed) throw withCode('ERR_PWP_SOURCE_CLOSED', 'source is closed')
    native.addPiece(this.#number, index, given)
    return this
  }

  /**
   * A piece is not there any more.
   *
   * @param {number} index
   * @returns {boolean} whether it was
   */
  remove(index) {
    this.#check(index)
    return !this.closed && native.removePiece(this.#number, index)
  }

  /**
   * @param {number} index
   * @returns {boolean} whether the piece is there
   */
  has(index) {
    this.#check(index)
    return !this.closed && native.hasPiece(this.#number, index)
  }

  /** Nothing is there any more: further requests are rejected. Its memory is free, its files are closed. */
  close() {
    if (this.closed) return
    this.#failures = this.failures
    abandoned.unregister(this)
    sources.delete(this.#number)
    native.closeSource(this.#number, true)
    this.#number = NONE
  }

  #check(index) {
    checkInteger('index', index)
    if (index >= this.count) {
      throw new RangeError(`index must be below ${this.count}, got ${index}`)
    }
  }

  /** For wires. */
  _numberToServe() {
    if (this.closed) throw withCode('ERR_PWP_SOURCE_CLOSED', 'source is closed')
    return this.#number
  }

  /** A file cannot be read. */
  _onFailed(file, piece, [line]) {
    const { path } = this.#settings.files[file]
    const error = toFileError(line, path, piece)
    if (channels.sourceError.hasSubscribers) {
      channels.sourceError.publish({ source: this, error })
    }
    // Without a listener it is quiet, as wires are: the peers have their rejects.
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }
}

module.exports = { PieceSource }
