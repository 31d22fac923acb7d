// Prepares what every client needs to start: a folder for its state, ports, the torrent as a file.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { temporaryFolder } from '../files.mjs'
import { freePorts } from './ports.mjs'
import { startTracker, withTracker } from './tracker.mjs'

/**
 * @param {import('ava').ExecutionContext} t
 * @param {object} transfer
 * @param {Buffer} transfer.torrent
 * @param {{host: string, port: number}} [transfer.peer] announced by the tracker of the torrent
 * @returns {Promise<{state: string, port: number, rpcPort: number, torrent: Buffer,
 *   torrentPath: string}>} `state` is a folder with only the torrent in it
 */
export async function prepare(t, { torrent, peer }) {
  const state = await temporaryFolder(t)
  const [port, rpcPort] = await freePorts(2)
  const torrentPath = path.join(state, 'of-test.torrent')
  // rtorrent refuses a torrent without a tracker.
  const announced = withTracker(torrent, await startTracker(t, peer))
  await writeFile(torrentPath, announced)
  return { state, port, rpcPort, torrent: announced, torrentPath }
}
