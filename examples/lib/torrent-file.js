// Makes .torrent files and reads them, refusing those that could do harm.
'use strict'

const { once } = require('node:events')
const { readFile, writeFile } = require('node:fs/promises')
const path = require('node:path')
const { promisify } = require('node:util')
const { Torrent } = require('./torrent')

/**
 * Makes a .torrent of a file or a folder. Hidden files are left out.
 *
 * @param {string} source path of the file or folder
 * @param {string} torrentPath where to write the .torrent; an existing file is not replaced
 * @param {AbortSignal} signal
 */
async function writeTorrentFile(source, torrentPath, signal) {
  const { default: createTorrent } = await import('create-torrent')
  // An empty list, or the library adds the public trackers that it knows.
  const creation = promisify(createTorrent)(path.resolve(source), { announceList: [] })
  const bytes = await Promise.race([creation, whenAborted(signal)])
  await parse(bytes) // a folder without files, for one, makes no torrent that works
  await writeFile(torrentPath, bytes, { flag: 'wx' })
}

/** The library cannot be stopped, but nobody has to wait for it. */
async function whenAborted(signal) {
  await once(signal, 'abort')
  throw signal.reason
}

/**
 * @param {string} torrentPath
 * @returns {Promise<Torrent>}
 * @throws {Error} when the file is no torrent, or its names would leave the download folder
 */
async function readTorrentFile(torrentPath) {
  return parse(await readFile(torrentPath))
}

async function parse(bytes) {
  const parsed = await decode(bytes)
  const names = pathsOf(parsed.info)
  const torrent = new Torrent({
    name: names[0][0],
    infoHash: Buffer.from(parsed.infoHash, 'hex'),
    pieceLength: parsed.pieceLength,
    hashes: parsed.pieces,
    files: parsed.files.map(({ length, offset }, number) => {
      return { path: path.join(...names[number]), length, offset }
    })
  })
  checkSizes(torrent)
  return torrent
}

async function decode(bytes) {
  const { default: parseTorrent } = await import('parse-torrent')
  try {
    return await parseTorrent(bytes)
  } catch (cause) {
    throw new Error(`not a torrent with files (${cause.message})`, { cause })
  }
}

/** The names as they stand in the file: a parser that tidies "../" away would hide the attempt. */
function pathsOf(info) {
  const root = info['name.utf-8'] ?? info.name
  const files = info.files ?? [{ path: [] }]
  return files.map((file) => [root, ...(file['path.utf-8'] ?? file.path)].map(plainName))
}

function plainName(bytes) {
  const name = Buffer.from(bytes).toString()
  const isPlain = name !== '' && name !== '.' && name !== '..' && !FORBIDDEN.test(name)
  if (!isPlain) throw new Error(`the torrent has an unsafe file name: ${JSON.stringify(name)}`)
  return name
}

/** Everything later relies on these numbers; they come from whoever wrote the file. */
function checkSizes({ files, length, pieceLength, pieceCount }) {
  const areSizes = [pieceLength, length, ...files.map((file) => file.length)].every(isSize)
  const isUsable = areSizes && length > 0 && pieceLength > 0 && pieceLength <= MAX_PIECE_LENGTH
  if (!isUsable) throw new Error('the torrent has bad sizes')
  if (pieceCount !== Math.ceil(length / pieceLength)) {
    throw new Error(`the torrent has ${pieceCount} piece hashes for ${length} bytes`)
  }
}

function isSize(number) {
  return Number.isSafeInteger(number) && number >= 0
}

// Each piece is put together in memory; the largest in use have 256 MiB.
const MAX_PIECE_LENGTH = 256 * 1024 * 1024

// Separators of every system, drive letters and streams of Windows, and control characters
// (NUL ends a path early, the others deceive whoever reads the terminal).
const FORBIDDEN = process.platform === 'win32' ? /[/\\:\p{Cc}]/u : /[/\\\p{Cc}]/u

module.exports = { readTorrentFile, writeTorrentFile }
