// The examples against a real client: transmission-daemon seeds to us, and downloads from us.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import parseTorrent from 'parse-torrent'
import { hashFiles, makeTorrent, temporaryFolder, writeManyFiles } from '../testkit/files.mjs'
import { startScript } from './helpers/scripts.mjs'
import { isInstalled, startTransmission } from '../testkit/clients/transmission.mjs'

/** With PWP_REQUIRE_CLIENTS=1 the tests fail where the client is missing. */
const isRun = isInstalled() || process.env.PWP_REQUIRE_CLIENTS === '1'
const withTransmission = isRun ? test : test.skip

withTransmission('leech.js downloads from transmission', async (t) => {
  const { folder, source, torrent, torrentPath } = await setUp(t)
  const transmission = await startTransmission(t, folder)
  await transmission.reaches(await transmission.add(torrent, path.dirname(source)), SEEDING)

  const copy = path.join(folder, 'copy')
  const args = [torrentPath, `127.0.0.1:${transmission.peerPort}`, copy]
  const leech = startScript(t, 'examples/leech.js', args)

  t.is(await leech.ended, 0, leech.output)
  t.deepEqual(await hashFiles(path.join(copy, 'source')), await hashFiles(source))
})

withTransmission('transmission downloads from seed.js', async (t) => {
  const { folder, source, torrent, torrentPath } = await setUp(t)
  const copy = path.join(folder, 'copy')
  const transmission = await startTransmission(t, folder)
  const id = await transmission.add(torrent, copy)
  await transmission.reaches(id, DOWNLOADING)

  // Transmission has no command to connect to an address, so the seeder connects to it.
  const address = `127.0.0.1:${transmission.peerPort}`
  const seed = startScript(t, 'examples/seed.js', [torrentPath, '--connect', address])
  await Promise.race([transmission.reaches(id, SEEDING), seed.ended])

  t.deepEqual(await hashFiles(path.join(copy, 'source')), await hashFiles(source), seed.output)
})

withTransmission('inspect.js tells what transmission says of itself', async (t) => {
  const { folder, source, torrent } = await setUp(t)
  const transmission = await startTransmission(t, folder)
  await transmission.reaches(await transmission.add(torrent, path.dirname(source)), SEEDING)
  const { infoHash } = await parseTorrent(torrent)

  const address = `127.0.0.1:${transmission.peerPort}`
  const inspection = startScript(t, 'examples/inspect.js', [address, infoHash])

  t.is(await inspection.ended, 0, inspection.output)
  t.regex(inspection.output, /^peer id .*'-TR/m)
  t.regex(inspection.output, /^client +'Transmission \d/m)
  t.regex(inspection.output, /^violation +-$/m)
})

const DOWNLOADING = 4
const SEEDING = 6

async function setUp(t) {
  const folder = await temporaryFolder(t)
  const source = path.join(folder, 'data', 'source')
  await writeManyFiles(source)
  const torrent = await makeTorrent(source)
  const torrentPath = path.join(folder, 'data', 'source.torrent')
  await writeFile(torrentPath, torrent)
  return { folder, source, torrent, torrentPath }
}
