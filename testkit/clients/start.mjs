// What all clients have in common: what they need to start, and how they seed and leech.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { infoHashOf, temporaryFolder } from '../files.mjs'
import { answersHandshake } from './handshake.mjs'
import { freePorts } from './ports.mjs'
import { linkWithTracker, startTracker, withTracker } from './tracker.mjs'

/**
 * @param {import('ava').ExecutionContext} t
 * @param {object} transfer
 * @param {Buffer} transfer.torrent
 * @param {string} [transfer.magnet]
 * @param {{host: string, port: number}} [transfer.peer] announced by the tracker
 * @returns {Promise<{state: string, port: number, rpcPort: number, source: string}>} `source` is what
 *   the client adds: the magnet link, or the path of the torrent. `state` is an empty folder but for that.
 */
export async function prepare(t, { torrent, magnet, peer }) {
  const state = await temporaryFolder(t)
  const [port, rpcPort] = await freePorts(2)
  const tracker = await startTracker(t, peer)
  if (magnet) return { state, port, rpcPort, source: linkWithTracker(magnet, tracker) }
  const source = path.join(state, 'of-test.torrent')
  // rtorrent refuses a torrent without a tracker.
  await writeFile(source, withTracker(torrent, tracker))
  return { state, port, rpcPort, source }
}

/**
 * Makes a client of how it is started, and of when it accepts peers: by default a seeder once it
 * listens, and a leecher to which we connect once it answers.
 *
 * @param {object} how
 * @param {(t: import('ava').ExecutionContext, transfer: object) => Promise<Started>} how.start
 * @param {(started: Started, transfer: object) => Promise<unknown>} [how.whenSeeding]
 * @param {(started: Started, transfer: object) => Promise<unknown>} [how.whenLeeching]
 * @returns {import('./index.mjs').Client} with the other properties of `how`
 *
 * @typedef {{program: object, port: number, isComplete: () => unknown}} Started `isComplete`: whether
 *   it has all pieces and seeds
 */
export function clientOf({ start, whenSeeding = listens, whenLeeching = takesPeers, ...facts }) {
  return {
    ...facts,

    async seed(t, transfer) {
      const started = await start(t, transfer)
      await started.program.until('seeds', started.isComplete)
      await whenSeeding(started, transfer)
      return running(started)
    },

    async leech(t, transfer) {
      const started = await start(t, transfer)
      await whenLeeching(started, transfer)
      const done = started.program.until('has all pieces', started.isComplete)
      done.catch(() => {}) // not every test waits for it
      return { ...running(started), done }
    }
  }
}

const listens = ({ program, port }) => program.listens(port)

const takesPeers = (started, transfer) =>
  transfer.peer ? listens(started) : answers(started, transfer)

/** Settles when it answers handshakes for the torrent: some listen before they know it. */
export function answers({ program, port }, { torrent, encryption }) {
  const options = { encrypted: encryption === 'require' }
  return program.until('answers peers', () => answersHandshake(port, infoHashOf(torrent), options))
}

const running = ({ program, port }) => ({ host: '127.0.0.1', port, stop: () => program.stop() })
