// Two encrypted streams that exchange payload and end, for the tests of panics in the addon.
'use strict'

const { Duplex } = require('node:stream')

const INFO_HASH = Buffer.alloc(20, 7)

/**
 * @param {object} pwp
 * @returns {Promise<(Error | null)[]>} why both were closed
 */
function meetEncrypted({ encryption }) {
  const [left, right] = pipe()
  const streams = [
    encryption.wrap(left, { role: 'initiator', infoHash: INFO_HASH }),
    encryption.wrap(right, { role: 'responder', infoHashes: async () => INFO_HASH })
  ]
  for (const stream of streams) {
    stream.resume()
    stream.write('something')
    stream.once('encryption', () => stream.end('the rest'))
  }
  return Promise.all(streams.map(closed))
}

function closed(stream) {
  return new Promise((resolve) => {
    stream.once('close', () => resolve(stream.error))
  })
}

function pipe() {
  const ends = [0, 1].map(
    (at) =>
      new Duplex({
        read() {},
        write(chunk, encoding, done) {
          ends[1 - at].push(Buffer.from(chunk))
          done()
        },
        final(done) {
          ends[1 - at].push(null)
          done()
        },
        destroy(error, done) {
          setImmediate(() => ends[1 - at].destroy())
          done(error)
        }
      })
  )
  return ends
}

module.exports = { meetEncrypted }
