// Real clients with each other, without us: what the launcher makes them do, so that a failure with our wire
// is one of our wire.
import path from 'node:path'
import { clients } from '../testkit/clients/index.mjs'
import { hashesOf, magnetOf, makeV2Torrent } from '../testkit/clients/torrents.mjs'
import { hashFiles, makeTorrent } from '../testkit/files.mjs'
import { makeTransfer, testWith } from './helpers/clients.mjs'

const VERSIONS = {
  1: (t, source) => makeTorrent(source),
  2: (t, source) => makeV2Torrent(t, source),
  hybrid: (t, source) => makeV2Torrent(t, source, { isHybrid: true })
}

for (const [name, client] of Object.entries(clients)) {
  const versions = client.can.v2 ? Object.keys(VERSIONS) : ['1']

  for (const version of client.can.magnet ? versions : []) {
    const title = `${name} downloads version ${version} by magnet from libtorrent`
    testWith(name, 'libtorrent')(title, async (t) => {
      const make = (source) => VERSIONS[version](t, source)
      const { torrent, data, copy } = await makeTransfer(t, 'a folder', make)
      const magnet = magnetOf(hashesOf(torrent))
      const leecher = await meet(t, client, {
        seed: { torrent, folder: data },
        leech: { torrent, magnet, folder: copy }
      })
      await leecher.done
      t.is(await leecher.stop(), 0)
      // rTorrent leaves a file with the metadata.
      const [copied, original] = [copy, data].map((folder) => path.join(folder, 'source'))
      t.deepEqual(await hashFiles(copied), await hashFiles(original))
    })
  }
}

/** Starts both; the one that cannot connect first. */
async function meet(t, client, { seed, leech }) {
  const { libtorrent } = clients
  if (client.can.dial) {
    const seeder = await libtorrent.seed(t, seed)
    return client.leech(t, { ...leech, peer: seeder })
  }
  const leecher = await client.leech(t, leech)
  await libtorrent.seed(t, { ...seed, peer: leecher })
  return leecher
}
