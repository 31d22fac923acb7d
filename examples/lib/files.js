// The files of a torrent on disk.
'use strict'

const { createWriteStream } = require('node:fs')
const { mkdir, rm, writeFile } = require('node:fs/promises')
const path = require('node:path')
const { pipeline } = require('node:stream/promises')

/** Makes empty files; nothing that exists is overwritten. */
async function makeFiles({ info, name, files }, folder) {
  await mkdir(folder, { recursive: true })
  if (info.files) await mkdir(path.join(folder, name))
  const makeFile = async (file) => {
    file.target = path.join(folder, file.path)
    await mkdir(path.dirname(file.target), { recursive: true })
    await writeFile(file.target, '', { flag: 'wx' })
  }
  await Promise.all(files.map(makeFile))
}

/** Writes bytes at a position of the torrent, whose files follow one another. */
async function writeBytes(files, position, bytes) {
  const parts = files.map((file) => {
    const start = Math.max(file.offset, position)
    const end = Math.min(file.offset + file.length, position + bytes.length)
    if (start >= end) return null
    const output = createWriteStream(file.target, { flags: 'r+', start: start - file.offset })
    return pipeline([bytes.subarray(start - position, end - position)], output)
  })
  await Promise.all(parts)
}

/** Removes what {@link makeFiles} made. */
function removeFiles({ name }, folder) {
  return rm(path.join(folder, name), { recursive: true })
}

module.exports = { makeFiles, removeFiles, writeBytes }
