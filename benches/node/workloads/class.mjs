// Rows about the class in place of that of bittorrent-protocol: those of wires, once more, and one about encrypted
// connections.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { inTurn, loopStopwatch, stopwatch } from '../drive.mjs'
import { INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { BARE, CLASS } from '../libraries.mjs'
import { start } from './agreements.mjs'

/** The two classes, and the side that each is of. */
export const CLASS_WAYS = { 'bittorrent-protocol': 'bittorrent-protocol', ours: CLASS }

/**
 * @param {import('./index.mjs').Row[]} rows
 * @returns {import('./index.mjs').Row[]} the same with both classes
 */
export function rowsOfClass(rows) {
  return rows.map(({ sides = [], ...row }) => ({
    ...row,
    name: `class, ${row.name}`,
    group: 'class',
    ways: { ...CLASS_WAYS, ...(sides.includes(BARE) ? { [BARE]: BARE } : {}) }
  }))
}

/** Both ends are in this process, and each connection is made after the last one. */
export const encryptedRow = {
  name: 'class, encrypted connections, both ends',
  group: 'class',
  metrics: [
    { key: 'rate', unit: 'connections/s', isRate: true },
    { key: 'loop', part: 'event loop', unit: 'us/connection' }
  ],
  ways: CLASS_WAYS,
  prepare({ library, quick }) {
    const count = library.name === CLASS ? 1000 : 20
    return { count: quick ? count / 10 : count }
  },
  async run({ library }, { count }) {
    const [elapsed, loopElapsed] = [stopwatch(), loopStopwatch()]
    const peers = await inTurn(Array(count), () => meet(library))
    const values = { rate: count / elapsed(), loop: (loopElapsed() * 1e6) / count }
    return { values, peers }
  },
  check({ peers }, { count }) {
    const both = { methods: ['rc4', 'rc4'], ids: Array(2).fill(PEER_ID.toString('hex')) }
    assert.equal(peers.length, count)
    for (const peer of peers) assert.deepEqual(peer, both)
  }
}

/** Two wires agree on RC4 and exchange handshakes. */
async function meet({ encrypting }) {
  const ends = ['initiator', 'responder'].map((role) => start(encrypting, role))
  const [a, b] = ends.map(({ wire }) => wire)
  a.pipe(b).pipe(a)
  const met = Promise.all([once(a, 'handshake'), once(b, 'handshake')])
  const methods = await Promise.all(ends.map(({ agreed }) => agreed))
  for (const wire of [a, b]) wire.handshake(INFO_HASH, PEER_ID)
  const handshakes = await met
  for (const wire of [a, b]) wire.destroy()
  return { methods, ids: handshakes.map(([, id]) => id) }
}
