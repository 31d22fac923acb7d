// The real clients that tests talk to, all started in the same way, and which of them are installed.
import { aria2 } from './aria2.mjs'
import { deluge } from './deluge.mjs'
import { libtorrent } from './libtorrent.mjs'
import { qbittorrent } from './qbittorrent.mjs'
import { rtorrent } from './rtorrent.mjs'
import { transmission } from './transmission.mjs'

/**
 * A client on 127.0.0.1 without discovery or encryption, killed at the end of the test.
 *
 * @typedef {object} Client
 * @property {string[]} packages of Debian that provide it
 * @property {boolean} dials whether it connects to the peer it is given; else the peer connects
 * @property {boolean} [isIdle] whether a transfer takes long while the machine is idle
 * @property {() => string | undefined} version undefined if it is not installed
 * @property {(t: import('ava').ExecutionContext, transfer: Transfer) => Promise<Running>} seed
 *   settles when it has checked the data in the folder and listens
 * @property {(t: import('ava').ExecutionContext, transfer: Transfer) =>
 *   Promise<Running & {done: Promise<unknown>}>} leech
 *   settles when it listens, and `done` when it has all pieces
 */

/**
 * @typedef {object} Transfer
 * @property {Buffer} torrent without trackers
 * @property {string} folder holds the file or folder that the torrent names, or will hold it
 * @property {{host: string, port: number}} [peer] from which to download
 * @property {boolean} [pex] whether the client exchanges peers; only libtorrent does
 */

/**
 * @typedef {object} Running
 * @property {string} host
 * @property {number} port
 * @property {() => Promise<number | string>} stop asks it to exit, and returns its exit code
 */

/** @type {Record<string, Client>} */
export const clients = { aria2, deluge, libtorrent, qbittorrent, rtorrent, transmission }

/**
 * The environment variable PWP_REQUIRE_CLIENTS selects clients by name, separated by commas, or 'all';
 * tests then fail if one of these is missing. Without it, tests run with the installed clients.
 *
 * @param {string} name
 * @returns {string | null} why tests with this client are skipped; null if they run
 */
export function reasonToSkip(name) {
  const required = process.env.PWP_REQUIRE_CLIENTS
  const isChosen = required === 'all' || required?.split(',').includes(name)
  if (required) return isChosen ? null : 'not named in PWP_REQUIRE_CLIENTS'
  const { packages, version } = clients[name]
  return version() === undefined ? `${packages.join(', ')} is not installed` : null
}
