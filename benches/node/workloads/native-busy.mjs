// Row about a download by a program that keeps its event loop busy: how much arrives in wall-clock time.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { BLOCK_LEN } from '../../../testkit/frames.mjs'
import { startPeer } from '../peers/serve.mjs'
import { OUTSTANDING, takeBlocks, tapesOf } from './blocks.mjs'
import { open, showInterest, sidesOf, takePieces, tapeWholePieces } from './native-wires.mjs'

/** Ms of each burst, and of the time between two. */
const [BURST, REST] = [500, 20]
/** Requests that libtorrent keeps of a peer. */
const MANY_OUTSTANDING = 500
/** Pieces in the queue: 256 MiB, more than arrives in a burst. */
const AHEAD = 1024

const ways = {
  original: { side: 'original', outstanding: OUTSTANDING },
  'original, 500 open': { side: 'original', outstanding: MANY_OUTSTANDING },
  piped: { side: 'ours', outstanding: OUTSTANDING },
  native: { side: 'ours', isNative: true, outstanding: OUTSTANDING },
  'native, pieces with SHA-1': { side: 'ours', isNative: true, isWhole: true }
}

export const rows = [
  {
    name: 'native download, event loop busy',
    metrics: [{ key: 'rate', unit: 'MB/s', isRate: true }],
    ways: sidesOf(ways),
    isSpread: true,
    fresh: true,
    rounds: 3,
    warmups: 0,
    async prepare({ library, way, quick }) {
      const { isWhole = false } = ways[way]
      return {
        peer: await startPeer(isWhole ? 'pieces' : 'stream'),
        tapes: isWhole ? { pieces: tapeWholePieces() } : tapesOf(library),
        bursts: quick ? 1 : 8
      }
    },
    run,
    check({ outcome, report }) {
      assert.ok(outcome.count > 0, 'blocks arrive')
      assert.equal(outcome.wrong, 0, 'wrong blocks')
      assert.equal(report.wrong, 0, 'requests the peer found wrong')
    }
  }
]

async function run({ library, way }, { peer, tapes, bursts }) {
  const { isNative = false, isWhole = false, outstanding } = ways[way]
  const { report } = await peer.begin({ role: 'feeder', count: Number.MAX_SAFE_INTEGER })
  const { wire, close } = open(library, peer.port, isNative)
  showInterest(wire)
  const outcome = { count: 0, wrong: 0 }
  const task = { ...tapes, count: Infinity, compare: false, outcome }
  const taken = isWhole
    ? takePieces(wire, { ...task, ahead: AHEAD, reuses: false })
    : takeBlocks(wire, { ...task, outstanding })
  // The connection is closed in the middle of it.
  const ended = taken.catch(() => {})
  await once(wire, 'unchoke')
  const start = performance.now()
  for (let burst = 0; burst < bursts; burst++) {
    compute(BURST)
    // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
    await sleep(REST)
  }
  const seconds = (performance.now() - start) / 1000
  const values = { rate: (outcome.count * BLOCK_LEN) / 1e6 / seconds }
  const { count, wrong } = outcome
  close()
  await ended
  return { values, outcome: { count, wrong }, report: await report }
}

function compute(milliseconds) {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}
