// Row about the memory of an idle connection with its wire, on a net.Socket and on a native one.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { handshake, HANDSHAKE_LEN, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { BARE } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { connect } from './blocks.mjs'
import { open } from './native-wires.mjs'

/** Connections made before the first reading, so that what a process makes once does not count. */
const UNCOUNTED = 20

export const rows = [
  {
    name: 'native, idle connection',
    metrics: [
      { key: 'rss', part: 'RSS', unit: 'KiB' },
      { key: 'heap', part: 'heap and external', unit: 'KiB' }
    ],
    ways: { original: 'original', piped: 'ours', native: 'ours', [BARE]: BARE },
    fresh: true,
    rounds: 3,
    warmups: 0,
    async prepare({ quick }) {
      return { peer: await startPeer('greeter'), count: quick ? 200 : 3_000 }
    },
    run,
    check({ handshakes }, { count }) {
      assert.equal(handshakes, count, 'handshakes')
    }
  }
]

async function run({ library, way }, { peer, count }) {
  await peer.begin({ answer: handshake().toString('base64') })
  const make = library.create ? greet : greetBare
  const task = { make, port: peer.port, library, isNative: way === 'native' }
  const first = await hold(UNCOUNTED, task)
  const before = await usage()
  const held = await hold(count, task)
  const after = await usage()
  const each = (key) => (after[key] - before[key]) / 1024 / count
  const handshakes = held.filter(({ isGreeted }) => isGreeted).length
  for (const { close } of [...first, ...held]) close()
  return { handshakes, values: { rss: each('rss'), heap: each('heap') } }
}

/** Collects garbage now and then: the heap would otherwise grow by what making connections leaves behind. */
async function hold(count, { make, port, library, isNative }) {
  const held = []
  while (held.length < count) {
    // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
    held.push(await make(port, library, isNative))
    if (held.length % 100 === 0) global.gc()
  }
  return held
}

/** After all that V8 can give back is given back, which it does by itself in time. */
async function usage() {
  for (let n = 0; n < 3; n++) {
    global.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    // oxlint-disable-next-line no-await-in-loop -- finalizers run between two collections
    await sleep(20)
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heap: heapUsed + external }
}

async function greet(port, library, isNative) {
  const { wire, close } = open(library, port, isNative)
  wire.handshake(INFO_HASH, PEER_ID)
  const [infoHash] = await once(wire, 'handshake')
  return { isGreeted: INFO_HASH.equals(infoHash), close }
}

async function greetBare(port) {
  const socket = connect(port)
  socket.write(handshake())
  const [chunk] = await once(socket, 'data')
  return { isGreeted: chunk.length === HANDSHAKE_LEN, close: () => socket.destroy() }
}
