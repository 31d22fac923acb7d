// The examples against real clients: each client seeds to us, and downloads from us. Then wires with the fast
// extension and the extension protocol do the same.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import bencode from 'bencode'
import { clients } from '../testkit/clients/index.mjs'
import { hashFiles, infoHashOf } from '../testkit/files.mjs'
import { TRANSPORTS, downloadFromSeed, makeTransfer, peerId, testWith } from './helpers/clients.mjs'
import { startScript } from './helpers/scripts.mjs'

/** How a client calls itself in `v`, and whether it says how many requests it keeps. */
const ANNOUNCED = {
  aria2: { v: /^aria2\/\d/, reqq: false },
  deluge: { v: /^(Deluge|libtorrent)/, reqq: true },
  libtorrent: { v: /^libtorrent\/2/, reqq: true },
  qbittorrent: { v: /^qBittorrent/, reqq: true },
  rtorrent: { v: /^libTorrent/, reqq: true },
  transmission: { v: /^Transmission \d/, reqq: true }
}

/** They announce the fast extension. */
const FAST = new Set(['aria2', 'deluge', 'libtorrent', 'qbittorrent', 'transmission'])

/** What seed.js says of the connection that had the blocks, once it is closed: without an error. */
const UPLOADED = /^A peer left after ([1-9]\d*) bytes: no error$/m

for (const [name, client] of Object.entries(clients)) {
  const withClient = testWith(name)

  for (const shape of ['a file', 'a folder']) {
    withClient(`leech.js downloads ${shape} from ${name}`, async (t) => {
      const { torrent, torrentPath, data, copy } = await makeTransfer(t, shape)
      const seeder = await client.seed(t, { torrent, folder: data })

      const args = [torrentPath, `${seeder.host}:${seeder.port}`, copy]
      const leech = startScript(t, 'examples/leech.js', args)

      t.is(await leech.ended, 0, leech.output)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
      t.is(await seeder.stop(), 0)
    })

    withClient(`${name} downloads ${shape} from seed.js`, async (t) => {
      const transfer = await makeTransfer(t, shape)
      const { torrent, data, copy } = transfer
      const { seed, leecher } = await downloadFromSeed(t, client, transfer)
      await Promise.race([leecher.done, seed.ended])

      t.is(await leecher.stop(), 0)
      t.deepEqual(await hashFiles(copy), await hashFiles(data), seed.output)
      const [, uploaded] = await seed.printed(UPLOADED)
      t.true(Number(uploaded) >= torrentLength(torrent), seed.output)
      seed.interrupt()
      t.is(await seed.ended, 'SIGINT', seed.output)
    })
  }

  for (const [transport, { dial }] of Object.entries(TRANSPORTS)) {
    withClient(
      `a wire (${transport}) reads what ${name} announces, and gets a block`,
      async (t) => {
        const { torrent, data } = await makeTransfer(t, 'a file')
        const seeder = await client.seed(t, { torrent, folder: data })
        const { pieces, pieceLength, metadataSize } = readInfo(torrent)
        const wire = dial(t, seeder, { extensions: true, pieces })
        const hasAll = Promise.race([once(wire, 'have-all'), once(wire, 'bitfield')])
        const announced = once(wire, 'extended-handshake')
        const unchoked = once(wire, 'unchoke')
        wire.on('handshake', () => wire.interested())
        wire.handshake(infoHashOf(torrent), peerId(), { fast: true })

        await hasAll
        t.is(wire.peerPieces.filter(Boolean).length, pieces)
        t.is(wire.hasFast, FAST.has(name))
        const [{ v, reqq, m, metadata_size: size }] = await announced
        t.log(v, m)
        t.regex(v, ANNOUNCED[name].v)
        t.is(typeof reqq, ANNOUNCED[name].reqq ? 'number' : 'undefined')
        t.true(m.ut_metadata > 0)
        t.is(wire.peerExtendedMapping.ut_metadata, m.ut_metadata)
        t.is(size, metadataSize)
        await unchoked
        const [error, block] = await new Promise((resolve) => {
          // The pieces are so small that one block is one piece.
          wire.request(1, 0, pieceLength, (...answer) => resolve(answer))
        })
        t.is(error, null)
        const file = await readFile(path.join(data, 'source'))
        t.true(block.equals(file.subarray(pieceLength, 2 * pieceLength)))
        t.is(wire.error, null)
        t.is(wire.stats().violations, 0)
        wire.destroy()
        t.is(await seeder.stop(), 0)
      }
    )

    withClient(`${name} downloads from a wire (${transport}) that rejects a request`, async (t) => {
      const { torrent, data, copy } = await makeTransfer(t, 'a file')
      const file = await readFile(path.join(data, 'source'))
      const serving = new Serving(TRANSPORTS[transport], torrent, file)
      const leecher = await serving.start(t, client, copy)
      await leecher.done

      t.is(await leecher.stop(), 0)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
      const [rejected, ...others] = serving.requests
      t.is(serving.rejected, FAST.has(name) ? rejected : null)
      t.is(others.includes(rejected), FAST.has(name), 'the client requests the block again')
      // Some first try an encrypted connection.
      t.deepEqual(new Set([...serving.errors, 'ERR_PWP_HANDSHAKE']), new Set(['ERR_PWP_HANDSHAKE']))
    })
  }
}

