// Finds what is to be served: a torrent, made or given, and the folder that holds its data.
'use strict'

const path = require('node:path')
const { Storage } = require('./storage')
const { readTorrentFile, writeTorrentFile } = require('./torrent-file')

/**
 * @param {string} source path of a file, a folder or a .torrent
 * @param {object} options
 * @param {string} [options.torrent] where to write the .torrent of a file or folder
 * @param {string} [options.data] folder that holds the data of a given .torrent
 * @param {AbortSignal} signal
 * @returns {Promise<{torrent: Torrent, torrentPath: string, folder: string, storage: Storage}>}
 */
async function openSource(source, { torrent: written, data }, signal) {
  const isGiven = source.endsWith('.torrent')
  const beside = path.dirname(path.resolve(source))
  const torrentPath = isGiven ? source : (written ?? `${path.resolve(source)}.torrent`)
  const folder = isGiven ? (data ?? beside) : beside

  if (!isGiven) await writeTorrentFile(source, torrentPath, signal)
  const torrent = await readTorrentFile(torrentPath)
  return { torrent, torrentPath, folder, storage: await Storage.open(torrent, folder) }
}

module.exports = { openSource }
