// Metadata of real clients by magnet link, in both directions, and with ut_metadata of npm (BEP 9).
import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import BittorrentWire from 'bittorrent-protocol'
import utMetadata from 'ut_metadata'
import { clients } from '../testkit/clients/index.mjs'
import { hashesOf, infoOf, magnetOf } from '../testkit/clients/torrents.mjs'
import { hashFiles } from '../testkit/files.mjs'
import {
  TRANSPORTS,
  downloadFromSeed,
  listen,
  makeTransfer,
  peerId,
  testWith
} from './helpers/clients.mjs'
import { startScript } from './helpers/scripts.mjs'

/** The metadata of one has a single block, that of the other has two. */
const SHAPES = ['a folder', 'a large file']

for (const [name, client] of Object.entries(clients)) {
  const withClient = testWith(name)

  for (const shape of SHAPES) {
    for (const [transport, { dial }] of Object.entries(TRANSPORTS)) {
      withClient(`a ${transport} wire fetches the metadata of ${shape} from ${name}`, async (t) => {
        const { torrent, data } = await makeTransfer(t, shape)
        const seeder = await client.seed(t, { torrent, folder: data })
        const wire = dial(t, seeder, { extensions: true })
        const { v1 } = hashesOf(torrent)
        wire.handshake(v1, peerId(), { fast: true })
        const info = await wire.metadata()

        t.deepEqual(info, infoOf(torrent))
        t.is(wire.stats().violations, 0)
        wire.destroy()
        t.is(await seeder.stop(), 0)
      })
    }

    withClient(`leech.js downloads ${shape} from ${name} by magnet link`, async (t) => {
      const { torrent, data, copy } = await makeTransfer(t, shape)
      const seeder = await client.seed(t, { torrent, folder: data })
      const args = [magnetOf(hashesOf(torrent)), `${seeder.host}:${seeder.port}`, copy]
      const leech = startScript(t, 'examples/leech.js', args)

      t.is(await leech.ended, 0, leech.output)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
      t.is(await seeder.stop(), 0)
    })
  }

  for (const shape of SHAPES) {
    withClient(`${name} downloads ${shape} from seed.js by magnet link`, async (t) => {
      const transfer = await makeTransfer(t, shape)
      const magnet = magnetOf(hashesOf(transfer.torrent))
      const { seed, leecher } = await downloadFromSeed(t, client, { ...transfer, magnet })
      await Promise.race([leecher.done, seed.ended])

      t.is(await leecher.stop(), 0)
      // rTorrent leaves a file with the metadata.
      const [copied, original] = [transfer.copy, transfer.data].map(hashSource)
      t.deepEqual(await copied, await original, seed.output)
    })
  }
}

const hashSource = async (folder) => {
  const hashes = Object.entries(await hashFiles(folder))
  return Object.fromEntries(hashes.filter(([name]) => name.startsWith('source')))
}

for (const shape of SHAPES) {
  for (const [transport, { dial, listen: listenForWires }] of Object.entries(TRANSPORTS)) {
    test(`a ${transport} wire fetches the metadata of ${shape} from bittorrent-protocol`, async (t) => {
      const { torrent } = await makeTransfer(t, shape)
      const { v1 } = hashesOf(torrent)
      const peer = await listen(t, (socket) => {
        const wire = bittorrentWire(t, socket, infoOf(torrent))
        wire.once('handshake', () => wire.handshake(v1, peerId()))
      })
      const wire = dial(t, peer, { extensions: true })
      wire.handshake(v1, peerId())
      t.deepEqual(await wire.metadata(), infoOf(torrent))
    })

    test(`bittorrent-protocol fetches the metadata of ${shape} from a ${transport} wire`, async (t) => {
      const { torrent } = await makeTransfer(t, shape)
      const { v1 } = hashesOf(torrent)
      const peer = await listenForWires(t, { extensions: true }, (wire) => {
        wire.serveMetadata(infoOf(torrent))
        wire.once('handshake', () => wire.handshake(v1, peerId()))
      })
      const wire = bittorrentWire(t, net.connect(peer))
      wire.handshake(v1, peerId())
      wire.ut_metadata.fetch()
      const [metadata] = await once(wire.ut_metadata, 'metadata')
      t.deepEqual(infoOf(Buffer.from(metadata)), infoOf(torrent))
    })
  }
}

/** A wire of bittorrent-protocol that has metadata, or wants it. */
function bittorrentWire(t, socket, info) {
  const wire = new BittorrentWire()
  wire.use(utMetadata(info))
  socket.on('error', () => {})
  socket.pipe(wire).pipe(socket)
  t.teardown(() => socket.destroy())
  return wire
}
