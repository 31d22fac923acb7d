#!/usr/bin/env node
// Serves a file or a folder as a torrent to every peer that connects.
'use strict'

const { randomBytes } = require('node:crypto')
const { open, readFile, writeFile } = require('node:fs/promises')
const net = require('node:net')
const path = require('node:path')
const { parseArgs, promisify } = require('node:util')
const pwp = require('..')
const encryption = require('./lib/encryption')

const HELP = `Usage: seed.js <file|folder|file.torrent> [port] [options]

Makes <file>.torrent and serves it. With a .torrent, serves the data that lies next to it.
Without a port, any that is free.

  --host address       listen on this address (default: 127.0.0.1)
  --data folder        where the data of a given .torrent lies (default: next to it)
  --connect host:port  also connect to this peer
  --native             use native sockets instead of net.Socket
${encryption.HELP}`

const MAX_PEERS = 100

/** With `pieces`, the library ignores requests for pieces that the torrent does not have. */
const optionsOf = ({ pieces, infoHash }) => ({
  pieces: pieces.length,
  infoHashes: infoHash, // a peer that wants another torrent is refused
  extensions: true, // rTorrent, for one, waits for our extended handshake (BEP 10)
  handshakeTimeout: 10_000,
  inactivityTimeout: 150_000
})

/** Pipes a stream to a peer through a wire. `mode`: null if it is settled what is encrypted. */
function join(torrent, stream, mode) {
  const responder = mode === null ? null : { role: 'responder', mode }
  const wire = pwp({ ...optionsOf(torrent), encryption: responder })
  stream.pipe(wire).pipe(stream)
  // A wire does not know its stream: whichever ends first has to end the other. Without an error,
  // what was sent still leaves.
  stream.on('error', () => {}) // the reason stays in stream.errored, and 'close' follows
  stream.on('close', () => wire.destroy())
  const socket = stream.stream ?? stream // below the encryption
  socket.setTimeout(150_000, () => socket.destroy())
  wire.on('close', () => (wire.error ? stream.destroy() : stream.end(() => stream.destroy())))
  return { wire, stream }
}

/**
 * Serves one peer. `isOurs`: we opened the connection, so we send the first handshake. The library holds
 * requests back while 1 MiB of answers waits for a peer that does not read.
 */
function serve(torrent, { wire, stream }, isOurs) {
  const { infoHash, infoBuffer, pieceLength, length: total, pieces, files } = torrent
  wire.extendedHandshake.v = 'peer-wire-native seed.js'
  wire.serveMetadata(infoBuffer) // to peers that only have a magnet link (BEP 9)
  const peerId = Buffer.concat([Buffer.from('-PN0100-'), randomBytes(12)])
  wire.on('close', () => {
    const { message = 'no error' } = wire.error ?? stream?.errored ?? {}
    console.log(`A peer left after ${wire.uploaded} bytes: ${message}`)
  })

  // Of a stream that we have opened it is settled already.
  if (stream?.encryption) encryption.tell(stream.encryption)
  else wire.on('encryption', encryption.tell)
  // With the fast extension (BEP 6) a peer learns at once of each request that it will not get.
  if (isOurs) wire.handshake(infoHash, peerId, { fast: true })
  // Some peers wait for our handshake before they send the end of theirs.
  else wire.once('info-hash', () => wire.handshake(infoHash, peerId, { fast: true }))
  wire.once('handshake', () => {
    if (wire.hasFast) wire.haveAll()
    else wire.bitfield(fullBitfield(pieces.length))
    wire.setKeepAlive()
  })
  wire.on('interested', () => wire.unchoke())
  wire.on('uninterested', () => wire.choke())
  wire.on('request', (piece, offset, length, respond) => {
    const position = piece * pieceLength + offset
    const end = Math.min((piece + 1) * pieceLength, total) // the last piece is shorter
    // The library knows the number of pieces, but not how long they are.
    if (position + length > end) return wire.destroy(new Error('requests what is in no piece'))
    read(files, position, length).then(
      (block) => respond(null, block), // ignored if the peer cancelled, or is gone
      (error) => wire.destroy(error)
    )
  })
}

