#!/usr/bin/env node
// Downloads a torrent from one peer, and writes only pieces whose hash is right.
'use strict'

const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { readFile } = require('node:fs/promises')
const { parseArgs } = require('node:util')
const pwp = require('..')
const encryption = require('./lib/encryption')
const { makeFiles, removeFiles, writeBytes } = require('./lib/files')
const { parseInfo, parseMagnet, parseTorrent } = require('./lib/torrent')

const HELP = `Usage: leech.js <file.torrent | magnet link> <host:port> [folder] [options]

Downloads the torrent from the peer into the folder (default: the current one).

  --native             use a native socket, which fetches and checks whole pieces; with it, a peer
                       that does not encrypt is not connected to once more
${encryption.HELP}`

const BLOCK_LENGTH = 16 * 1024 // bytes; every client answers requests of this length
const MAX_REQUESTS = 64 // 1 MiB on its way, so that the peer never waits for our next request
const MAX_REJECTS = 1000 // so that a peer that rejects everything does not keep us busy
const MAX_WRITES = 8 // pieces; a disk slower than the peer must not fill the memory
const MAX_PIECES = 16 // that are fetched or written at a time, by a native socket
const PATIENCE = 60_000 // ms without a block, or for the answer to a request

/** Connects to the peer, and says that we are interested. */
async function connect(address, infoHash, mode, isNative) {
  const options = {
    infoHashes: infoHash, // a peer that has another torrent is refused
    extensions: true, // no more requests are sent than the peer keeps, which it tells (BEP 10)
    handshakeTimeout: 10_000,
    inactivityTimeout: 150_000
  }
  const connection = isNative
    ? connectNatively(address, options, mode)
    : join(await encryption.connect(address, infoHash, mode), pwp(options))
  const { wire } = connection
  process.once('SIGINT', () => wire.destroy(new Error('interrupted')))

  const peerId = Buffer.concat([Buffer.from('-PN0100-'), randomBytes(12)])
  wire.handshake(infoHash, peerId, { fast: true })
  wire.on('handshake', () => {
    wire.setKeepAlive()
    wire.interested() // the peer answers with 'unchoke' when it lets us request
  })
  return connection
}

/** A native socket encrypts by itself. */
function connectNatively(address, options, mode) {
  const wire = pwp.connect({ ...address, ...options, encryption: { role: 'initiator', mode } })
  wire.once('encryption', encryption.tell)
  return { wire, stream: null }
}

/** Pipes a stream to the peer through a wire. */
function join(stream, wire) {
  encryption.tell(stream.encryption)
  stream.pipe(wire).pipe(stream)
  // A wire does not know its stream: whichever ends first has to end the other.
  stream.on('error', () => {}) // the reason stays in stream.error, and 'close' follows
  stream.on('close', () => wire.destroy())
  wire.on('close', () => stream.destroy())
  return { wire, stream }
}

/** Why a connection is over, if there is a reason. */
const reasonOf = ({ wire, stream }) => wire.error ?? stream?.error

/** Settles with what a .torrent would say, from a peer that has it (BEP 9). */
async function fetchTorrent(infoHash, connection) {
  try {
    // The library checks that it has the info hash.
    return { ...(await parseInfo(await connection.wire.metadata({ timeout: PATIENCE }))), infoHash }
  } catch (error) {
    throw reasonOf(connection) ?? error
  }
}

