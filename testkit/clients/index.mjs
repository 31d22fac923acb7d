// The real clients that tests talk to, all started in the same way, and which of them there are.
import { aria2 } from './aria2.mjs'
import { deluge } from './deluge.mjs'
import { libtorrent } from './libtorrent.mjs'
import { qbittorrent } from './qbittorrent.mjs'
import { rtorrent } from './rtorrent.mjs'
import { transmission } from './transmission.mjs'

/**
 * A client on 127.0.0.1 without discovery and encryption. It is killed at the end of the test.
 *
 * @typedef {object} Client
 * @property {string[]} packages that hold it in Debian
 * @property {boolean} dials whether it connects to the peer that it is told; else the peer connects
 * @property {boolean} [triesEncryption] whether its first connection to a peer may be encrypted;
 *   where that fails it connects in clear text
 * @property {boolean} [isIdle] whether a transfer takes long without work for the machine
 * @property {() => string | undefined} version nothing if it is not installed
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
 */

/**
 * @typedef {object} Running
 * @property {string} host
 * @property {number} port
 * @property {() => Promise<number | string>} stop asks it to end, and gives its exit code
 */

/** @type {Record<string, Client>} */
export const clients = { aria2, deluge, libtorrent, qbittorrent, rtorrent, transmission }

/**
 * With the environment variable PWP_REQUIRE_CLIENTS, tests fail where a client is missing: with
 * '1' for transmission, with 'all' for every one, or with the names of some.
 *
 * @param {string} name
 * @returns {boolean} whether tests with this client are to be run
 */
export function available(name) {
  return isRequired(name) || clients[name].version() !== undefined
}

function isRequired(name) {
  const required = process.env.PWP_REQUIRE_CLIENTS ?? ''
  if (required === '1') return name === 'transmission'
  return required === 'all' || required.split(',').includes(name)
}