/** One bit for each piece, the high bit first; the spare bits at the end are 0. */
function fullBitfield(pieceCount) {
  const bits = Buffer.alloc(Math.ceil(pieceCount / 8), 0xff)
  bits[bits.length - 1] <<= bits.length * 8 - pieceCount
  return bits
}

/** Reads bytes at a position of the torrent, whose files follow one another. */
async function read(files, position, length) {
  const block = Buffer.allocUnsafeSlow(length)
  const parts = files.map(async (file) => {
    const start = Math.max(file.offset, position)
    const end = Math.min(file.offset + file.length, position + length)
    if (start >= end) return
    const at = start - file.offset
    const { bytesRead } = await file.handle.read(block, start - position, end - start, at)
    if (bytesRead !== end - start) throw new Error(`${file.path} became shorter`)
  })
  await Promise.all(parts)
  return block
}

/** The bytes of a .torrent of a file or folder. */
async function makeTorrent(source) {
  const { default: createTorrent } = await import('create-torrent') // an ES module
  // An empty list, or create-torrent adds the public trackers that it knows.
  return promisify(createTorrent)(path.resolve(source), { announceList: [] })
}

/** Opens the files of a torrent, which must lie in the folder as the torrent says. */
async function openTorrent(bytes, folder) {
  const { default: parseTorrent } = await import('parse-torrent') // an ES module
  const torrent = await parseTorrent(bytes).catch((cause) => {
    throw new Error(`no torrent with files: ${cause.message}`, { cause })
  })
  const openFile = async (file) => {
    // parse-torrent leaves no '..' in a path, so that it stays in the folder.
    file.handle = await open(path.join(folder, file.path))
    const { size } = await file.handle.stat()
    if (size === file.length) return
    throw new Error(`${file.path} has ${size} bytes, the torrent says ${file.length}`)
  }
  await Promise.all(torrent.files.map(openFile))
  return torrent
}

async function main() {
  const options = {
    host: { type: 'string', default: '127.0.0.1' },
    data: { type: 'string' },
    connect: { type: 'string' },
    encryption: { type: 'string', default: 'prefer' },
    native: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' }
  }
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (values.help) return console.log(HELP)
  const [source, port = 0] = positionals
  if (!source) throw new Error(HELP)
  const mode = values.encryption
  encryption.checkMode(mode)
  const isTorrent = source.endsWith('.torrent')
  const bytes = isTorrent ? await readFile(source) : await makeTorrent(source)
  const folder = (isTorrent && values.data) || path.dirname(path.resolve(source))
  const torrent = await openTorrent(bytes, folder)
  const torrentPath = isTorrent ? source : `${path.resolve(source)}.torrent`
  if (!isTorrent) await writeFile(torrentPath, bytes, { flag: 'wx' }) // overwrites none

  const responder = { ...optionsOf(torrent), encryption: { role: 'responder', mode } }
  const server = values.native
    ? pwp.createServer(responder, (wire) => serve(torrent, { wire }, false))
    : net.createServer((socket) => serve(torrent, join(torrent, socket, mode), false))
  server.maxConnections = MAX_PEERS
  server.on('error', fail)
  server.listen(Number(port), values.host, () => {
    const { address, port: listening } = server.address()
    console.log(`${torrent.infoHash} at ${address}:${listening}\n${torrentPath}`)
  })

  if (!values.connect) return
  const peer = new URL(`tcp://${values.connect}`)
  const host = peer.hostname.replace(/^\[|\]$/g, '') // an IPv6 address, as in [::1]:6881
  const address = { host, port: Number(peer.port) }
  if (values.native) {
    const initiator = { ...optionsOf(torrent), encryption: { role: 'initiator', mode } }
    return serve(torrent, { wire: pwp.connect({ ...address, ...initiator }) }, true)
  }
  encryption.connect(address, torrent.infoHash, mode).then(
    (stream) => serve(torrent, join(torrent, stream, null), true),
    (error) => console.log(`Cannot connect to ${values.connect}: ${error.message || error.code}`)
  )
}

function fail(error) {
  console.error(`seed.js: ${error.message || error.code}`)
  process.exit(1)
}

main().catch(fail)
