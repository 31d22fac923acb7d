// Encryption with each real client: either side connects, either side seeds, and each refuses clear text when
// it requires encryption.
import net from 'node:net'
import { clients } from '../testkit/clients/index.mjs'
import { hashesOf, magnetOf } from '../testkit/clients/torrents.mjs'
import { hashFiles } from '../testkit/files.mjs'
import { pwp } from '../testkit/wires.mjs'
import { TRANSPORTS, listen, makeTransfer, testWith, wireOver } from './helpers/clients.mjs'
import { startScript } from './helpers/scripts.mjs'
import { SharedFile } from './helpers/shared-file.mjs'

const MODES = ['prefer', 'require']

/** Most connections that are made to a client that hangs up before it has anything. */
const MAX_DIALS = 4

/** What a client that prefers encryption selects when both methods are offered. */
const SELECTED = {
  aria2: 'plaintext',
  deluge: 'rc4',
  libtorrent: 'rc4',
  qbittorrent: 'rc4',
  rtorrent: 'rc4',
  transmission: 'rc4'
}

for (const [name, client] of Object.entries(clients)) {
  const withClient = testWith(name)

  withClient(`wires download from ${name}, which refuses clear text`, async (t) => {
    const { file, seeder } = await startSeeder(t, client, 'require')
    // Each from an address of its own: some clients keep one connection to an address.
    const plain = connect(t, file, seeder, { mode: 'accept' }, '127.0.0.2')
    t.is(await outcome(plain), 'closed')
    const onlyHidden = connect(t, file, seeder, { methods: ['plaintext'] }, '127.0.0.3')
    t.is(await outcome(onlyHidden), 'closed')
    const wires = MODES.map((mode, n) => connect(t, file, seeder, { mode }, `127.0.0.${4 + n}`))
    const counts = await Promise.all(wires.map((wire) => file.download(wire)))
    t.deepEqual(counts, [file.pieces, file.pieces])
    for (const wire of wires) {
      t.is(wire.encryption.method, 'rc4')
      t.is(wire.stats().violations, 0)
      wire.destroy()
    }
    t.is(await seeder.stop(), 0)
  })

  withClient(`wires download from ${name}, which prefers encryption`, async (t) => {
    const { file, seeder } = await startSeeder(t, client, 'prefer')
    const transports = Object.keys(TRANSPORTS)
    const wires = transports.map((transport, n) =>
      connect(t, file, seeder, { mode: 'prefer' }, `127.0.0.${2 + n}`, transport)
    )
    const counts = await Promise.all(wires.map((wire) => file.download(wire)))
    t.deepEqual(counts, [file.pieces, file.pieces])
    for (const wire of wires) {
      t.is(wire.encryption.method, SELECTED[name])
      wire.destroy()
    }
    t.is(await seeder.stop(), 0)
  })

  for (const mode of MODES) {
    withClient(`${name}, which requires encryption, downloads over dial(), ${mode}`, async (t) => {
      const { file, torrent, data, copy } = await makeFile(t)
      const leecher = await client.leech(t, { torrent, folder: copy, encryption: 'require' })
      const { stream, attempts } = await seedByDialing(t, leecher, file, mode)
      t.deepEqual(attempts, [{ encrypted: true }])
      t.is(stream.encryption.method, 'rc4')
      t.is(await leecher.stop(), 0)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
    })
  }

  for (const mode of client.can.dial ? MODES : []) {
    const transport = mode === 'prefer' ? 'stream' : 'native'
    const title = `${name}, which requires encryption, connects to a ${transport} wire, ${mode}`
    withClient(title, async (t) => {
      const { file, torrent, data, copy } = await makeFile(t)
      const wires = []
      const onwire = (wire) => wires.push(wire)
      const peer = await listenEncrypted(t, file, mode, transport, onwire)
      const leecher = await client.leech(t, { torrent, folder: copy, peer, encryption: 'require' })
      await leecher.done
      t.is(await leecher.stop(), 0)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
      const serving = wires.filter(({ uploaded }) => uploaded > 0)
      const methods = serving.map(({ encryption }) => encryption.method)
      t.deepEqual(new Set(methods), new Set(['rc4']))
    })

    withClient(
      `${name}, which requires encryption, connects and seeds to wrap(), ${mode}`,
      async (t) => {
        const { file, torrent, data } = await makeFile(t)
        const { peer, downloaded } = await listenForSeeder(t, file, mode)
        const transfer = { torrent, folder: data, peer, encryption: 'require' }
        const [seeder, stream] = await Promise.all([client.seed(t, transfer), downloaded])
        t.is(stream.encryption.method, 'rc4')
        t.deepEqual(stream.encryption.infoHash, file.infoHash)
        t.is(await seeder.stop(), 0)
      }
    )
  }

  // It cannot be switched off in the others.
  if (!client.can.encryption.includes('off')) continue

  withClient(`${name} without encryption is refused, or dialled again`, async (t) => {
    const { file, seeder } = await startSeeder(t, client, 'off')
    await t.throwsAsync(dialTo(seeder, file, 'require'), {
      instanceOf: pwp.ProtocolError,
      code: 'ERR_PWP_ENCRYPTION_REFUSED'
    })
    const { stream, attempts } = await dialTo(seeder, file, 'prefer')
    t.deepEqual(attempts, [{ encrypted: true }, { encrypted: false }])
    const wire = wireOver(t, stream, optionsFor(file))
    file.greet(wire, { isInitiator: true })
    t.is(await file.download(wire), file.pieces)
    t.is(stream.encryption.method, 'none')
    wire.destroy()
    t.is(await seeder.stop(), 0)
  })

  withClient(`a wire that requires encryption refuses ${name} without it`, async (t) => {
    const { file, torrent, copy } = await makeFile(t)
    let refuse = null
    const refused = new Promise((resolve) => (refuse = resolve))
    const peer = await listenEncrypted(t, file, 'require', 'stream', (wire) =>
      wire.once('error', refuse)
    )
    const leecher = await client.leech(t, { torrent, folder: copy, peer, encryption: 'off' })
    const error = await refused
    t.true(error instanceof pwp.ProtocolError)
    t.is(error.code, 'ERR_PWP_ENCRYPTION_PLAIN')
    t.is(await leecher.stop(), 0)
  })
}

