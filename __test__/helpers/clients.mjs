// What the tests of real clients share: which of them run, what is transferred, seed.js with a client, and
// wires over sockets.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import ava from 'ava'
import { clients, reasonToSkip } from '../../testkit/clients/index.mjs'
import { makeTorrent, temporaryFolder, writeFiles, writeManyFiles } from '../../testkit/files.mjs'
import { pwp } from '../../testkit/wires.mjs'
import { startScript } from './scripts.mjs'

/** What is transferred: makes `source` in a folder. */
export const SHAPES = {
  'a file': (folder) => writeFiles(folder, { source: 2_500_001 }),
  'a folder': (folder) => writeManyFiles(path.join(folder, 'source')),
  // So many pieces of 16 KiB that their hashes take two blocks of metadata.
  'a large file': (folder) => writeFiles(folder, { source: 15_000_001 })
}

/**
 * @param {...string} names of clients
 * @returns {(title: string, body: import('ava').Implementation) => void} declares a test with these clients,
 *   which is skipped if one is missing
 */
export function testWith(...names) {
  const reason = names.map(reasonToSkip).find((each) => each !== null)
  const suffix = reason === undefined ? '' : ` (skipped: ${reason})`
  // All at once would be too many processes for a small machine, but some mostly wait.
  const test = names.some((name) => clients[name].isIdle) ? ava : ava.serial
  const declare = reason === undefined ? test : test.skip
  return (title, body) => {
    declare(`${title}${suffix}`, async (t) => {
      for (const name of new Set(names)) t.log(name, clients[name].version())
      await body(t)
    })
  }
}

/**
 * Makes data, a torrent of it and an empty folder for the copy.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {keyof SHAPES} shape
 * @param {(source: string) => Promise<Buffer>} [make] the torrent of a file or folder
 * @returns {Promise<{torrent: Buffer, torrentPath: string, data: string, copy: string}>} `data` and `copy`
 *   are the folders in which `source` lies and will lie
 */
export async function makeTransfer(t, shape, make = makeTorrent) {
  const folder = await temporaryFolder(t)
  const data = path.join(folder, 'data')
  const copy = path.join(folder, 'copy')
  await mkdir(data)
  await mkdir(copy)
  await SHAPES[shape](data)
  const torrent = await make(path.join(data, 'source'))
  const torrentPath = path.join(folder, 'source.torrent')
  await writeFile(torrentPath, torrent)
  return { torrent, torrentPath, data, copy }
}

/**
 * Starts a client as leecher and seed.js, and connects them.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {import('../../testkit/clients/index.mjs').Client} client
 * @param {object} transfer of {@link makeTransfer}, perhaps with a `magnet`
 */
export function downloadFromSeed(t, client, transfer) {
  return client.can.dial
    ? letClientConnect(t, client, transfer)
    : connectToClient(t, client, transfer)
}

async function letClientConnect(t, client, { torrentPath, data, copy, ...transfer }) {
  const seed = startScript(t, 'examples/seed.js', [torrentPath, '--data', data])
  const [, port] = await seed.printed(/ at 127\.0\.0\.1:(\d+)/)
  const peer = { host: '127.0.0.1', port: Number(port) }
  return { seed, leecher: await client.leech(t, { ...transfer, folder: copy, peer }) }
}

async function connectToClient(t, client, { torrentPath, data, copy, ...transfer }) {
  const leecher = await client.leech(t, { ...transfer, folder: copy })
  const args = [torrentPath, '--data', data, '--connect', `${leecher.host}:${leecher.port}`]
  const start = () => startScript(t, 'examples/seed.js', args)
  if (!transfer.magnet) return { seed: start(), leecher }
  // Transmission hangs up once it has the metadata.
  const first = start()
  await first.printed(/^A peer left after 0 bytes: no error$/m)
  await first.kill()
  return { seed: start(), leecher }
}

/**
 * A wire over a socket; both end at the end of the test.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {net.Socket} socket
 * @param {object} [options] of the wire
 */
export function wireOver(t, socket, options) {
  const wire = pwp(options)
  socket.pipe(wire).pipe(socket)
  socket.on('error', () => {})
  socket.on('close', () => wire.destroy())
  wire.on('close', () => socket.destroy())
  t.teardown(() => socket.destroy())
  return wire
}

/**
 * Listens for peers until the end of the test.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {(socket: net.Socket) => void} onconnection
 * @returns {Promise<{host: string, port: number}>} where
 */
export async function listen(t, onconnection) {
  const server = net.createServer(onconnection)
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { host: '127.0.0.1', port: server.address().port }
}

/** @returns {Buffer} a random peer id of ours */
export function peerId() {
  return Buffer.concat([Buffer.from('-PN0100-'), randomBytes(12)])
}

/**
 * Both ways to connect wires. `dial()` gives a wire to a peer, `listen()` says where peers can connect: each of
 * their wires is given to `onwire`. All ends with the test.
 */
export const TRANSPORTS = {
  stream: {
    dial: (t, { host, port, localAddress }, options) =>
      wireOver(t, net.connect({ host, port, localAddress }), options),
    listen: (t, options, onwire) => listen(t, (socket) => onwire(wireOver(t, socket, options)))
  },
  native: {
    dial(t, { host, port, localAddress }, options) {
      const wire = pwp.connect({ host, port, localAddress, ...options })
      t.teardown(() => wire.destroy())
      return wire
    },
    async listen(t, options, onwire) {
      const server = pwp.createServer(options, (wire) => {
        t.teardown(() => wire.destroy())
        onwire(wire)
      })
      t.teardown(() => server.close())
      await once(server.listen(0, '127.0.0.1'), 'listening')
      return { host: '127.0.0.1', port: server.address().port }
    }
  }
}
