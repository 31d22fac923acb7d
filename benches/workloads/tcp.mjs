// Rows about loopback TCP: `socket.pipe(wire).pipe(socket)` beside a bare socket, with CPU time.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { fileURLToPath } from 'node:url'
import { blockOf, BLOCK_LEN, INFO_HASH, numberAt, numberIn, PEER_ID, placeOf } from '../frames.mjs'
import { answerFrames, countBytes } from './tcp-limit.mjs'
import { OUTSTANDING, TAPE_BLOCKS } from './tcp-peer.mjs'

const PEER_FILE = fileURLToPath(new URL('tcp-peer.mjs', import.meta.url))
const GIB = 1024 ** 3

export const rows = [
  tcpRow('TCP download over loopback', { role: 'feeder', viaWire: download, bare: countBytes }),
  tcpRow('TCP upload over loopback', {
    role: 'asker',
    viaWire: upload,
    bare: answerFrames,
    note: '; the peer asks for 16 or more at a time, the limit sets TCP_NODELAY and is a reference rather than a bound (a slower side gets larger batches)'
  })
]

function tcpRow(name, { role, viaWire, bare, note = '' }) {
  return {
    name,
    note: `16 KiB blocks, ${OUTSTANDING} outstanding, sockets as net.connect() makes them; CPU is that of the measured process alone${note}`,
    metrics: [
      { key: 'rate', unit: 'MB/s', better: 'higher' },
      { key: 'cpu', unit: 'CPU ms/GB', better: 'lower' }
    ],
    sides: ['ours', 'original', 'bittorrent-protocol', 'limit'],
    process: 'own',
    rounds: 5,
    warmups: 1,
    prepare: startPeer,
    run: (context, state) => transfer(context, state, { role, viaWire, bare }),
    check({ outcome, report, count }) {
      assert.equal(report.wrong, 0, 'frames the peer found wrong')
      assert.equal(report.bytes, report.expected, 'bytes the peer got')
      assert.deepEqual(outcome, { count, wrong: 0 }, 'blocks')
    },
    release: ({ peer }) => peer.kill()
  }
}

async function startPeer({ quick }) {
  const peer = fork(PEER_FILE)
  const [{ port }] = await once(peer, 'message')
  const blocks = Array.from({ length: TAPE_BLOCKS }, (_, n) => blockOf(n))
  return { peer, port, blocks, bytes: quick ? GIB / 16 : GIB }
}

/** One connection. The clocks run from before it is made until the last block has arrived. */
async function transfer({ library, warmup }, state, { role, viaWire, bare }) {
  const count = (warmup ? state.bytes / 8 : state.bytes) / BLOCK_LEN
  state.peer.send({ role, count, compare: warmup, unasked: !library.create })
  await once(state.peer, 'message')
  const finished = once(state.peer, 'message')
  const cpu = process.cpuUsage()
  const start = performance.now()
  const socket = createConnection({ port: state.port, host: '127.0.0.1' })
  const act = library.create ? viaWire : bare
  const outcome = await act({ socket, library, count, warmup, blocks: state.blocks, finished })
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  socket.destroy()
  const [report] = await finished
  const gigabytes = (count * BLOCK_LEN) / 1e9
  const values = { rate: (gigabytes * 1000) / seconds, cpu: (user + system) / 1000 / gigabytes }
  return { values, outcome, report, count }
}

/** Requests block after block, each callback the next one; settles at the last. */
function download({ socket, library, count, warmup, blocks }) {
  const wire = library.create()
  const outcome = { count: 0, wrong: 0 }
  let issued = 0
  join(socket, wire)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
  return new Promise((resolve, reject) => {
    wire.once('unchoke', () => {
      while (issued < OUTSTANDING) requestNext()
    })

    function requestNext() {
      const { piece, offset } = placeOf(issued++ % TAPE_BLOCKS)
      wire.request(piece, offset, BLOCK_LEN, onBlock)
    }

    function onBlock(error, block) {
      if (error) return reject(error)
      const expected = outcome.count++ % TAPE_BLOCKS
      if (numberIn(block) !== expected) outcome.wrong++
      if (warmup && blocks[expected].compare(block) !== 0) outcome.wrong++
      if (issued < count) requestNext()
      if (outcome.count === count) resolve(outcome)
    }
  })
}

/** Answers each request at once; settles when the peer has read the last block. */
async function upload({ socket, library, blocks, finished }) {
  const wire = library.create()
  const outcome = { count: 0, wrong: 0 }
  wire.on('handshake', () => {
    wire.handshake(INFO_HASH, PEER_ID)
    wire.unchoke()
  })
  wire.on('request', (piece, offset, length, respond) => {
    outcome.count++
    if (length !== BLOCK_LEN) outcome.wrong++
    respond(null, blocks[numberAt(piece, offset)])
  })
  join(socket, wire)
  await finished
  return outcome
}

function join(socket, wire) {
  socket.pipe(wire).pipe(socket)
  socket.once('close', () => wire.destroy())
}
