// Fills a folder with data for the demo: reproducible, incompressible and fast to generate.
'use strict'

const { createCipheriv } = require('node:crypto')
const { createWriteStream } = require('node:fs')
const { mkdir } = require('node:fs/promises')
const path = require('node:path')
const { pipeline } = require('node:stream/promises')

const FILES = ['large.bin', path.join('more', 'medium.bin'), path.join('more', 'small.bin')]
const CHUNK = Buffer.alloc(1024 * 1024)

/**
 * @param {string} folder to make
 * @param {number} size bytes, of all files together
 * @param {AbortSignal} signal
 */
async function writeSample(folder, size, signal) {
  await mkdir(path.join(folder, 'more'), { recursive: true })
  const large = Math.ceil(size * 0.7)
  const medium = Math.ceil((size - large) * 0.9)
  const lengths = [large, medium, size - large - medium]
  await Promise.all(
    FILES.map((name, number) => {
      const file = createWriteStream(path.join(folder, name))
      return pipeline(noise(lengths[number], number), file, { signal })
    })
  )
}

/** The key stream of a cipher: as good as random, at the speed of the processor's AES. */
function* noise(length, number) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16, number))
  for (let left = length; left > 0; left -= CHUNK.length) {
    yield cipher.update(CHUNK.subarray(0, Math.min(left, CHUNK.length)))
  }
}

module.exports = { writeSample }
