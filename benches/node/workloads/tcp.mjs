// Rows about one long loopback connection: `socket.pipe(wire).pipe(socket)` next to a bare socket, in
// a fresh process.
import assert from 'node:assert/strict'
import { loopStopwatch, stopwatch } from '../drive.mjs'
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

/** The same with RC4: the difference is what encryption costs. */
export const encryptedRows = [
  encryptedRow('encrypted TCP download over loopback', { role: 'feeder', viaWire: download }),
  encryptedRow('encrypted TCP upload over loopback', { role: 'asker', viaWire: upload })
]

function encryptedRow(name, task) {
  const row = tcpRow(name, { ...task, isEncrypted: true })
  return {
    ...row,
    metrics: [
      { key: 'warm', part: 'warm', unit: 'ms/GB' },
      { key: 'loop', part: 'warm, event loop', unit: 'ms/GB' }
    ],
    sides: ['ours', 'bittorrent-protocol'],
    async prepare(context) {
      const state = await row.prepare(context)
      // bittorrent-protocol takes ten times as long as in clear text.
      return { ...state, count: state.count / 2 }
    }
  }
}

function tcpRow(name, { role, viaWire, bare, isEncrypted = false }) {
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
    run: (context, state) => transfer(context, state, { role, viaWire, bare, isEncrypted }),
    check({ outcome, report, count }) {
      assert.equal(report.wrong, 0, 'frames the peer found wrong')
      assert.equal(report.bytes, report.expected, 'bytes the peer got')
      assert.deepEqual(outcome, { count, wrong: 0 }, 'blocks')
    }
  }
}

/** Runs one connection. The clock runs from before it is made until the last block has arrived. */
async function transfer({ library, warmup }, state, { role, viaWire, bare, isEncrypted }) {
  const count = warmup ? state.count / 8 : state.count
  const { report } = await state.peer.begin({ role, count, compare: warmup, isEncrypted })
  const laps = lapsOf(count)
  const socket = connect(state.peer.port)
  const act = library.create ? viaWire : bare
  const speak = isEncrypted ? speakEncrypted : speakPlain
  const task = { count, outstanding: OUTSTANDING, ...state.tapes, compare: warmup }
  const { onCount } = laps
  const outcome = await act(socket, { ...task, library, speak, onCount, finished: report })
  const values = laps.end()
  socket.destroy()
  return { values, outcome, report: await report, count }
}

/** Measures the parts of a transfer, in ms per GB. */
function lapsOf(count) {
  const ends = [count * COLD, count * WARM]
  const seconds = []
  const elapsed = stopwatch()
  let loopElapsed
  return {
    /** Called with the number of blocks transferred so far, possibly not for each one. */
    onCount(blocks) {
      if (blocks < ends[seconds.length] || seconds.length === ends.length) return
      seconds.push(elapsed())
      loopElapsed = loopStopwatch()
    },
    end() {
      const [cold, half] = seconds
      const later = count - ends[1]
      return {
        cold: perGB(cold, ends[0]),
        warm: perGB(elapsed() - half, later),
        loop: perGB(loopElapsed(), later)
      }
    }
  }
}

function perGB(seconds, blocks) {
  return (seconds * 1000) / ((blocks * BLOCK_LEN) / 1e9)
}

/** `greet` is called when messages may be sent. */
function speakPlain(socket, library, greet) {
  const wire = library.create()
  join(socket, wire)
  greet(wire)
  return wire
}

function speakEncrypted(socket, library, greet) {
  const wire = library.encrypting('initiator', INFO_HASH, (method) => {
    assert.equal(method, 'rc4')
    greet(wire)
  })
  join(socket, wire)
  return wire
}

function download(socket, { library, speak, ...task }) {
  return takeBlocks(speak(socket, library, showInterest), task)
}

function showInterest(wire) {
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
}

/** Settles when the peer has received the last block. */
async function upload(socket, { library, speak, finished, ...task }) {
  const wire = speak(socket, library, () => {})
  wire.on('handshake', () => {
    wire.handshake(INFO_HASH, PEER_ID)
    wire.unchoke()
  })
  const outcome = giveBlocks(wire, task)
  await finished
  return outcome
}
