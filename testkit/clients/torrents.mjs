// Torrents of version 2 as libtorrent makes them, the info hashes of both versions, and magnet links.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import bencode from 'bencode'
import { temporaryFolder } from '../files.mjs'
import { run } from '../processes/command.mjs'
import { findPython } from './libtorrent.mjs'

const SCRIPT = fileURLToPath(new URL('libtorrent-create.py', import.meta.url))
const PIECE_LENGTH = 32 * 1024 // two blocks, so that hashes of pieces and of blocks differ

/**
 * @param {import('ava').ExecutionContext} t
 * @param {string} source file or folder
 * @param {object} [options]
 * @param {boolean} [options.isHybrid] of version 1 too
 * @param {number} [options.pieceLength] bytes
 * @returns {Promise<Buffer>} a .torrent without trackers
 */
export async function makeV2Torrent(t, source, { isHybrid, pieceLength = PIECE_LENGTH } = {}) {
  const torrentPath = path.join(await temporaryFolder(t), 'v2.torrent')
  const args = [SCRIPT, source, torrentPath, '--piece-length', String(pieceLength)]
  if (isHybrid) args.push('--hybrid')
  await run(findPython().python, args)
  return readFile(torrentPath)
}

/**
 * @param {Buffer} torrent
 * @returns {Buffer} its info dictionary
 */
export function infoOf(torrent) {
  return bencode.encode(bencode.decode(torrent).info)
}

/**
 * @param {Buffer} torrent
 * @returns {{v1?: Buffer, v2?: Buffer}} info hashes of 20 and 32 bytes, for the versions that it has
 */
export function hashesOf(torrent) {
  const { info } = bencode.decode(torrent)
  const bytes = infoOf(torrent)
  const hash = (algorithm) => createHash(algorithm).update(bytes).digest()
  const hashes = {}
  if (info.pieces) hashes.v1 = hash('sha1')
  if (info['meta version'] === 2) hashes.v2 = hash('sha256')
  return hashes
}

/**
 * @param {{v1?: Buffer, v2?: Buffer}} hashes info hashes that the link names
 * @returns {string} a link without trackers
 */
export function magnetOf({ v1, v2 }) {
  const topics = []
  if (v1) topics.push(`xt=urn:btih:${v1.toString('hex')}`)
  // A multihash: 0x12 is SHA-256, 0x20 its length.
  if (v2) topics.push(`xt=urn:btmh:1220${v2.toString('hex')}`)
  return `magnet:?${topics.join('&')}`
}
