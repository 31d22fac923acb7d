// Torrents of version 2 and hybrid ones with libtorrent, in both directions: metadata, hashes and blocks
// (BEP 52).
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { clients } from '../testkit/clients/index.mjs'
import { hashesOf, infoOf, magnetOf, makeV2Torrent } from '../testkit/clients/torrents.mjs'
import { hashFiles } from '../testkit/files.mjs'
import { pwp } from '../testkit/wires.mjs'
import { TRANSPORTS, makeTransfer, peerId, testWith } from './helpers/clients.mjs'
import { BLOCK_LENGTH, readFiles, V2Torrent } from './helpers/v2.mjs'

/** In the last reserved byte: the sender would also speak version 2. */
const V2_BIT = 0x10

/**
 * What libtorrent 2.0 at times finds wrong with a hybrid torrent of which it has not got all hashes yet, and not the
 * next time: https://github.com/arvidn/libtorrent/issues/6394
 */
const INCONSISTENT = /v1 and v2 hashes do not describe the same data/

const { libtorrent } = clients
const withLibtorrent = testWith('libtorrent')

for (const kind of ['version 2', 'hybrid']) {
  const isHybrid = kind === 'hybrid'
  const makeFolder = (t) =>
    makeTransfer(t, 'a folder', (source) => makeV2Torrent(t, source, { isHybrid }))

  const downloadOver = (transport) => async (t) => {
    const { torrent, data } = await makeFolder(t)
    const { v2 } = hashesOf(torrent)
    const seeder = await libtorrent.seed(t, { torrent, folder: data })
    const wire = TRANSPORTS[transport].dial(t, seeder, { extensions: true })
    wire.handshake(v2, peerId(), { fast: true })
    const info = await wire.metadata()
    t.true(wire.isV2)
    t.deepEqual(createHash('sha256').update(info).digest(), v2)
    await downloadAll(t, wire, new V2Torrent(info), data)
    t.is(wire.stats().violations, 0)
    wire.destroy()
    t.is(await seeder.stop(), 0)
  }

  const serveOver = async (t, transport) => {
    const { torrent, data, copy } = await makeFolder(t)
    const { v2 } = hashesOf(torrent)
    const seeding = new Seeding(torrent, await readFiles(new V2Torrent(infoOf(torrent)), data))
    const peer = await TRANSPORTS[transport].listen(t, seeding.options, (wire) => {
      seeding.serve(wire)
      wire.once('info-hash', () => wire.handshake(v2, peerId(), { fast: true }))
    })
    const magnet = magnetOf({ v2 })
    const leecher = await libtorrent.leech(t, { torrent, magnet, folder: copy, peer })
    await leecher.done
    t.is(await leecher.stop(), 0)
    t.deepEqual(await hashFiles(copy), await hashFiles(data))
    t.true(seeding.answers > 0)
    t.deepEqual(seeding.errors, [])
  }

  for (const transport of Object.keys(TRANSPORTS)) {
    withLibtorrent(
      `a ${transport} wire downloads a ${kind} torrent from libtorrent by magnet link`,
      downloadOver(transport)
    )

    withLibtorrent(
      `libtorrent downloads a ${kind} torrent from a ${transport} wire by magnet link`,
      (t) =>
        serveOver(t, transport).catch((error) => {
          if (!isHybrid || !INCONSISTENT.test(error.message)) throw error
          t.log(error.message.match(INCONSISTENT)[0])
          return serveOver(t, transport)
        })
    )
  }
}

withLibtorrent('libtorrent accepts an upgrade to version 2', async (t) => {
  const { torrent, data } = await makeHybrid(t)
  const { v1, v2 } = hashesOf(torrent)
  const seeder = await libtorrent.seed(t, { torrent, folder: data })
  const options = { extensions: true, infoHashes: v1 }
  const wire = TRANSPORTS.stream.dial(t, seeder, options)
  wire.handshake(v1, peerId(), { fast: true, v2 })
  const [infoHash] = await once(wire, 'handshake')
  t.deepEqual(infoHash, v2.subarray(0, 20))
  t.true(wire.isV2)
  await downloadAll(t, wire, new V2Torrent(infoOf(torrent)), data)
  t.is(await seeder.stop(), 0)
})

