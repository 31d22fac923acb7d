// Row about many loopback connections by native sockets, with blocks both ways.
import assert from 'node:assert/strict'
import { BLOCK_LEN, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { inTurn, loopStopwatch, stopwatch } from '../drive.mjs'
import { LAP_METRICS } from '../laps.mjs'
import { BARE } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { connect, FEW_OUTSTANDING, giveBlocks, takeBlocks, tapesOf } from './blocks.mjs'
import { open, PIECE_BLOCKS, sidesOf, takePieces, tapeWholePieces } from './native-wires.mjs'
import { exchangeFrames } from './tcp-bare.mjs'

const ways = {
  original: { side: 'original', take: takeBlocks },
  piped: { side: 'ours', take: takeBlocks },
  native: { side: 'ours', isNative: true, take: takeBlocks },
  'native, pieces, reused memory': {
    side: 'ours',
    isNative: true,
    isWhole: true,
    // One at a time: two would be all there is.
    take: (wire, task) => takePieces(wire, { ...task, ahead: 1, reuses: true, isChecked: false })
  },
  [BARE]: { side: BARE }
}

export const rows = [
  {
    name: 'native, 200 connections, 100 MB each way',
    metrics: LAP_METRICS,
    ways: sidesOf(ways),
    fresh: true,
    rounds: 7,
    warmups: 1,
    // Quick samples are compared byte by byte themselves.
    quickWarmups: 0,
    async prepare({ library, way, quick }) {
      const tapes = tapesOf(library)
      if (ways[way].isWhole) tapes.pieces = tapeWholePieces()
      const task = { connections: quick ? 20 : 200, count: 2 * PIECE_BLOCKS }
      return {
        peer: await startPeer('exchange'),
        tapes,
        task: { ...task, outstanding: FEW_OUTSTANDING },
        times: quick ? 3 : 9
      }
    },
    async run(context, { times, ...state }) {
      const exchanges = await inTurn(Array(times), () => exchange(context, state))
      return { values: valuesOf(exchanges, state.task), exchanges }
    },
    check({ exchanges }, { task: { connections, count } }) {
      const expected = { count, wrong: 0 }
      const total = connections * count
      for (const { outcomes, report } of exchanges) {
        for (const { taken, given } of outcomes) {
          assert.deepEqual(taken, expected, 'blocks that a connection took')
          assert.deepEqual(given, expected, 'blocks that a connection gave')
        }
        assert.deepEqual(report, { taken: total, given: total, wrong: 0 }, 'blocks of the far end')
      }
    }
  }
]

/** Cold is the first exchange, warm the mean of the later half; in ms per GB. */
function valuesOf(exchanges, { connections, count }) {
  const gigabytes = (2 * connections * count * BLOCK_LEN) / 1e9
  const later = exchanges.slice(Math.ceil(exchanges.length / 2))
  const [cold, warm] = [exchanges.slice(0, 1), later].map((part) => ({
    all: (mean(part.map(({ seconds }) => seconds)) * 1000) / gigabytes,
    loop: (mean(part.map(({ loopSeconds }) => loopSeconds)) * 1000) / gigabytes
  }))
  return { cold: cold.all, coldLoop: cold.loop, warm: warm.all, warmLoop: warm.loop }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Runs all connections at once. The clocks run until the far end has its blocks too. */
async function exchange({ library, way, quick, warmup }, { peer, tapes, task }) {
  const { report } = await peer.begin(task)
  const clocks = [stopwatch(), loopStopwatch()]
  const connections = Array.from({ length: task.connections }, () =>
    library.create ? openExchange(ways[way], library, peer.port) : openBareExchange(peer.port)
  )
  const outcomes = await Promise.all(
    connections.map(({ act }) => act({ ...task, ...tapes, compare: warmup || quick }))
  )
  const result = await report
  const [seconds, loopSeconds] = clocks.map((clock) => clock())
  for (const { close } of connections) close()
  return { seconds, loopSeconds, outcomes, report: result }
}

function openBareExchange(port) {
  const socket = connect(port)
  return { act: (task) => exchangeFrames(socket, task), close: () => socket.destroy() }
}

function openExchange({ take, isNative = false }, library, port) {
  const { wire, close } = open(library, port, isNative)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
  wire.unchoke()
  return { act, close }

  /** Settles when all blocks are received; `given` may still grow. */
  async function act(task) {
    const given = giveBlocks(wire, task)
    return { taken: await take(wire, task), given }
  }
}
