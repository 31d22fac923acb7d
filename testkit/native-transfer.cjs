// Verified transfers between native wires of one process, over TCP on loopback.
'use strict'

const assert = require('node:assert')
const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')

const BLOCK_LENGTH = 16 * 1024
const BLOCKS = 128
const INFO_HASH = Buffer.from('0123456789abcdef0123456789abcdef01234567', 'hex')
const SEED_ID = Buffer.from('-XX0001-seed--------')
const LEECH_ID = Buffer.from('-XX0001-leech-------')

const ENCRYPTED = {
  server: {
    infoHashes: INFO_HASH.toString('hex'),
    encryption: { role: 'responder', mode: 'require' }
  },
  client: { encryption: { role: 'initiator', mode: 'require' } }
}

/**
 * A server with random data.
 *
 * @param {import('../index.js')} pwp
 * @param {{isEncrypted?: boolean}} [options]
 * @returns {Promise<{data: Buffer, options: object, server: object}>} what `connect()` takes is in `options`
 */
async function listen(pwp, { isEncrypted = false } = {}) {
  const data = randomBytes(BLOCKS * BLOCK_LENGTH)
  const server = pwp.createServer(isEncrypted ? ENCRYPTED.server : {}, (wire) => serve(wire, data))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const options = { host: '127.0.0.1', port, ...(isEncrypted ? ENCRYPTED.client : {}) }
  return { data, options, server }
}

function serve(wire, data) {
  wire.on('handshake', (infoHash) => {
    wire.handshake(infoHash, SEED_ID)
    wire.unchoke()
  })
  wire.on('request', (piece, offset, length, respond) => {
    const start = piece * BLOCK_LENGTH + offset
    respond(null, data.subarray(start, start + length))
  })
}

/** A wire that has connected and may request. */
async function join(pwp, options) {
  const wire = pwp.connect(options)
  wire.handshake(INFO_HASH, LEECH_ID)
  await once(wire, 'unchoke')
  return wire
}

function requestAll(wire) {
  const request = (_, piece) =>
    new Promise((resolve, reject) => {
      wire.request(piece, 0, BLOCK_LENGTH, (error, block) => {
        if (error) reject(error)
        else resolve(block)
      })
    })
  return Promise.all(Array.from({ length: BLOCKS }, request))
}

/**
 * Throws if the data or anything around the transfer is wrong.
 *
 * @param {import('../index.js')} pwp
 * @param {{isEncrypted?: boolean, onblocks?: (blocks: Buffer[]) => void}} [options]
 */
async function transferNatively(pwp, { isEncrypted = false, onblocks } = {}) {
  const { data, options, server } = await listen(pwp, { isEncrypted })
  const wire = await join(pwp, options)
  assert.strictEqual(wire.encryption?.method ?? null, isEncrypted ? 'rc4' : null)
  const blocks = await requestAll(wire)
  assert.strictEqual(sha1(Buffer.concat(blocks)), sha1(data))
  onblocks?.(blocks)
  assert.strictEqual(wire.downloaded, data.length)
  wire.destroy()
  await new Promise((resolve) => server.close(resolve))
}

function sha1(bytes) {
  return createHash('sha1').update(bytes).digest('hex')
}

module.exports = { BLOCKS, BLOCK_LENGTH, join, listen, requestAll, transferNatively }