withLibtorrent('libtorrent offers an upgrade to version 2, which a wire accepts', async (t) => {
  const { torrent, data, copy } = await makeHybrid(t)
  const { v1, v2 } = hashesOf(torrent)
  const seeding = new Seeding(torrent, await readFiles(new V2Torrent(infoOf(torrent)), data))
  const agreed = []
  const peer = await TRANSPORTS.stream.listen(t, seeding.options, (wire) => {
    seeding.serve(wire)
    wire.once('info-hash', (infoHash) => {
      agreed.push(infoHash)
      wire.handshake(v2, peerId(), { fast: true })
    })
    wire.once('handshake', () => agreed.push(wire.peerReserved[7] & V2_BIT, wire.isV2))
  })
  const leecher = await libtorrent.leech(t, { torrent, folder: copy, peer })
  await leecher.done
  t.deepEqual(agreed.slice(0, 3), [v1, V2_BIT, true])
  t.is(await leecher.stop(), 0)
  t.deepEqual(await hashFiles(copy), await hashFiles(data))
})

const makeHybrid = (t) =>
  makeTransfer(t, 'a folder', (source) => makeV2Torrent(t, source, { isHybrid: true }))

/** Downloads each piece, and checks it against the hashes that the peer gives and against the data. */
async function downloadAll(t, wire, torrent, folder) {
  wire.interested()
  if (wire.peerChoking) await once(wire, 'unchoke')
  const originals = await readFiles(torrent, folder)
  await Promise.all(
    torrent.files.map(async (file, number) => {
      const requests = torrent.hashRequests(file)
      const parts = await Promise.all(requests.map((request) => wire.requestHashes(request)))
      const hashes = parts.length === 0 ? file.root : Buffer.concat(parts)
      const pieces = Array.from({ length: file.pieces }, (_, index) => file.firstPiece + index)
      const bytes = await Promise.all(pieces.map((piece) => downloadPiece(wire, torrent, piece)))
      const { pieceLength } = file.pieces === 1 ? {} : torrent
      for (const [index, piece] of bytes.entries()) {
        const hash = hashes.subarray(index * 32, (index + 1) * 32)
        t.deepEqual(pwp.pieceRoot(piece, { pieceLength }), hash)
      }
      t.true(Buffer.concat(bytes).equals(originals[number].bytes))
    })
  )
}

async function downloadPiece(wire, torrent, piece) {
  const length = torrent.lengthOf(piece)
  const blocks = []
  for (let at = 0; at < length; at += BLOCK_LENGTH)
    blocks.push(wire.requestBlock(piece, at, Math.min(BLOCK_LENGTH, length - at)))
  return Buffer.concat(await Promise.all(blocks))
}

/** Serves metadata, hashes and blocks of a torrent to all wires. */
class Seeding {
  /** Of requests for hashes. */
  answers = 0
  /** Codes. */
  errors = []

  constructor(torrent, contents) {
    this.info = infoOf(torrent)
    this.torrent = new V2Torrent(this.info)
    this.contents = contents
  }

  /** Of its wires. */
  get options() {
    return { extensions: true, pieces: this.torrent.pieces }
  }

  serve(wire) {
    wire.serveMetadata(this.info)
    // In a microtask: our handshake may follow in another listener.
    wire.once('handshake', () =>
      queueMicrotask(() => {
        wire.haveAll()
        wire.unchoke()
      })
    )
    wire.on('error', (error) => this.errors.push(error.code))
    wire.on('hash-request', (request, respond) => {
      const number = this.torrent.files.findIndex(({ root }) => root.equals(request.root))
      const hashes = this.contents[number]?.tree.hashesFor(request) ?? null
      this.answers++
      respond(hashes === null ? new Error('no such hashes') : null, hashes)
    })
    wire.on('request', (piece, offset, length, respond) => {
      const file = this.torrent.fileOf(piece)
      const { bytes } = this.contents[this.torrent.files.indexOf(file)]
      const at = (piece - file.firstPiece) * this.torrent.pieceLength + offset
      // libtorrent requests whole blocks at the ends of files, too: after them are zeros.
      const block = Buffer.alloc(length)
      bytes.copy(block, 0, at)
      respond(null, block)
    })
  }
}
