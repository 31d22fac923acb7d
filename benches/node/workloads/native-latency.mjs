// Row about a lone message: how long it takes to come back when nothing else is going on. Wall-clock time, so it says
// something only on a machine that is idle.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { HANDSHAKE_LEN, handshake, have, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { inTurn } from '../drive.mjs'
import { BARE } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { summary } from '../statistics.mjs'
import { connect } from './blocks.mjs'
import { open } from './native-wires.mjs'

/** Time for all threads to fall asleep, in ms. */
const PAUSE = 3
/** Trips that do not count, at the start. */
const UNCOUNTED = 20

const HAVE_LEN = have(0).length

export const rows = [
  {
    name: 'native, lone message there and back',
    metrics: [{ key: 'time', unit: 'us' }],
    ways: { original: 'original', piped: 'ours', native: 'ours', [BARE]: BARE },
    isSpread: true,
    fresh: true,
    rounds: 7,
    warmups: 0,
    async prepare({ quick }) {
      return { peer: await startPeer('echo'), count: quick ? 40 : 400 }
    },
    async run({ library, way }, { peer, count }) {
      const { report } = await peer.begin({})
      const connection = library.create ? speak(library, way, peer.port) : speakBare(peer.port)
      await connection.ready
      const trips = await inTurn(Array(UNCOUNTED + count).keys(), (n) => trip(connection, n))
      connection.close()
      const { median } = summary(trips.slice(UNCOUNTED))
      return { values: { time: median }, report: await report }
    },
    check({ report }, { count }) {
      assert.equal(report.bytes, (UNCOUNTED + count) * HAVE_LEN, 'bytes the peer got')
    }
  }
]

/** @returns {Promise<number>} in microseconds */
async function trip({ send, back }, n) {
  await sleep(PAUSE)
  const answer = back()
  const start = performance.now()
  send(n)
  assert.equal(await answer, n, 'message that came back')
  return (performance.now() - start) * 1000
}

function speak(library, way, port) {
  const { wire, close } = open(library, port, way === 'native')
  wire.handshake(INFO_HASH, PEER_ID)
  return {
    ready: once(wire, 'handshake'),
    close,
    send: (n) => wire.have(n),
    back: () => new Promise((resolve) => wire.once('have', resolve))
  }
}

function speakBare(port) {
  const socket = connect(port)
  socket.setNoDelay(true)
  socket.write(handshake())
  return {
    ready: arrival(socket, HANDSHAKE_LEN),
    close: () => socket.destroy(),
    send: (n) => socket.write(have(n)),
    back: async () => (await arrival(socket, HAVE_LEN)).readUInt32BE(HAVE_LEN - 4)
  }
}

/** Settles with as many bytes. */
function arrival(socket, length) {
  const chunks = []
  let bytes = 0
  return new Promise((resolve) => {
    const take = (chunk) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes < length) return
      socket.off('data', take)
      resolve(Buffer.concat(chunks))
    }
    socket.on('data', take)
  })
}
