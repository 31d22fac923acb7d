// Maps positions in a torrent to its files on disk, reads and writes there.
'use strict'

const { existsSync } = require('node:fs')
const { mkdir, open, rm } = require('node:fs/promises')
const path = require('node:path')

/** The open files of one torrent. */
class Storage {
  #torrent
  #target
  #files

  constructor(torrent, target, files) {
    this.#torrent = torrent
    this.#target = target
    this.#files = files
  }

  /**
   * Opens the files of a torrent that are on disk, to serve them.
   *
   * @param {Torrent} torrent
   * @param {string} folder that holds the torrent's file or folder
   * @returns {Promise<Storage>}
   * @throws {Error} when a file is missing or has another length
   */
  static async open(torrent, folder) {
    const files = await openAll(torrent, folder, 'r')
    const storage = new Storage(torrent, path.join(folder, torrent.name), files)
    await storage.#orClose(Promise.all(files.map(checkLength)))
    return storage
  }

  /**
   * Creates the files of a torrent and lets `download` write them; if it fails, removes them.
   *
   * @param {Torrent} torrent
   * @param {string} folder made if missing; what it holds already is never replaced
   * @param {(storage: Storage) => Promise<void>} download
   */
  static async fill(torrent, folder, download) {
    const storage = await Storage.#create(torrent, folder)
    try {
      await download(storage)
      await storage.close()
    } catch (error) {
      await storage.#remove()
      throw error
    }
  }

  static async #create(torrent, folder) {
    const target = path.join(folder, torrent.name)
    if (existsSync(target)) throw new Error(`${target} exists already`)
    const parents = new Set(torrent.files.map((file) => path.dirname(path.join(folder, file.path))))
    await Promise.all([...parents].map((parent) => mkdir(parent, { recursive: true })))
    return new Storage(torrent, target, await openAll(torrent, folder, 'wx'))
  }

  /** @returns {number} bytes of all files together */
  get length() {
    return this.#torrent.length
  }

  /**
   * @param {number} position in the torrent
   * @param {number} length bytes, within the torrent
   * @returns {Promise<Buffer>}
   */
  async read(position, length) {
    const buffer = Buffer.allocUnsafeSlow(length)
    await Promise.all(this.#parts(position, buffer).map(readPart))
    return buffer
  }

  /**
   * @param {number} position in the torrent
   * @param {Buffer} bytes
   */
  async write(position, bytes) {
    await Promise.all(this.#parts(position, bytes).map(writePart))
  }

  /** Waits for reads and writes under way and closes the files. */
  async close() {
    await Promise.all(this.#files.map(({ handle }) => handle.close()))
  }

  async #remove() {
    await this.close()
    await rm(this.#target, { recursive: true, force: true })
  }

  /** Cuts a buffer at the borders of the files that it spans. */
  #parts(start, buffer) {
    const end = start + buffer.length
    const parts = []
    for (let number = firstFileAt(this.#files, start); number < this.#files.length; number++) {
      const file = this.#files[number]
      if (file.offset >= end) break
      const from = Math.max(start, file.offset)
      const to = Math.min(end, file.offset + file.length)
      const part = buffer.subarray(from - start, to - start)
      if (part.length) parts.push({ file, part, position: from - file.offset })
    }
    return parts
  }

  async #orClose(promise) {
    try {
      await promise
    } catch (error) {
      await this.close()
      throw error
    }
  }
}

async function openAll(torrent, folder, flags) {
  const results = await Promise.allSettled(
    torrent.files.map(async (file) => {
      return { ...file, handle: await open(path.join(folder, file.path), flags) }
    })
  )
  const files = results.flatMap((result) => result.value ?? [])
  const failure = results.find((result) => result.status === 'rejected')
  if (!failure) return files
  await Promise.all(files.map(({ handle }) => handle.close()))
  throw failure.reason
}

async function checkLength({ handle, path: name, length }) {
  const { size } = await handle.stat()
  if (size !== length) throw new Error(`${name} has ${size} bytes, the torrent says ${length}`)
}

async function readPart({ file, part, position }) {
  const { bytesRead } = await file.handle.read(part, 0, part.length, position)
  if (bytesRead !== part.length) throw new Error(`${file.path} became shorter`)
}

async function writePart({ file, part, position }) {
  const { bytesWritten } = await file.handle.write(part, 0, part.length, position)
  if (bytesWritten !== part.length) throw new Error(`${file.path} could not be written`)
}

/** Binary search: a torrent may have many thousands of files, and this runs once for each block. */
function firstFileAt(files, position) {
  let low = 0
  let high = files.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (files[middle].offset + files[middle].length > position) high = middle
    else low = middle + 1
  }
  return low
}

module.exports = { Storage }
