// Peer exchange with real clients: they tell us of a peer, and connect to one that we tell them of (BEP 11).
import { once } from 'node:events'
import os from 'node:os'
import test from 'ava'
import { clients, runsAll } from '../testkit/clients/index.mjs'
import { hashesOf } from '../testkit/clients/torrents.mjs'
import { hashFiles } from '../testkit/files.mjs'
import { pwp } from '../testkit/wires.mjs'
import { TRANSPORTS, makeTransfer, peerId, testWith } from './helpers/clients.mjs'
import { startScript } from './helpers/scripts.mjs'

/** Where a third peer says that it listens. */
const PORT = 4242

/** Of wires. */
const OPTIONS = { extensions: true }

const exchangers = Object.entries(clients).filter(([, { can }]) => can.pex)
const telling = exchangers.flatMap(([name, client]) =>
  Object.keys(TRANSPORTS).map((transport) => [name, client, transport])
)

for (const [name, client, transport] of telling) {
  testWith(name)(`${name} tells a ${transport} wire of a third peer`, async (t) => {
    const { torrent, data } = await makeTransfer(t, 'a file')
    const seeder = await client.seed(t, { torrent, folder: data, pex: true })
    // Transmission keeps one connection to an address.
    const third = join(t, { ...seeder, localAddress: '127.0.0.2' }, torrent)
    third.extendedHandshake.p = PORT
    await once(third, 'extended-handshake')
    const wire = join(t, seeder, torrent, transport)
    await new Promise((resolve) => {
      wire.ut_pex.on('peer', (address) => address === `127.0.0.2:${PORT}` && resolve())
    })
    t.is(wire.ut_pex.earlyMessages, 0)
    t.is(wire.ut_pex.malformedMessages, 0)
    t.is(wire.stats().violations, 0)
    t.is(await seeder.stop(), 0)
  })
}

const TOLD = {
  libtorrent: { host: '127.0.0.1' },
  // It connects to no address of the loopback interface.
  transmission: { host: outerAddress(), isNightly: true }
}

for (const [name, { host, isNightly = false }] of Object.entries(TOLD)) {
  const declare = isNightly && (!runsAll() || !host) ? test.skip : testWith(name)

  declare(`${name} downloads from a peer that a wire tells it of`, async (t) => {
    const { torrent, torrentPath, data, copy } = await makeTransfer(t, 'a file')
    const args = [torrentPath, '--data', data, '--host', host]
    const seed = startScript(t, 'examples/seed.js', args)
    const [, address] = await seed.printed(/ at (\d\S+:\d+)/)
    const tell = (wire) => {
      wire.ut_pex.addPeer(address, { isSender: true })
      wire.ut_pex.start()
    }
    const leecher = await startLeecher(t, name, { torrent, folder: copy, pex: true }, tell)
    await leecher.done
    t.deepEqual(await hashFiles(copy), await hashFiles(data))
  })
}

/** Starts a client that downloads, and connects a wire without pieces with it. */
async function startLeecher(t, name, transfer, onwire) {
  const client = clients[name]
  if (!client.can.dial) {
    const leecher = await client.leech(t, transfer)
    onwire(join(t, leecher, transfer.torrent))
    return leecher
  }
  const peer = await TRANSPORTS.stream.listen(t, OPTIONS, (wire) => {
    exchange(wire)
    wire.once('info-hash', (infoHash) => wire.handshake(infoHash, peerId(), { fast: true }))
    onwire(wire)
  })
  return client.leech(t, { ...transfer, peer })
}

/** Connects a wire without pieces to a client. */
function join(t, address, torrent, transport = 'stream') {
  const wire = TRANSPORTS[transport].dial(t, address, OPTIONS)
  exchange(wire)
  wire.handshake(hashesOf(torrent).v1, peerId(), { fast: true })
  return wire
}

/** Lets a wire without pieces exchange peers. */
function exchange(wire) {
  wire.use(pwp.extensions.utPex())
  wire.once('handshake', () => queueMicrotask(() => wire.haveNone()))
}

/** An address of this machine on a network. */
function outerAddress() {
  const addresses = Object.values(os.networkInterfaces()).flat()
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}
