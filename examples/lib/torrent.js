// Reads a .torrent, or its info dictionary as a peer sends it (BEP 9). Its numbers and names come from a
// stranger, and all else relies on them.
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

/** As {@link parseTorrent}, of the info dictionary alone. */
function parseInfo(info) {
  // A .torrent is a dictionary, in which the info dictionary is all that a download needs.
  return parseTorrent(Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]))
}

/** What a magnet link says; of use is only its `infoHash`. */
async function parseMagnet(link) {
  const { default: parse } = await import('parse-torrent')
  return parse(link).catch((cause) => {
    throw new Error(`no magnet link to a torrent of version 1: ${link}`, { cause })
  })
}

module.exports = { parseInfo, parseMagnet, parseTorrent }
