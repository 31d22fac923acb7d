// The examples against real clients: each client seeds to us, and downloads from us.
import { mkdir, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import path from 'node:path'
import ava from 'ava'
import bencode from 'bencode'
import { available, clients } from '../testkit/clients/index.mjs'
import {
  hashFiles,
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

for (const [name, client] of Object.entries(clients)) {
  const isRun = available(name)
  const suffix = isRun ? '' : ` (skipped: ${client.packages.join(', ')} is not installed)`
  // All at once would be too many processes for a small machine, but some mostly wait.
  const test = client.isIdle ? ava : ava.serial
  const withClient = isRun ? test : test.skip

  for (const shape of Object.keys(SHAPES)) {
    withClient(`leech.js downloads ${shape} from ${name}${suffix}`, async (t) => {
      const { torrent, torrentPath, data, copy } = await setUp(t, client, shape)
      const seeder = await client.seed(t, { torrent, folder: data })

      const args = [torrentPath, `${seeder.host}:${seeder.port}`, '--out', copy]
      const leech = startScript(t, 'leech.js', args)

      t.is(await leech.ended, 0, leech.output)
      t.deepEqual(await hashFiles(copy), await hashFiles(data))
      t.is(await seeder.stop(), 0)
    })

    withClient(`${name} downloads ${shape} from seed.js${suffix}`, async (t) => {
      const { torrent, torrentPath, data, copy } = await setUp(t, client, shape)
      const join = client.dials ? letClientConnect : connectToClient
      const { seed, left, leecher } = await join(t, client, { torrent, torrentPath, data, copy })
      await Promise.race([leecher.done, seed.ended])

      t.is(await leecher.stop(), 0)
      t.deepEqual(await hashFiles(copy), await hashFiles(data), seed.output)
      t.true((await left).uploaded >= torrentLength(torrent))
      seed.interrupt()
      t.is(await seed.ended, 128 + constants.signals.SIGINT, seed.output)
    })
  }
}

async function letClientConnect(t, client, { torrent, torrentPath, data, copy }) {
  const seed = startScript(t, 'seed.js', [torrentPath, '--data', data])
  const { port } = await seed.report('listening')
  const left = reportOfUpload(t, client, seed)
  const peer = { host: '127.0.0.1', port }
  return { seed, left, leecher: await client.leech(t, { torrent, folder: copy, peer }) }
}

async function connectToClient(t, client, { torrent, torrentPath, data, copy }) {
  const leecher = await client.leech(t, { torrent, folder: copy })
  const args = [torrentPath, '--data', data, '--connect', `${leecher.host}:${leecher.port}`]
  const seed = startScript(t, 'seed.js', args)
  return { seed, left: reportOfUpload(t, client, seed), leecher }
}

/** What seed.js says of the connection over which it uploaded, once that is closed. */
async function reportOfUpload(t, client, seed) {
  const left = await seed.report('left')
  const isRefused = left.uploaded === 0 && client.triesEncryption
  if (isRefused) return reportOfUpload(t, client, seed)
  t.is(left.error, undefined)
  return left
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
