// A file as a torrent, which wires serve and download: each piece is checked against its SHA-1.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import bencode from 'bencode'
import { infoHashOf } from '../../testkit/files.mjs'
import { peerId } from './clients.mjs'

const HASH_LENGTH = 20

export class SharedFile {
  #bytes
  #info

  /**
   * @param {object} transfer of `makeTransfer`, with pieces of no more than a block
   * @returns {Promise<SharedFile>}
   */
  static async of({ torrent, data }) {
    return new SharedFile(torrent, await readFile(path.join(data, 'source')))
  }

  constructor(torrent, bytes) {
    this.#bytes = bytes
    this.#info = bencode.decode(torrent).info
    this.infoHash = infoHashOf(torrent)
  }

  get pieces() {
    return this.#info.pieces.length / HASH_LENGTH
  }

  /** Sends a handshake: at once if we have opened the connection, otherwise when the peer has named the torrent. */
  greet(wire, { isInitiator }) {
    const handshake = () => wire.handshake(this.infoHash, peerId(), { fast: true })
    if (isInitiator) handshake()
    else wire.once('info-hash', handshake)
  }

  /** Sends a handshake as {@link greet} does, and serves all pieces to the peer. */
  serve(wire, { isInitiator }) {
    this.greet(wire, { isInitiator })
    // In a microtask: our handshake may follow in another listener.
    wire.once('handshake', () => queueMicrotask(() => this.#announce(wire)))
    wire.on('request', (piece, offset, length, respond) => {
      const at = piece * this.#info['piece length'] + offset
      respond(null, this.#bytes.subarray(at, at + length))
    })
  }

  #announce(wire) {
    if (wire.destroyed) return
    if (wire.hasFast) {
      wire.haveAll()
    } else {
      const bits = Buffer.alloc(Math.ceil(this.pieces / 8))
      for (let piece = 0; piece < this.pieces; piece++) bits[piece >> 3] |= 0x80 >> (piece & 7)
      wire.bitfield(bits)
    }
    wire.unchoke()
  }

  /**
   * Downloads all pieces; rejects if one is wrong, or the wire closes.
   *
   * @param {import('node:stream').Duplex} wire
   * @returns {Promise<number>} how many pieces
   */
  async download(wire) {
    const closed = once(wire, 'close').then(() => {
      throw wire.error ?? new Error('the peer closed the connection')
    })
    wire.setMaxListeners(this.pieces + 10)
    const pieces = Array.from({ length: this.pieces }, (_, piece) =>
      this.#downloadPiece(wire, piece)
    )
    wire.once('handshake', () => wire.interested())
    await Promise.race([Promise.all(pieces), closed])
    closed.catch(() => {})
    return pieces.length
  }

  async #downloadPiece(wire, piece) {
    if (wire.peerChoking) await once(wire, 'unchoke')
    const length = this.#info['piece length']
    const bytes = Math.min(length, this.#bytes.length - piece * length)
    let block = null
    try {
      block = await wire.requestBlock(piece, 0, bytes)
    } catch (error) {
      if (wire.destroyed) throw error
      return this.#downloadPiece(wire, piece) // the peer has choked us
    }
    const hash = this.#info.pieces.subarray(piece * HASH_LENGTH, (piece + 1) * HASH_LENGTH)
    if (createHash('sha1').update(block).digest().equals(Buffer.from(hash))) return
    throw new Error(`piece ${piece} has a wrong SHA-1`)
  }
}
