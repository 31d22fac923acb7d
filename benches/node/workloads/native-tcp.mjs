// Rows about one long loopback connection by a native socket, per block and in whole pieces, next to a piped net.Socket;
// in a fresh process.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { BLOCK_LEN, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { LAP_METRICS, lapsOf } from '../laps.mjs'
import { BARE } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { connect, giveBlocks, OUTSTANDING, takeBlocks, tapesOf } from './blocks.mjs'
import {
  open,
  PIECE_BLOCKS,
  PIECE_LEN,
  showInterest,
  sidesOf,
  takePieces,
  TAPE_PIECES,
  tapeWholePieces
} from './native-wires.mjs'
import { answerFrames, askFrames } from './tcp-bare.mjs'

const GIB = 1024 ** 3
/** Pieces in the queue of a wire that fetches them whole. */
const AHEAD = TAPE_PIECES / 2

const downloads = {
  original: { side: 'original', take: takeBlocks },
  'original and SHA-1': { side: 'original', take: takeHashed, needsPieces: true },
  piped: { side: 'ours', take: takeBlocks },
  native: { side: 'ours', isNative: true, take: takeBlocks },
  'native, reused memory': { side: 'ours', isNative: true, take: takeInto },
  'native, pieces with SHA-1': {
    side: 'ours',
    isNative: true,
    take: takeWhole(false),
    needsPieces: true
  },
  'native, pieces with SHA-1, reused memory': {
    side: 'ours',
    isNative: true,
    take: takeWhole(true),
    needsPieces: true
  },
  [BARE]: { side: BARE }
}

const { allocate, Wire } = createRequire(import.meta.url)('../../..')
/** For builds that serve pieces off the event loop. */
const served = {
  'native, serve': { side: 'ours', isNative: true, give: giveServed, needsPieces: true }
}

const uploads = {
  original: { side: 'original', give: giveBlocks },
  piped: { side: 'ours', give: giveBlocks },
  native: { side: 'ours', isNative: true, give: giveBlocks },
  'native, lent memory': { side: 'ours', isNative: true, give: giveBlocks, isLent: true },
  ...(Wire.prototype.serve ? served : {}),
  [BARE]: { side: BARE }
}

export const rows = [
  row('native download', { role: 'feeder', ways: downloads, act: download, bare: askFrames }),
  row('native upload', { role: 'asker', ways: uploads, act: upload, bare: answerFrames })
]

function row(name, { role, ways, act, bare }) {
  return {
    name,
    metrics: LAP_METRICS,
    ways: sidesOf(ways),
    fresh: true,
    rounds: 7,
    warmups: 1,
    // Quick samples are compared byte by byte themselves.
    quickWarmups: 0,
    async prepare({ library, way, quick }) {
      const tapes = tapesOf(library)
      if (ways[way].needsPieces) tapes.pieces = tapeWholePieces()
      if (ways[way].isLent) tapes.blocks = tapes.blocks.map(toLent)
      const count = (quick ? GIB / 16 : 2 * GIB) / BLOCK_LEN
      return { peer: await startPeer('stream'), tapes, count }
    },
    run: (context, state) => transfer(context, state, { role, ways, act, bare }),
    check({ outcome, report, count }) {
      assert.equal(report.wrong, 0, 'frames the peer found wrong')
      assert.equal(report.bytes, report.expected, 'bytes the peer got')
      assert.deepEqual(outcome, { count, wrong: 0 }, 'blocks')
    }
  }
}

/** The same block in memory of which it need not be copied. */
function toLent(block) {
  const lent = allocate(block.length)
  lent.set(block)
  return lent
}

/** Runs one connection. The clocks run from before it is made until the last block has arrived. */
async function transfer({ library, way, quick, warmup }, state, { role, ways, act, bare }) {
  const count = warmup ? state.count / 8 : state.count
  const { report } = await state.peer.begin({ role, count, compare: warmup || quick })
  const laps = lapsOf(count)
  const task = {
    ...state.tapes,
    count,
    outstanding: OUTSTANDING,
    compare: warmup || quick,
    onCount: laps.onCount,
    finished: report
  }
  const { isNative = false, ...how } = ways[way]
  const connection = library.create
    ? open(library, state.peer.port, isNative)
    : openBare(state.peer.port)
  const outcome = await (library.create
    ? act(connection.wire, { ...task, ...how })
    : bare(connection.socket, task))
  const values = laps.end()
  connection.close()
  return { values, outcome, report: await report, count }
}

function openBare(port) {
  const socket = connect(port)
  return { socket, close: () => socket.destroy() }
}

function download(wire, { take, ...task }) {
  showInterest(wire)
  return take(wire, task)
}

/** Settles when the peer has received the last block. */
async function upload(wire, { give, finished, ...task }) {
  wire.on('handshake', () => {
    wire.handshake(INFO_HASH, PEER_ID)
    wire.unchoke()
  })
  const outcome = give(wire, task)
  await finished
  return outcome
}

/** Settles when all is sent: the wire says so at its next turn, possibly after the peer has it. */
function giveServed(wire, { pieces, count, onCount }) {
  const outcome = { count: 0, wrong: 0 }
  const length = pieces.length * PIECE_LEN
  let bytes = 0
  wire.on('request', () => outcome.wrong++)
  wire.serve({ pieceLength: PIECE_LEN, length, pieces: pieces.map((piece) => piece.bytes) })
  return new Promise((resolve) => {
    wire.on('upload', (added) => {
      bytes += added
      outcome.count = Math.floor(bytes / BLOCK_LEN)
      onCount(outcome.count)
      if (outcome.count >= count) resolve(outcome)
    })
  })
}

/** As `takeBlocks`, and hashes the pieces as their blocks arrive, in order. */
async function takeHashed(wire, { pieces, onCount, ...task }) {
  let hash = createHash('sha1')
  let wrong = 0
  const outcome = await takeBlocks(wire, { ...task, onBlock, onCount })
  return { ...outcome, wrong: outcome.wrong + wrong }

  function onBlock(block, n) {
    hash.update(block)
    if ((n + 1) % PIECE_BLOCKS !== 0) return
    const index = Math.floor(n / PIECE_BLOCKS) % TAPE_PIECES
    if (!hash.digest().equals(pieces[index].hash)) wrong++
    hash = createHash('sha1')
  }
}

/** As `takeBlocks`, into as many buffers as there are requests open. */
function takeInto(wire, task) {
  const memory = Array.from({ length: OUTSTANDING }, () => Buffer.allocUnsafeSlow(BLOCK_LEN))
  return takeBlocks(wire, { ...task, memory })
}

function takeWhole(reuses) {
  return (wire, task) => takePieces(wire, { ...task, ahead: AHEAD, repeats: true, reuses })
}