// The examples, with a client that requires encryption.

const { transmission } = clients
const withTransmission = testWith('transmission')

for (const [what, source, ...options] of [
  ['leech.js', ({ torrentPath }) => torrentPath, '--encryption', 'require'],
  ['leech.js', ({ torrent }) => magnetOf(hashesOf(torrent))]
]) {
  const title = [what, options.length ? options.join(' ') : 'by magnet link'].join(' ')
  withTransmission(`${title} downloads from transmission, which requires encryption`, async (t) => {
    const transfer = await makeTransfer(t, 'a folder')
    const { torrent, data, copy } = transfer
    const seeder = await transmission.seed(t, { torrent, folder: data, encryption: 'require' })
    const args = [source(transfer), `${seeder.host}:${seeder.port}`, copy, ...options]
    const leech = startScript(t, 'examples/leech.js', args)
    t.is(await leech.ended, 0, leech.output)
    t.regex(leech.output, /^Encryption: rc4$/m)
    t.deepEqual(await hashFiles(copy), await hashFiles(data))
    t.is(await seeder.stop(), 0)
  })
}

withTransmission('transmission, which requires encryption, downloads from seed.js', async (t) => {
  const { torrent, torrentPath, data, copy } = await makeTransfer(t, 'a folder')
  const leecher = await transmission.leech(t, { torrent, folder: copy, encryption: 'require' })
  const peer = `${leecher.host}:${leecher.port}`
  const args = [torrentPath, '--data', data, '--connect', peer, '--encryption', 'require']
  const seed = startScript(t, 'examples/seed.js', args)
  await Promise.race([leecher.done, seed.ended])
  t.is(await leecher.stop(), 0)
  t.deepEqual(await hashFiles(copy), await hashFiles(data), seed.output)
  t.regex(seed.output, /^Encryption: rc4$/m)
})

async function makeFile(t) {
  const transfer = await makeTransfer(t, 'a file')
  return { ...transfer, file: await SharedFile.of(transfer) }
}

async function startSeeder(t, client, encryption) {
  const { file, torrent, data } = await makeFile(t)
  return { file, seeder: await client.seed(t, { torrent, folder: data, encryption }) }
}

const optionsFor = ({ infoHash, pieces }) => ({
  infoHashes: infoHash,
  pieces,
  extensions: true // rTorrent waits for our extended handshake
})

/** A wire that begins the exchange itself. */
function connect(t, file, { host, port }, encryption, localAddress, transport = 'stream') {
  const wire = TRANSPORTS[transport].dial(
    t,
    { host, port, localAddress },
    { ...optionsFor(file), encryption: { role: 'initiator', ...encryption } }
  )
  file.greet(wire, { isInitiator: true })
  return wire
}

/** Whether the peer sends a handshake before the wire closes. */
function outcome(wire) {
  return new Promise((resolve) => {
    wire.once('handshake', () => resolve('handshake'))
    wire.once('close', () => resolve('closed'))
  })
}

/**
 * Serves a client until it has everything. It may hang up at first, while it is busy with itself: then it is dialled
 * again, as by any peer.
 */
async function seedByDialing(t, leecher, file, mode, dials = 1) {
  const dialed = await dialTo(leecher, file, mode)
  const wire = wireOver(t, dialed.stream, optionsFor(file))
  file.serve(wire, { isInitiator: true })
  await Promise.race([leecher.done, closed(wire)])
  if (wire.uploaded > 0) return leecher.done.then(() => dialed)
  t.log(`hung up: ${wire.error?.code ?? 'no error'}`)
  if (dials === MAX_DIALS) throw new Error('the client hangs up each time')
  return seedByDialing(t, leecher, file, mode, dials + 1)
}

const closed = (wire) => new Promise((resolve) => wire.once('close', resolve))

/** A stream of `dial()`, and how often a connection was made for it. */
async function dialTo({ host, port }, { infoHash }, mode) {
  const attempts = []
  const connectOnce = (attempt) => {
    attempts.push(attempt)
    return net.connect(port, host)
  }
  return { stream: await pwp.encryption.dial(connectOnce, { infoHash, mode }), attempts }
}

/** Listens for peers, whose wires answer the exchange themselves, and seed. */
function listenEncrypted(t, file, mode, transport, onwire) {
  const options = { ...optionsFor(file), encryption: { role: 'responder', mode } }
  return TRANSPORTS[transport].listen(t, options, (wire) => {
    file.serve(wire, { isInitiator: false })
    onwire(wire)
  })
}

/** Downloads from the first peer that connects; `downloaded` is its encrypted stream. */
async function listenForSeeder(t, file, mode) {
  let settle = null
  const downloaded = new Promise((resolve) => (settle = resolve))
  const peer = await listen(t, (socket) => {
    const infoHashes = file.infoHash
    const stream = pwp.encryption.wrap(socket, { role: 'responder', mode, infoHashes })
    const wire = wireOver(t, stream, optionsFor(file))
    file.greet(wire, { isInitiator: false })
    settle(file.download(wire).then(() => stream))
  })
  return { peer, downloaded }
}