/** Settles when every piece is on disk; rejects with the reason why not. */
async function download({ length, pieceLength, pieces, files }, connection) {
  const { wire } = connection
  // A peer may send keep-alives and nothing else, choke us for ever, or leave out one block.
  const giveUp = () => wire.destroy(new Error('the peer does not send what we requested'))
  const patience = setTimeout(giveUp, PATIENCE).unref()
  wire.setTimeout(PATIENCE, giveUp)

  const waiting = Array.from(pieces.keys()) // pieces of which nothing was requested yet
  const blocks = [] // to be requested, of the pieces under way
  const underWay = new Map() // piece -> its bytes, and how many of them are missing
  let written = 0 // bytes
  let writes = 0 // pieces that are being written
  let told = 0 // tenths of the torrent
  let rejects = 0 // requests that the peer did not want to answer

  for (const event of ['bitfield', 'have-all', 'have', 'unchoke']) wire.on(event, requestBlocks)
  wire.on('reject', () => {
    if (++rejects > MAX_REJECTS) wire.destroy(new Error('the peer rejects what we request'))
    else requestBlocks()
  })

  function mayRequest() {
    const { writable, peerChoking, requests } = wire
    return writable && !peerChoking && requests.length < MAX_REQUESTS && writes < MAX_WRITES
  }

  function requestBlocks() {
    while (mayRequest()) {
      if (blocks.length === 0) beginPiece(waiting.findIndex((piece) => wire.peerPieces[piece]))
      if (blocks.length === 0) return // the peer has nothing that we miss
      const block = blocks.shift()
      wire.request(block.piece, block.offset, block.length, (error, bytes) => {
        // The peer choked us, or rejected this request: the block is requested again.
        if (error) blocks.push(block)
        else addBlock(block, bytes).catch((reason) => wire.destroy(reason))
      })
    }
  }

  function beginPiece(number) {
    if (number === -1) return
    const [piece] = waiting.splice(number, 1)
    const end = Math.min(pieceLength, length - piece * pieceLength) // the last piece is shorter
    underWay.set(piece, { bytes: Buffer.alloc(end), missing: end })
    for (let offset = 0; offset < end; offset += BLOCK_LENGTH) {
      blocks.push({ piece, offset, length: Math.min(BLOCK_LENGTH, end - offset) })
    }
  }

  async function addBlock({ piece, offset }, block) {
    patience.refresh()
    const begun = underWay.get(piece)
    block.copy(begun.bytes, offset) // copied, as a block is a view of a much larger chunk
    begun.missing -= block.length
    if (begun.missing === 0) await savePiece(piece, begun.bytes)
    if (written === length) wire.destroy()
    else requestBlocks()
  }

  async function savePiece(piece, bytes) {
    underWay.delete(piece)
    const hash = createHash('sha1').update(bytes).digest('hex')
    if (hash !== pieces[piece]) throw new Error(`piece ${piece} has a wrong SHA-1`)
    writes++
    await writeBytes(files, piece * pieceLength, bytes)
    writes--
    written += bytes.length
    const tenth = Math.floor((10 * written) / length)
    if (tenth > told) console.log(`${tenth}0 %`)
    told = tenth
  }

  // Now the library refuses what the peer has said or says of pieces that the torrent does not have.
  wire.setPieces(pieces.length)
  requestBlocks()
  if (!wire.destroyed) await once(wire, 'close') // rejects with wire.error
  if (written === length) return
  throw reasonOf(connection) ?? new Error('the peer closed the connection')
}

/** As {@link download}: the library requests blocks, puts pieces together and checks them off the event loop. */
async function downloadPieces({ length, pieceLength, pieces, files }, { wire }) {
  const waiting = Array.from(pieces.keys())
  let news = null // settles when there may be more to fetch
  wire.setPieces(pieces.length)
  const outcomes = await Promise.allSettled(Array.from({ length: MAX_PIECES }, fetchNext))
  const failed = outcomes.find(({ status }) => status === 'rejected')
  if (failed) throw wire.error ?? failed.reason

  async function fetchNext() {
    if (wire.destroyed) throw new Error('the peer closed the connection')
    const at = waiting.findIndex((piece) => wire.peerPieces[piece])
    if (waiting.length === 0) return
    if (at === -1) {
      news ??= hearOfPieces(wire).finally(() => (news = null))
      await news
    } else await savePiece(...waiting.splice(at, 1)).catch((error) => wire.destroy(error))
    await fetchNext()
  }

  async function savePiece(piece) {
    const end = Math.min(pieceLength, length - piece * pieceLength) // the last piece is shorter
    const hash = pieces[piece]
    const bytes = await wire.fetchPiece(piece, { length: end, hash, timeout: PATIENCE })
    await writeBytes(files, piece * pieceLength, bytes)
  }
}

/** Settles when the peer may have told us of a piece; rejects when it does not for long. */
async function hearOfPieces(wire) {
  const stop = new AbortController()
  const giveUp = () => stop.abort(new Error('the peer has no pieces that we miss'))
  const patience = setTimeout(giveUp, PATIENCE)
  const events = ['bitfield', 'have-all', 'have', 'close']
  try {
    await Promise.race(events.map((event) => once(wire, event, stop)))
  } finally {
    clearTimeout(patience)
    stop.abort()
  }
}

async function main() {
  const options = {
    encryption: { type: 'string', default: 'prefer' },
    native: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' }
  }
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (values.help) return console.log(HELP)
  const [source, address, folder = '.'] = positionals
  if (!address) throw new Error(HELP)
  encryption.checkMode(values.encryption)
  const { hostname, port } = new URL(`tcp://${address}`)
  const peer = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) } // as [::1]:6881
  const isMagnet = source.startsWith('magnet:')
  const given = await (isMagnet ? parseMagnet(source) : parseTorrent(await readFile(source)))
  const { encryption: mode, native } = values
  const connection = await connect(peer, given.infoHash, mode, native)
  try {
    const torrent = isMagnet ? await fetchTorrent(given.infoHash, connection) : given
    await makeFiles(torrent, folder)
    const get = values.native ? downloadPieces : download
    await get(torrent, connection).catch(async (error) => {
      await removeFiles(torrent, folder)
      throw error
    })
    console.log(`${torrent.name}: ${torrent.length} bytes`)
  } finally {
    connection.wire.destroy()
  }
}

main().catch((error) => {
  console.error(`leech.js: ${error.message || error.code}`)
  process.exitCode = 1
})
