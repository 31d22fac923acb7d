// What the tests of serve() share: content in pieces, files of it, a server that serves them, and raw peers.
/* oxlint-disable no-await-in-loop -- what a peer says comes one after the other */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { temporaryFolder } from '../../testkit/files.mjs'
import { FAST_HANDSHAKE, HANDSHAKE, pwp } from '../../testkit/wires.mjs'

export const HOST = '127.0.0.1'
export const INFO_HASH = HANDSHAKE.subarray(28, 48)
export const PEER_ID = Buffer.alloc(20, 2)

export const PIECE_LENGTH = 64 * 1024

/** The last piece is short. */
export const LENGTH = 20 * PIECE_LENGTH + 10_000

export const COUNT = Math.ceil(LENGTH / PIECE_LENGTH)

/** No two blocks of it are equal. */
export const CONTENT = Buffer.alloc(LENGTH)
for (let at = 0; at < LENGTH; at += 4) CONTENT.writeUInt32LE((at * 2_654_435_761) >>> 0, at)

export const pieceOf = (index) =>
  CONTENT.subarray(index * PIECE_LENGTH, Math.min((index + 1) * PIECE_LENGTH, LENGTH))

export const hashOf = (index) => createHash('sha1').update(pieceOf(index)).digest('hex')

export const allPieces = () => Array.from({ length: COUNT }, (_, index) => pieceOf(index))

/** A source of all pieces in memory. */
export const inMemory = () =>
  new pwp.PieceSource({ pieceLength: PIECE_LENGTH, length: LENGTH, pieces: allPieces() })

/** The places at which the content is cut into files: one is empty, two share a piece, one is of one byte. */
const CUTS = [0, 100_000, 100_000, 100_001, 5 * PIECE_LENGTH, 700_000, LENGTH]

/**
 * A source of all pieces in files.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {object} [options] of the source
 */
export const inFiles = async (t, options) => {
  const folder = await temporaryFolder(t)
  const files = CUTS.slice(1).map((end, at) => ({
    path: path.join(folder, `file ${at} ü`),
    length: end - CUTS[at]
  }))
  for (const [at, { path: name }] of files.entries()) {
    await writeFile(name, CONTENT.subarray(CUTS[at], CUTS[at + 1]))
  }
  const source = new pwp.PieceSource({ pieceLength: PIECE_LENGTH, files, ...options })
  t.teardown(() => source.close())
  return { source, files }
}

/**
 * A server whose wires serve a source and do not choke.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {object | null} source
 * @param {object} [options] of the server
 * @param {(wire: object) => void} [listener]
 */
export const serveSource = async (t, source, options, listener) => {
  const wires = []
  const server = pwp.createServer({ infoHashes: INFO_HASH.toString('hex'), ...options })
  server.on('wire', (wire) => {
    wires.push(wire)
    wire.on('request', () => t.fail('no request is for us'))
    wire.on('handshake', () => {
      wire.handshake(INFO_HASH, PEER_ID, { fast: true })
      wire.unchoke()
    })
    if (source !== null) wire.serve(source)
    listener?.(wire)
  })
  t.teardown(() => {
    server.close()
    for (const wire of wires) wire.destroy()
  })
  await once(server.listen(0, HOST), 'listening')
  return { server, wires }
}

/** A wire that fetches. */
export const fetcher = (t, { server }, options) => {
  const wire = pwp.connect({ host: HOST, port: server.address().port, ...options })
  t.teardown(() => wire.destroy())
  wire.handshake(INFO_HASH, Buffer.alloc(20, 3), { fast: options?.isFast !== false })
  return wire
}

export const fetchPiece = (wire, index) =>
  wire.fetchPiece(index, { length: pieceOf(index).length, hash: hashOf(index) })

/**
 * A socket of a peer that has sent its handshake.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {{server: object}} serving
 * @param {boolean} [isFast]
 */
export const rawPeer = async (t, { server }, isFast = true) => {
  const socket = net.connect({ host: HOST, port: server.address().port })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(isFast ? FAST_HANDSHAKE : HANDSHAKE)
  return socket
}

/** The messages that a socket receives after the handshake: `next()` waits for one. */
export const messagesOf = (socket) => {
  const reader = socket[Symbol.asyncIterator]()
  let bytes = Buffer.alloc(0)
  const take = async (length) => {
    while (bytes.length < length) {
      const { value, done } = await reader.next()
      if (done) return null
      bytes = Buffer.concat([bytes, value])
    }
    const taken = bytes.subarray(0, length)
    bytes = bytes.subarray(length)
    return taken
  }
  let isGreeted = false
  return async () => {
    if (!isGreeted) await take(68)
    isGreeted = true
    const prefix = await take(4)
    if (prefix === null) return null
    const body = await take(prefix.readUInt32BE())
    if (body === null) return null
    const numbers = []
    for (let at = 1; at + 4 <= Math.min(body.length, body[0] === 7 ? 9 : 13); at += 4) {
      numbers.push(body.readUInt32BE(at))
    }
    return { id: body[0], numbers, block: body[0] === 7 ? body.subarray(9) : null }
  }
}
