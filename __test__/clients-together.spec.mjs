// Real clients with each other, without us: what the launcher makes them do, so that a failure with our wire
// is one of our wire.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import ava from 'ava'
import { clients, reasonToSkip } from '../testkit/clients/index.mjs'
import { hashesOf, magnetOf, makeV2Torrent } from '../testkit/clients/torrents.mjs'
import { hashFiles, makeTorrent, temporaryFolder, writeManyFiles } from '../testkit/files.mjs'

const VERSIONS = {
  1: (t, source) => makeTorrent(source),
  2: (t, source) => makeV2Torrent(t, source),
  hybrid: (t, source) => makeV2Torrent(t, source, { isHybrid: true })
}

const { libtorrent } = clients
const libtorrentIsMissing = reasonToSkip('libtorrent')

for (const [name, client] of Object.entries(clients)) {
  const reason = libtorrentIsMissing ?? reasonToSkip(name)
  const suffix = reason === null ? '' : ` (skipped: ${reason})`
  // All at once would be too many processes for a small machine, but some mostly wait.
  const test = client.isIdle ? ava : ava.serial
  const withClient = reason === null ? test : test.skip
  const versions = client.can.v2 ? Object.keys(VERSIONS) : ['1']

  for (const version of client.can.magnet ? versions : []) {
    withClient(
      `${name} downloads version ${version} by magnet from libtorrent${suffix}`,
      async (t) => {
        const { torrent, data, copy } = await setUp(t, version)
        const magnet = magnetOf(hashesOf(torrent))
        const seed = { torrent, folder: data }
        const leech = { torrent, magnet, folder: copy }
        const leecher = await meet(t, client, seed, leech)
        await leecher.done
        t.is(await leecher.stop(), 0)
        t.deepEqual(
          await hashFiles(path.join(copy, 'source')),
          await hashFiles(path.join(data, 'source'))
        )
      }
    )
  }
}

/** Starts both, the one that is connected to first. */
async function meet(t, client, seed, leech) {
  if (client.can.dial) {
    const seeder = await libtorrent.seed(t, seed)
    return client.leech(t, { ...leech, peer: seeder })
  }
  const leecher = await client.leech(t, leech)
  await libtorrent.seed(t, { ...seed, peer: leecher })
  return leecher
}

async function setUp(t, version) {
  const folder = await temporaryFolder(t)
  const data = path.join(folder, 'data')
  const copy = path.join(folder, 'copy')
  await mkdir(copy)
  await writeManyFiles(path.join(data, 'source'))
  return { torrent: await VERSIONS[version](t, path.join(data, 'source')), data, copy }
}
