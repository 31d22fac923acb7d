// A handshake and a verified download between two wires, over TCP on loopback.
'use strict'

const assert = require('node:assert')
const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')
const net = require('node:net')

const PIECE_LENGTH = 64 * 1024
const BLOCK_LENGTH = 16 * 1024
const PIECES = 8
const INFO_HASH = Buffer.from('0123456789abcdef0123456789abcdef01234567', 'hex')
const SEED_ID = Buffer.from('-XX0001-seed--------')
const LEECH_ID = Buffer.from('-XX0001-leech-------')

/**
 * Transfers random data; throws if the data or anything around the transfer is wrong.
 *
 * @param {() => import('node:stream').Duplex} makeSeed - returns a wire
 * @param {() => import('node:stream').Duplex} [makeLeech]
 * @param {object} [streams] what wires are piped through in place of sockets
 * @param {(socket: net.Socket) => import('node:stream').Duplex} [streams.accept]
 * @param {(dial: () => net.Socket) => Promise<import('node:stream').Duplex>} [streams.connect]
 * @returns {Promise<number>} bytes
 */
async function transfer(makeSeed, makeLeech = makeSeed, streams = {}) {
  const { accept = (socket) => socket, connect = (dial) => dial() } = streams
  const data = randomBytes(PIECE_LENGTH * PIECES)
  const server = net.createServer((socket) => serve(join(accept(socket), makeSeed()), data))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stream = await connect(() => net.connect(server.address().port, '127.0.0.1'))
  const wire = join(stream, makeLeech())
  try {
    assert.strictEqual(sha1(await download(wire)), sha1(data))
    assert.strictEqual(wire.downloaded, data.length)
  } finally {
    wire.destroy()
    server.close()
  }
  await once(server, 'close')
  return data.length
}

/** Closes each when the other closes: neither outlives the other. */
function join(stream, wire) {
  stream.pipe(wire).pipe(stream)
  stream.on('error', () => wire.destroy())
  stream.on('close', () => wire.destroy())
  wire.on('close', () => stream.destroy())
  return wire
}

function serve(wire, data) {
  wire.on('handshake', (infoHash, peerId) => {
    assert.deepStrictEqual([...infoHash], [...INFO_HASH])
    assert.deepStrictEqual([...peerId], [...LEECH_ID])
    wire.handshake(infoHash, SEED_ID, { dht: true })
    wire.bitfield(Buffer.alloc(PIECES / 8, 0xff))
  })
  wire.on('interested', () => wire.unchoke())
  wire.on('request', (piece, offset, length, respond) => {
    const start = piece * PIECE_LENGTH + offset
    respond(null, data.subarray(start, start + length))
  })
}

async function download(wire) {
  wire.setTimeout(10_000)
  wire.handshake(INFO_HASH, LEECH_ID)
  const [infoHash, peerId, extensions] = await once(wire, 'handshake')
  assert.deepStrictEqual([...infoHash], [...INFO_HASH])
  assert.deepStrictEqual([...peerId], [...SEED_ID])
  assert.strictEqual(extensions.dht, true)
  wire.interested()
  await once(wire, 'unchoke')
  for (let i = 0; i < PIECES; i++) assert.strictEqual(wire.peerPieces[i], true)
  const count = (PIECE_LENGTH * PIECES) / BLOCK_LENGTH
  const blocks = Array.from({ length: count }, (_, index) => request(wire, index * BLOCK_LENGTH))
  return Buffer.concat(await Promise.all(blocks))
}

function request(wire, start) {
  const piece = Math.floor(start / PIECE_LENGTH)
  return new Promise((resolve, reject) => {
    wire.request(piece, start % PIECE_LENGTH, BLOCK_LENGTH, (error, block) => {
      if (error) reject(error)
      else resolve(block)
    })
  })
}

/**
 * Reads everything a wire has to send; newer runtimes return one chunk per `read()`.
 *
 * @param {import('node:stream').Duplex} wire
 * @returns {Buffer}
 */
function readAll(wire) {
  const chunks = []
  for (let chunk = wire.read(); chunk !== null; chunk = wire.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/**
 * Makes a wire whose peer has sent a handshake and unchoked it.
 *
 * @param {() => import('node:stream').Duplex} make - returns a wire
 * @returns {import('node:stream').Duplex}
 */
function makeUnchoked(make) {
  const wire = make()
  const peer = make()
  peer.handshake(INFO_HASH, LEECH_ID)
  peer.unchoke()
  wire.write(readAll(peer))
  assert.strictEqual(wire.peerChoking, false)
  return wire
}

function sha1(bytes) {
  return createHash('sha1').update(bytes).digest('hex')
}

module.exports = { makeUnchoked, readAll, transfer, INFO_HASH, LEECH_ID }
