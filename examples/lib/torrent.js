// Reads a .torrent. Its numbers and names come from a stranger, and all else relies on them.
'use strict'

const MAX_PIECE_LENGTH = 256 * 1024 * 1024 // bytes; each piece is put together in memory

// What leads to another folder or drive, or deceives whoever reads it on a terminal.
const UNSAFE_NAME =
  process.platform === 'win32' ? /^\.{0,2}$|[/\\:\p{Cc}]/u : /^\.{0,2}$|[/\\\p{Cc}]/u

/** The torrent in these bytes; rejects if it has no files, bad sizes or unsafe names. */
async function parseTorrent(bytes) {
  const { default: parse } = await import('parse-torrent') // an ES module
  const torrent = await parse(bytes).catch((cause) => {
    throw new Error(`no torrent with files: ${cause.message}`, { cause })
  })
  const { info, files, length, pieceLength, pieces } = torrent
  const areSizes = files.every((file) => Number.isSafeInteger(file.length) && file.length >= 0)
  const isUsable = length > 0 && pieceLength > 0 && pieceLength <= MAX_PIECE_LENGTH
  if (!areSizes || !isUsable || pieces.length !== Math.ceil(length / pieceLength)) {
    throw new Error(`the torrent has bad sizes: ${pieces.length} piece hashes for ${length} bytes`)
  }
  // The names as they stand in the file: parse-torrent tidies '..' away, which hides the attempt.
  const paths = (info.files ?? [info]).flatMap((file) => file['path.utf-8'] || file.path || [])
  const names = [info['name.utf-8'] || info.name, ...paths].map((name) => `${Buffer.from(name)}`)
  const unsafe = names.find((name) => UNSAFE_NAME.test(name))
  if (unsafe === undefined) return torrent
  throw new Error(`the torrent has an unsafe file name: ${JSON.stringify(unsafe)}`)
}

module.exports = { parseTorrent }
