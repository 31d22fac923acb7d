// Compares a downloaded copy with its source, file by file.
'use strict'

const { createHash } = require('node:crypto')
const { createReadStream } = require('node:fs')
const path = require('node:path')
const { pipeline } = require('node:stream/promises')

/**
 * @param {{files: {path: string}[]}} torrent as returned by parse-torrent
 * @param {string} source folder that holds the torrent's file or folder
 * @param {string} copy folder that holds the download
 * @param {AbortSignal} signal
 * @throws {Error} naming a file that differs
 */
async function compare(torrent, source, copy, signal) {
  const checks = torrent.files.map(async (file) => {
    const paths = [source, copy].map((folder) => path.join(folder, file.path))
    const [expected, actual] = await Promise.all(paths.map((name) => sha256(name, signal)))
    if (actual !== expected) throw new Error(`${file.path} is not the same as its source`)
  })
  await Promise.all(checks)
}

async function sha256(name, signal) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(name), hash, { signal })
  return hash.digest('hex')
}

module.exports = { compare }
