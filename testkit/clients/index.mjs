// The real clients that tests talk to, all started in the same way, and which of them are installed.
import { aria2 } from './aria2.mjs'
import { deluge } from './deluge.mjs'
import { libtorrent } from './libtorrent.mjs'
import { qbittorrent } from './qbittorrent.mjs'
import { rtorrent } from './rtorrent.mjs'
import { transmission } from './transmission.mjs'

/**
 * A client on 127.0.0.1 without discovery, killed at the end of the test.
 *
 * @typedef {object} Client
 * @property {string[]} packages of Debian that provide it
 * @property {Abilities} can
 * @property {boolean} [isIdle] whether a transfer takes long while the machine is idle
 * @property {() => string | undefined} version undefined if it is not installed
 * @property {(t: import('ava').ExecutionContext, transfer: Transfer) => Promise<Running>} seed
 *   settles when it has checked the data in the folder and listens
 * @property {(t: import('ava').ExecutionContext, transfer: Transfer) =>
 *   Promise<Running & {done: Promise<unknown>}>} leech
 *   settles when it listens, and `done` when it has all pieces
 */

/**
 * What not every client can. A client is only given transfers that it can do.
 *
 * @typedef {object} Abilities
 * @property {boolean} [dial] connect to the peer it is given; else the peer connects
 * @property {('off' | 'prefer' | 'require')[]} encryption settings that it has. Where 'off' is not among
 *   them, it takes part in exchanges all the same
 * @property {boolean} [magnet] leech from a magnet link
 * @property {boolean} [pex] exchange peers
 * @property {boolean} [v2] torrents of version 2 and hybrid ones
 */

/**
 * @typedef {object} Transfer
 * @property {Buffer} torrent without trackers
 * @property {string} folder holds the file or folder that the torrent names, or will hold it
 * @property {string} [magnet] without trackers; given to a leecher in place of the torrent
 * @property {boolean} [pex] whether it exchanges peers; otherwise it does not
 * @property {'off' | 'prefer' | 'require'} [encryption] of the client; 'off' by default
 * @property {{host: string, port: number}} [peer] to connect to, by a client that dials
 */

/**
 * @typedef {object} Running
 * @property {string} host
 * @property {number} port
 * @property {() => Promise<number | string>} stop asks it to exit, and returns its exit code
 */

/** @type {Record<string, Client>} */
export const clients = { aria2, deluge, libtorrent, qbittorrent, rtorrent, transmission }

/** @returns {boolean} whether all clients are required, as in the nightly run, which may take its time */
export const runsAll = () => process.env.PWP_REQUIRE_CLIENTS === 'all'

/**
 * The environment variable PWP_REQUIRE_CLIENTS selects clients by name, separated by commas, or 'all';
 * tests then fail if one of these is missing. Without it, tests run with the installed clients.
 *
 * @param {string} name
 * @returns {string | null} why tests with this client are skipped; null if they run
 */
export function reasonToSkip(name) {
  const required = process.env.PWP_REQUIRE_CLIENTS
  const isChosen = runsAll() || required?.split(',').includes(name)
  if (required) return isChosen ? null : 'not named in PWP_REQUIRE_CLIENTS'
  const { packages, version } = clients[name]
  return version() === undefined ? `${packages.join(', ')} is not installed` : null
}
