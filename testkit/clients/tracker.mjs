// A tracker that returns one peer or none to every client, and torrents and magnet links that name it.
import { once } from 'node:events'
import http from 'node:http'
import bencode from 'bencode'

const INTERVAL = 60 // s

/**
 * @param {import('ava').ExecutionContext} t the tracker is closed at the end of this test
 * @param {{host: string, port: number}} [peer] an IPv4 address
 * @returns {Promise<string>} URL of the tracker
 */
export async function startTracker(t, peer) {
  const peers = peer ? compact(peer) : Buffer.alloc(0)
  const answer = bencode.encode({ interval: INTERVAL, complete: 1, incomplete: 1, peers })
  const server = http.createServer((request, response) => response.end(answer))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  // libtorrent ignores a loopback tracker with any other path.
  return `http://127.0.0.1:${server.address().port}/announce`
}

const compact = ({ host, port }) =>
  Buffer.from([...host.split('.').map(Number), port >> 8, port & 0xff])

/**
 * @param {Buffer} torrent without trackers
 * @param {string} url
 * @returns {Buffer} the same torrent with this tracker
 */
export function withTracker(torrent, url) {
  // Not decoded: keys of version 2 are hashes, which are no text. No key of a torrent comes before 'announce'.
  return Buffer.concat([Buffer.from(`d8:announce${url.length}:${url}`), torrent.subarray(1)])
}

/**
 * @param {string} magnet
 * @param {string} url
 * @returns {string} the same link with this tracker
 */
export const linkWithTracker = (magnet, url) => `${magnet}&tr=${encodeURIComponent(url)}`
