// Packages that depend on peer-wire-protocol, with ours in its place.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import parseTorrent from 'parse-torrent'
import { installDependents } from '../testkit/processes/dependents.mjs'
import { hashFiles, makeTorrent, temporaryFolder, writeManyFiles } from '../testkit/files.mjs'
import { freePorts } from '../testkit/clients/ports.mjs'
import { pwp } from '../testkit/wires.mjs'

let project
let require

test.before('install', async () => {
  project = await mkdtemp(path.join(os.tmpdir(), 'peer-wire-dependents-'))
  require = await installDependents(project, ['peer-wire-swarm', 'torrent-stream'])
})

test.after.always('remove', () => rm(project, { recursive: true, force: true }))

test('peer-wire-swarm gets this package as peer-wire-protocol', (t) => {
  const ofStream = createRequire(require.resolve('torrent-stream'))
  const ofSwarm = createRequire(ofStream.resolve('peer-wire-swarm'))
  t.is(ofSwarm('peer-wire-protocol/package.json').name, 'peer-wire-native')
  t.is(typeof ofSwarm('peer-wire-protocol').ProtocolError, 'function')
  t.is(require.resolve('peer-wire-swarm'), ofStream.resolve('peer-wire-swarm'))
})

test('torrent-stream transfers a torrent of several files', async (t) => {
  const { torrent, hashes, address } = await startSeed(t)
  const leech = await startLeech(t, torrent)
  leech.connect(address)
  await once(leech, 'ready')
  t.deepEqual(await readFiles(leech), hashes)
})

test('torrent-stream transfers a torrent of which it knows only the info hash', async (t) => {
  const { infoHash, hashes, address } = await startSeed(t)
  const leech = await startLeech(t, `magnet:?xt=urn:btih:${infoHash}`)
  leech.connect(address)
  await once(leech, 'ready')
  t.deepEqual(await readFiles(leech), hashes)
})

test('torrent-stream survives requests that its store answers with a wrong length', async (t) => {
  const { infoHash, torrent, address } = await startSeed(t)
  const { pieceLength, length, pieces } = await parseTorrent(torrent)
  const [host, port] = address.split(':')
  const socket = net.connect(port, host)
  t.teardown(() => socket.destroy())
  const wire = pwp()
  socket.pipe(wire).pipe(socket)
  wire.handshake(infoHash, randomBytes(20))
  wire.interested()
  await once(wire, 'unchoke')
  const last = pieces.length - 1
  const lastLength = length - last * pieceLength
  const answers = []
  wire.on('piece', (piece, offset, block) => answers.push([piece, offset, block.length]))
  for (const [piece, offset, size] of [
    [0, 0, 0],
    [last, 0, 0],
    [0, pieceLength - 1, 16 * 1024],
    [1, pieceLength - 100, 101],
    [last, lastLength - 7, 16 * 1024],
    [last, lastLength, 1],
    [0, 0xffffffff, 16 * 1024],
    [last + 1, 0, 16 * 1024],
    [0xffffffff, 0, 1]
  ]) {
    wire.request(piece, offset, size)
  }
  t.is((await requestBlock(wire, 1000)).length, 1000)
  t.deepEqual(answers, [[0, 0, 1000]])
  t.is(wire.error, null)
})

test('peer-wire-swarm exchanges blocks, and reconnects after a disconnection', async (t) => {
  const createSwarm = require('peer-wire-swarm')
  const infoHash = randomBytes(20)
  const [port] = await freePorts(1)
  const seed = createSwarm(infoHash, randomBytes(20))
  const leech = createSwarm(infoHash, randomBytes(20))
  t.teardown(() => seed.destroy())
  t.teardown(() => leech.destroy())

  const block = randomBytes(16 * 1024)
  seed.on('wire', (wire) => {
    wire.unchoke()
    wire.on('request', (piece, offset, length, respond) => respond(null, block))
  })
  await new Promise((resolve) => seed.listen(port, resolve))
  const firstMeeting = once(leech, 'wire')
  leech.add(`127.0.0.1:${port}`)

  const [first] = await firstMeeting
  t.deepEqual(await requestBlock(first, block.length), block)

  const parting = once(leech, 'wire-disconnect')
  const nextMeeting = once(leech, 'wire')
  seed.wires[0].destroy()
  t.is((await parting)[0], first)
  t.deepEqual(leech.wires, [])

  const [second] = await nextMeeting
  t.not(second, first)
  t.deepEqual(await requestBlock(second, block.length), block)
  t.is(leech.downloaded, 2 * block.length)
  t.is(seed.uploaded, 2 * block.length)
  t.deepEqual([seed.wires.length, leech.wires.length], [1, 1])
})

test('peer-wire-swarm drops a peer of another torrent', async (t) => {
  const createSwarm = require('peer-wire-swarm')
  const [port] = await freePorts(1)
  const seed = createSwarm(randomBytes(20), randomBytes(20))
  const leech = createSwarm(randomBytes(20), randomBytes(20))
  t.teardown(() => seed.destroy())
  t.teardown(() => leech.destroy())
  leech.on('wire', () => t.fail('it shook hands'))

  await new Promise((resolve) => seed.listen(port, resolve))
  leech.add(`127.0.0.1:${port}`)
  const [connection] = leech.connections
  await once(connection, 'close')
  t.deepEqual([seed.wires, seed.connections], [[], []])
})

/** Files, a torrent of them, and an engine that checks and serves them. */
async function startSeed(t) {
  const folder = await temporaryFolder(t)
  const source = path.join(folder, 'source')
  await writeManyFiles(source)
  const torrent = await makeTorrent(source)
  const engine = await startEngine(t, torrent, folder)
  // engine.ready() would not wait until the data is checked.
  await once(engine, 'ready')
  // The swarm can only listen on all interfaces, and does not say which port it got.
  const [port] = await freePorts(1)
  await new Promise((resolve) => engine.listen(port, resolve))
  const { infoHash } = engine
  return { torrent, infoHash, hashes: await hashFiles(source), address: `127.0.0.1:${port}` }
}

async function startLeech(t, link) {
  return startEngine(t, link, await temporaryFolder(t))
}

/** An engine that knows only the given peers, with files in a folder of its own. */
async function startEngine(t, link, folder) {
  const tmp = path.join(await temporaryFolder(t), 'tmp')
  await mkdir(tmp)
  const engine = require('torrent-stream')(link, { dht: false, tracker: false, path: folder, tmp })
  t.teardown(promisify(engine.destroy))
  return engine
}

/** Downloads all files, as a player would read them. */
async function readFiles(engine) {
  const entries = engine.files.map(async (file) => {
    const hash = createHash('sha256')
    for await (const chunk of file.createReadStream()) hash.update(chunk)
    return [file.path.split(path.sep).slice(1).join(path.sep), hash.digest('hex')]
  })
  return Object.fromEntries((await Promise.all(entries)).toSorted())
}

/** Requests the first block as soon as the peer unchokes us. */
async function requestBlock(wire, length) {
  if (wire.peerChoking) await once(wire, 'unchoke')
  return promisify(wire.request).call(wire, 0, 0, length)
}
