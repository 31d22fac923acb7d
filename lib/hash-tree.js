// Hash trees of version 2, for those who serve or check hashes. BEP 52
// <https://www.bittorrent.org/beps/bep_0052.html>.
'use strict'

const { checkInteger, readFields, toBytes } = require('./arguments.js')
const { toHashRequest } = require('./hash-request.js')
const { addon } = require('./native.js')

/** The hash tree of a file, from one layer up. */
class HashTree {
  #tree
  #root = null

  /**
   * @param {Uint8Array} hashes - of a layer, 32 bytes each; they are copied
   * @param {{baseLayer?: number}} [options] - which layer: 0, the default, for those of blocks
   * @throws {TypeError | RangeError} when they make no tree
   */
  constructor(hashes, options) {
    const bytes = toBytes('hashes', hashes)
    const baseLayer = readOption(options, 'baseLayer') ?? 0
    checkInteger('options.baseLayer', baseLayer)
    try {
      this.#tree = new addon.HashTree(bytes, baseLayer)
    } catch (error) {
      throw new RangeError(error.message, { cause: error })
    }
  }

  /** @returns {Buffer} `pieces root` of the file */
  get root() {
    this.#root ??= this.#tree.root()
    return this.#root
  }

  /** @returns {number} the layer of the root, 0 being that of blocks */
  get rootLayer() {
    return this.#tree.rootLayer()
  }

  /**
   * @param {{root: Uint8Array | string, baseLayer: number, index: number, length: number,
   *   proofLayers: number}} request - such as that of a `'hash-request'` event
   * @returns {Buffer | null} the hashes that answer it; null if it has to be rejected
   * @throws {TypeError | RangeError} when it is no request
   */
  hashesFor(request) {
    const { root, baseLayer, index, length, proofLayers } = toHashRequest('request', request)
    return this.#tree.hashesFor(root, baseLayer, index, length, proofLayers)
  }
}

/**
 * The hash of a piece, as the piece layer has it.
 *
 * @param {Uint8Array} piece
 * @param {{pieceLength?: number}} [options] - of the torrent; without it the root of a file that is no longer
 *   than a piece
 * @returns {Buffer} 32 bytes
 * @throws {TypeError | RangeError} when an argument is wrong
 */
function pieceRoot(piece, options) {
  const bytes = toBytes('piece', piece)
  const pieceLength = readOption(options, 'pieceLength') ?? null
  if (pieceLength !== null) checkInteger('options.pieceLength', pieceLength, 0x7fffffff)
  const root = addon.pieceRoot(bytes, pieceLength)
  if (root !== null) return root
  if (pieceLength === null) throw new RangeError('piece must not be empty')
  throw new RangeError(
    'options.pieceLength must be a power of two from 16384 to 1073741824 that is no less than the piece, ' +
      'which must not be empty'
  )
}

function readOption(options, name) {
  if (options === undefined || options === null) return undefined
  return readFields('options', options, [name])[name]
}

module.exports = { HashTree, pieceRoot }
