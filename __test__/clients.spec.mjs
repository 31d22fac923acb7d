// The examples against real clients: each client seeds to us, and downloads from us.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import ava from 'ava'
import bencode from 'bencode'
import { clients, reasonToSkip } from '../testkit/clients/index.mjs'
import {
  hashFiles,
  infoHashOf,
  makeTorrent,
  temporaryFolder,
  writeFiles,
  writeManyFiles
} from '../testkit/files.mjs'
import { startScript } from './helpers/scripts.mjs'

const SHAPES = {
  'a file': (folder) => writeFiles(folder, { source: 2_500_001 }),
  'a folder': (folder) => writeManyFiles(path.join(folder, 'source'))
}

/** What seed.js says of the connection that had the blocks, once it is closed: without an error. */
const UPLOADED = /^A peer left after ([1-9]\d*) bytes: no error$/m

for (const [name, client] of Object.entries(clients)) {
  const reason = reasonToSkip(name)
  const suffix = reason === null ? '' : ` (skipped: ${reason})`
  // All at once would be too many processes for a small machine, but some mostly wait.
  const test = client.isIdle ? ava : ava.serial
  const withClient = reason === null ? test : test.skip

  for (const shape of Object.keys(SHAPES)) {
    withClient(`leech.js downloads ${shape} from ${name}${suffix}`, async (t) => {
      const { torrent, torrentPath, data, copy } = await setUp(t, client, shape)
      const seeder = await client.seed(t, { torrent, folder: data })

      const args = [torrentPath, `${seeder.host}:${seeder.port}`, copy]
      const leech = startScript(t, 'examples/leech.js', args)

      t.is(await leech.ended, 0, leech.output)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
      t.is(await seeder.stop(), 0)
    })

    withClient(`${name} downloads ${shape} from seed.js${suffix}`, async (t) => {
      const { torrent, torrentPath, data, copy } = await setUp(t, client, shape)
      const join = client.dials ? letClientConnect : connectToClient
      const { seed, leecher } = await join(t, client, { torrent, torrentPath, data, copy })
      await Promise.race([leecher.done, seed.ended])

      t.is(await leecher.stop(), 0)
      t.deepEqual(await hashFiles(copy), await hashFiles(data), seed.output)
      const [, uploaded] = await seed.printed(UPLOADED)
      t.true(Number(uploaded) >= torrentLength(torrent), seed.output)
      seed.interrupt()
      t.is(await seed.ended, 'SIGINT', seed.output)
    })
  }
}

const transmission = reasonToSkip('transmission') === null ? ava : ava.skip

transmission('inspect.js says what transmission says of itself', async (t) => {
  const { torrent, data } = await setUp(t, clients.transmission, 'a file')
  const seeder = await clients.transmission.seed(t, { torrent, folder: data })
  const args = [`${seeder.host}:${seeder.port}`, infoHashOf(torrent).toString('hex')]
  const inspection = startScript(t, 'examples/inspect.js', args)

  t.is(await inspection.ended, 0, inspection.output)
  t.regex(inspection.output, /^peer id .*'-TR/m)
  t.regex(inspection.output, /^client +'Transmission \d/m)
  t.regex(inspection.output, /^violation +-$/m)
  t.is(await seeder.stop(), 0)
})

async function letClientConnect(t, client, { torrent, torrentPath, data, copy }) {
  const seed = startScript(t, 'examples/seed.js', [torrentPath, '--data', data])
  const [, port] = await seed.printed(/ at 127\.0\.0\.1:(\d+)/)
  const peer = { host: '127.0.0.1', port: Number(port) }
  return { seed, leecher: await client.leech(t, { torrent, folder: copy, peer }) }
}

async function connectToClient(t, client, { torrent, torrentPath, data, copy }) {
  const leecher = await client.leech(t, { torrent, folder: copy })
  const args = [torrentPath, '--data', data, '--connect', `${leecher.host}:${leecher.port}`]
  return { seed: startScript(t, 'examples/seed.js', args), leecher }
}

async function setUp(t, client, shape) {
  t.log(client.version() ?? `install ${client.packages.join(', ')}`)
  const folder = await temporaryFolder(t)
  const data = path.join(folder, 'data')
  const copy = path.join(folder, 'copy')
  await mkdir(data)
  await mkdir(copy)
  await SHAPES[shape](data)
  const torrent = await makeTorrent(path.join(data, 'source'))
  const torrentPath = path.join(folder, 'source.torrent')
  await writeFile(torrentPath, torrent)
  return { torrent, torrentPath, data, copy }
}

function torrentLength(torrent) {
  const { info } = bencode.decode(torrent)
  return info.length ?? info.files.reduce((sum, { length }) => sum + length, 0)
}
