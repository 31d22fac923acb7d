// Temporary folders, test data, torrents of it, and hashes for comparison.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import bencode from 'bencode'
import createTorrent from 'create-torrent'

/**
 * @param {import('ava').ExecutionContext} t
 * @returns {Promise<string>} a new folder that is removed at the end of the test
 */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'peer-wire-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/**
 * Fills a folder with random files.
 *
 * @param {string} folder made if missing
 * @param {Record<string, number>} sizes bytes by relative path
 */
export async function writeFiles(folder, sizes) {
  await Promise.all(
    Object.entries(sizes).map(async ([name, size]) => {
      const file = path.join(folder, name)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, randomBytes(size))
    })
  )
}

/**
 * Files of several lengths, in folders, so that pieces span files and the last piece is short.
 *
 * @param {string} folder
 * @returns {Promise<void>} settles when about 5 MB are written
 */
export function writeManyFiles(folder) {
  return writeFiles(folder, {
    'a.bin': 3_000_001,
    'b/c.bin': 1_999_999,
    'b/d/small.bin': 7,
    'e ü.bin': 70_000
  })
}

/**
 * @param {string} source file or folder
 * @param {object} [options] of create-torrent
 * @returns {Promise<Buffer>} a .torrent without trackers
 */
export async function makeTorrent(source, options) {
  return Buffer.from(await promisify(createTorrent)(source, { announceList: [], ...options }))
}

/**
 * @param {Buffer} torrent
 * @returns {Buffer} 20 bytes
 */
export function infoHashOf(torrent) {
  const { info } = bencode.decode(torrent)
  return createHash('sha1').update(bencode.encode(info)).digest()
}

/**
 * @param {string} folder
 * @returns {Promise<Record<string, string>>} SHA-256 of every file, by relative path
 */
export async function hashFiles(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const hashes = entries.filter((entry) => entry.isFile()).map((entry) => hashFile(folder, entry))
  return Object.fromEntries((await Promise.all(hashes)).toSorted())
}

async function hashFile(folder, entry) {
  const file = path.join(entry.parentPath ?? entry.path, entry.name)
  const hash = createHash('sha256').update(await readFile(file))
  return [path.relative(folder, file), hash.digest('hex')]
}
