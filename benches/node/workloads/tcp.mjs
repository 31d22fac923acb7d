// Rows about one long loopback connection: `socket.pipe(wire).pipe(socket)` next to a bare socket, in
// a fresh process.
import assert from 'node:assert/strict'
import { stopwatch } from '../drive.mjs'
import { BLOCK_LEN, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { BARE, libraryNames } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { connect, giveBlocks, join, OUTSTANDING, takeBlocks, tapesOf } from './blocks.mjs'
import { answerFrames, askFrames } from './tcp-bare.mjs'

const GIB = 1024 ** 3
/** Cold is the first eighth, 256 MiB; warm is the second half. */
const [COLD, WARM] = [1 / 8, 1 / 2]

export const rows = [
  tcpRow('TCP download over loopback', { role: 'feeder', viaWire: download, bare: askFrames }),
  tcpRow('TCP upload over loopback', { role: 'asker', viaWire: upload, bare: answerFrames })
]

function tcpRow(name, { role, viaWire, bare }) {
  return {
    name,
    metrics: [
      { key: 'cold', part: 'cold', unit: 'ms/GB' },
      { key: 'warm', part: 'warm', unit: 'ms/GB' }
    ],
    sides: [...libraryNames, BARE],
    fresh: true,
    rounds: 7,
    warmups: 1,
    async prepare({ library, quick }) {
      const count = (quick ? GIB / 16 : 2 * GIB) / BLOCK_LEN
      return { peer: await startPeer('stream'), tapes: tapesOf(library), count }
    },
    run: (context, state) => transfer(context, state, { role, viaWire, bare }),
    check({ outcome, report, count }) {
      assert.equal(report.wrong, 0, 'frames the peer found wrong')
      assert.equal(report.bytes, report.expected, 'bytes the peer got')
      assert.deepEqual(outcome, { count, wrong: 0 }, 'blocks')
    }
  }
}

/** Runs one connection. The clock runs from before it is made until the last block has arrived. */
async function transfer({ library, warmup }, state, { role, viaWire, bare }) {
  const count = warmup ? state.count / 8 : state.count
  const { report } = await state.peer.begin({ role, count, compare: warmup })
  const laps = lapsOf(count)
  const socket = connect(state.peer.port)
  const act = library.create ? viaWire : bare
  const task = { count, outstanding: OUTSTANDING, ...state.tapes, compare: warmup }
  const outcome = await act(socket, { ...task, library, onCount: laps.onCount, finished: report })
  const values = laps.end()
  socket.destroy()
  return { values, outcome, report: await report, count }
}

/** Measures the parts of a transfer, in ms per GB. */
function lapsOf(count) {
  const ends = [count * COLD, count * WARM]
  const seconds = []
  const elapsed = stopwatch()
  return {
    /** Called with the number of blocks transferred so far, possibly not for each one. */
    onCount(blocks) {
      if (blocks >= ends[seconds.length]) seconds.push(elapsed())
    },
    end() {
      const [cold, half] = seconds
      return { cold: perGB(cold, ends[0]), warm: perGB(elapsed() - half, count - ends[1]) }
    }
  }
}

function perGB(seconds, blocks) {
  return (seconds * 1000) / ((blocks * BLOCK_LEN) / 1e9)
}

function download(socket, { library, ...task }) {
  const wire = library.create()
  join(socket, wire)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
  return takeBlocks(wire, task)
}

/** Settles when the peer has received the last block. */
async function upload(socket, { library, finished, ...task }) {
  const wire = library.create()
  wire.on('handshake', () => {
    wire.handshake(INFO_HASH, PEER_ID)
    wire.unchoke()
  })
  const outcome = giveBlocks(wire, task)
  join(socket, wire)
  await finished
  return outcome
}