/** Serves a file to one client, and rejects the first request if both sides have the fast extension. */
class Serving {
  /** All requests of the client, as text. */
  requests = []
  rejected = null
  errors = []

  constructor(transport, torrent, file) {
    this.transport = transport
    this.torrent = torrent
    this.file = file
    this.infoHash = infoHashOf(torrent)
    this.info = readInfo(torrent)
  }

  async start(t, client, folder) {
    const { torrent, transport } = this
    const options = { extensions: true, pieces: this.info.pieces }
    if (!client.can.dial) {
      const leecher = await client.leech(t, { torrent, folder })
      const wire = this.serve(transport.dial(t, leecher, options))
      wire.handshake(this.infoHash, peerId(), { fast: true })
      return leecher
    }
    const peer = await transport.listen(t, options, (wire) => {
      this.serve(wire)
      wire.once('handshake', (infoHash) => wire.handshake(infoHash, peerId(), { fast: true }))
    })
    return client.leech(t, { torrent, folder, peer })
  }

  serve(wire) {
    const { pieces, pieceLength } = this.info
    // In a microtask: our handshake may follow in another listener.
    wire.once('handshake', () => queueMicrotask(() => announceAll(wire, pieces)))
    wire.on('error', (error) => this.errors.push(error.code))
    wire.on('request', (piece, offset, length, respond) => {
      const request = `${piece} ${offset} ${length}`
      this.requests.push(request)
      if (wire.hasFast && this.rejected === null) {
        this.rejected = request
        wire.reject(piece, offset, length)
        return
      }
      const at = piece * pieceLength + offset
      respond(null, this.file.subarray(at, at + length))
    })
    return wire
  }
}

function announceAll(wire, pieces) {
  if (wire.hasFast) {
    wire.haveAll()
  } else {
    const bits = Buffer.alloc(Math.ceil(pieces / 8))
    for (let piece = 0; piece < pieces; piece++) bits[piece >> 3] |= 0x80 >> (piece & 7)
    wire.bitfield(bits)
  }
  wire.unchoke()
}

function readInfo(torrent) {
  const { info } = bencode.decode(torrent)
  return {
    pieces: info.pieces.length / 20,
    pieceLength: info['piece length'],
    metadataSize: bencode.encode(info).length
  }
}

testWith('transmission')('inspect.js says what transmission says of itself', async (t) => {
  const { torrent, data } = await makeTransfer(t, 'a file')
  const seeder = await clients.transmission.seed(t, { torrent, folder: data })
  const args = [`${seeder.host}:${seeder.port}`, infoHashOf(torrent).toString('hex')]
  const inspection = startScript(t, 'examples/inspect.js', args)

  t.is(await inspection.ended, 0, inspection.output)
  t.regex(inspection.output, /^peer id .*'-TR/m)
  t.regex(inspection.output, /^client +'Transmission \d/m)
  t.regex(inspection.output, /^violation +-$/m)
  t.is(await seeder.stop(), 0)
})

function torrentLength(torrent) {
  const { info } = bencode.decode(torrent)
  return info.length ?? info.files.reduce((sum, { length }) => sum + length, 0)
}
