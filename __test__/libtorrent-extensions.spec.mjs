// Peer exchange, upload_only and ut_holepunch with libtorrent: it connects to whom it was told of, tells of its
// own peers, and arranges a connection between two of them.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import ava from 'ava'

import { clients, reasonToSkip } from '../testkit/clients/index.mjs'
import { infoHashOf, makeTorrent, temporaryFolder, writeFiles } from '../testkit/files.mjs'
import { pwp } from '../testkit/wires.mjs'

const reason = reasonToSkip('libtorrent')
const test = reason === null ? ava : ava.skip
const suffix = reason === null ? '' : ` (skipped: ${reason})`

/** Nobody listens there. */
const NOBODY = '127.0.0.1:1'

const NOT_CONNECTED = 2

/** A wire with our extensions, which says where it listens. */
const wireOver = (t, socket, listensOn) => {
  const wire = pwp()
  const { utPex, uploadOnly, utHolepunch } = pwp.extensions
  for (const Extension of [utPex(), uploadOnly(), utHolepunch()]) wire.use(Extension)
  wire.extendedHandshake.p = listensOn
  wire.peerAddress = `${socket.remoteAddress}:${socket.remotePort}`
  socket.on('error', () => {})
  socket.pipe(wire).pipe(socket)
  t.teardown(() => socket.destroy())
  return wire
}

/** Settles with the arguments of an event once they are right. */
const until = (emitter, event, isRight) =>
  new Promise((resolve) => {
    emitter.on(event, (...args) => isRight(...args) && resolve(args))
  })

test(`exchanges peers with libtorrent${suffix}`, async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { source: 100_000 })
  const torrent = await makeTorrent(path.join(folder, 'source'))
  const infoHash = infoHashOf(torrent)
  const copy = path.join(folder, 'copy')
  await mkdir(copy)
  const client = await clients.libtorrent.leech(t, { torrent, folder: copy, pex: true })
  // It never has all pieces.
  client.done.catch(() => {})

  const server = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address()
  const listening = `127.0.0.1:${port}`
  const accepted = once(server, 'connection')

  const dialing = wireOver(t, net.connect(client.port, client.host), 2)
  const toldBack = until(dialing.ut_pex, 'peer', (address) => address === listening)
  const malformed = []
  for (const name of ['ut_pex', 'upload_only', 'ut_holepunch']) {
    dialing[name].on('malformed', (bytes) => malformed.push([name, bytes]))
  }
  dialing.ut_pex.on('warning', (error) => t.fail(error.message))
  const met = once(dialing, 'extended-handshake')
  dialing.handshake(infoHash, randomBytes(20))
  await met
  dialing.ut_pex.addPeer(listening, { isReachable: true })
  dialing.ut_pex.start()

  const [socket] = await accepted
  const found = wireOver(t, socket, port)
  found.on('handshake', () => found.handshake(infoHash, randomBytes(20)))
  await once(found, 'extended-handshake')
  const [, flags] = await toldBack
  t.true(flags.supportsUtHolepunch)
  t.is(typeof flags.isSender, 'boolean')

  // Both sides of a rendezvous are told of each other; one of whom nobody knows is not.
  const toConnect = once(dialing.ut_holepunch, 'connect')
  const other = once(found.ut_holepunch, 'connect')
  dialing.ut_holepunch.rendezvous(listening)
  t.deepEqual(await toConnect, [listening])
  const [address] = await other
  t.regex(address, /^127\.0\.0\.1:\d+$/)
  const failed = once(dialing.ut_holepunch, 'failed')
  dialing.ut_holepunch.rendezvous(NOBODY)
  t.deepEqual(await failed, [NOBODY, NOT_CONNECTED])

  // libtorrent closes at a message of a wrong length.
  dialing.upload_only.set(true)
  dialing.upload_only.set(false)
  const again = once(dialing.ut_holepunch, 'failed')
  dialing.ut_holepunch.rendezvous(NOBODY)
  await again
  t.deepEqual(malformed, [])
  t.is(dialing.ut_pex.earlyMessages, 0)
  for (const wire of [dialing, found]) t.false(wire.destroyed)
  t.is(await client.stop(), 0)
})
