// A torrent of version 2 as its info dictionary describes it: its files, which all begin with a piece, and
// their hash trees (BEP 52).
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import bencode from 'bencode'
import { pwp } from '../../testkit/wires.mjs'

export const BLOCK_LENGTH = 16 * 1024

/** Most hashes that are requested at once: so few that their parents have to be proved. */
const MAX_HASHES = 16

export class V2Torrent {
  /** @type {{name: string, length: number, root: Buffer, firstPiece: number, pieces: number}[]} */
  files = []

  /** @param {Buffer} info */
  constructor(info) {
    const { 'file tree': tree, 'piece length': pieceLength, name } = bencode.decode(info)
    this.pieceLength = pieceLength
    /** The layer of the tree that has a hash for each piece. */
    this.pieceLayer = Math.log2(pieceLength / BLOCK_LENGTH)
    this.pieces = 0
    // The tree of a single file has no folder.
    const isFile = Object.keys(tree).length === 1 && tree[name]?.['']
    this.#add(tree, isFile ? '' : name.toString())
  }

  #add(tree, folder) {
    for (const [key, value] of Object.entries(tree)) {
      const name = path.join(folder, key)
      if (!value['']) {
        this.#add(value, name)
        continue
      }
      const { length, 'pieces root': root } = value['']
      const pieces = Math.ceil(length / this.pieceLength)
      this.files.push({ name, length, root, firstPiece: this.pieces, pieces })
      this.pieces += pieces
    }
  }

  /** The file that has a piece. */
  fileOf(piece) {
    return this.files.findLast(({ firstPiece }) => firstPiece <= piece)
  }

  /** Bytes of a piece, which is shorter at the end of a file. */
  lengthOf(piece) {
    const { firstPiece, length } = this.fileOf(piece)
    return Math.min(this.pieceLength, length - (piece - firstPiece) * this.pieceLength)
  }

  /** Requests that give all hashes of the pieces of a file; none if it has only one, whose hash is the root. */
  hashRequests({ root, pieces }) {
    if (pieces === 1) return []
    const layers = Math.ceil(Math.log2(pieces))
    const length = Math.min(2 ** layers, MAX_HASHES)
    return Array.from({ length: Math.ceil(pieces / length) }, (_, number) => ({
      root,
      baseLayer: this.pieceLayer,
      index: number * length,
      length,
      proofLayers: layers - 1
    }))
  }
}

/**
 * @param {V2Torrent} torrent
 * @param {string} folder
 * @returns {Promise<{bytes: Buffer, tree: object}[]>} in the order of the files
 */
export function readFiles({ files }, folder) {
  return Promise.all(
    files.map(async ({ name }) => {
      const bytes = await readFile(path.join(folder, name))
      const hashes = []
      for (let at = 0; at < bytes.length; at += BLOCK_LENGTH) {
        const block = bytes.subarray(at, at + BLOCK_LENGTH)
        hashes.push(createHash('sha256').update(block).digest())
      }
      return { bytes, tree: new pwp.HashTree(Buffer.concat(hashes)) }
    })
  )
}
