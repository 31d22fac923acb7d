// Rows about the memory that a wire holds: idle after the handshake, with a large bitfield, and piped
// to a socket.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { bitfield, BLOCK_LEN, handshake, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'
import { pieceOf, random, unchoke } from '../../../testkit/frames.mjs'
import { BARE, libraryNames } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { connect, join } from './blocks.mjs'

const BITFIELD_PIECES = 100_000
const PIPED_PIECES = 1_024

export const rows = [
  memoryRow('idle wire', { normal: 20_000, quick: 4_000 }),
  memoryRow('idle wire after a handshake and one block', {
    normal: 20_000,
    quick: 4_000,
    hasBlock: true
  }),
  {
    ...memoryRow('connection with both pipes and a bitfield of 1,024 pieces', {
      normal: 2_000,
      quick: 200,
      pieces: PIPED_PIECES,
      piped: true
    }),
    sides: [...libraryNames, BARE]
  },
  memoryRow('wire with a bitfield of 100,000 pieces, not read', {
    normal: 500,
    quick: 200,
    pieces: BITFIELD_PIECES
  }),
  memoryRow('wire with a bitfield of 100,000 pieces, read', {
    normal: 500,
    quick: 200,
    pieces: BITFIELD_PIECES,
    read: true
  })
]

function memoryRow(
  name,
  { normal, quick, pieces = 0, read = false, piped = false, hasBlock = false }
) {
  return {
    name,
    metrics: [
      { key: 'rss', unit: 'KiB, RSS' },
      { key: 'heap', unit: 'KiB, heap + external' }
    ],
    fresh: true,
    rounds: 3,
    warmups: 0,
    async prepare(context) {
      const count = context.quick ? quick : normal
      const bits = hasBlock ? oneBlock() : bitfieldOf(pieces)
      const peer = piped ? await startPeer('greeter') : null
      return { count, pieces, bits, read, peer }
    },
    run,
    check
  }
}

async function run({ library }, { count, pieces, bits, read, peer }) {
  const outcome = { handshakes: 0, bitfields: 0, found: 0 }
  const open = peer ? await opener(peer, bits) : openIdle
  await hold(open, { library, count: 20, bits, outcome: { ...outcome } })
  await collect()
  const before = usage()
  const wires = await hold(open, { library, count, bits, outcome })
  await collect()
  if (read) for (const wire of wires) outcome.found += countPieces(library, wire, pieces)
  const after = usage()
  const perWire = (key) => (after[key] - before[key]) / 1024 / wires.length
  return { ...outcome, values: { rss: perWire('rss'), heap: perWire('heap') } }
}

function check({ handshakes, bitfields, found }, { count, pieces, read }) {
  assert.equal(handshakes, count, 'handshakes')
  assert.equal(bitfields, pieces ? count : 0, 'bitfields')
  assert.equal(found, read ? count * (pieces / 2) : 0, 'pieces of the peers')
}

/** Collects garbage now and then, so that dead chunks among live ones do not count as held. */
async function hold(open, { library, count, bits, outcome }) {
  const wires = []
  while (wires.length < count) {
    // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
    wires.push(await open(library, outcome, bits))
    if (bits && wires.length % 20 === 0) global.gc()
  }
  await turn()
  return wires
}

function openIdle(library, outcome, bits) {
  const wire = library.create()
  countEvents(wire, outcome)
  wire.on('data', ignore)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.write(ownChunk(handshake()))
  wire.on('unchoke', () => wire.request(0, 0, BLOCK_LEN))
  if (bits) wire.write(ownChunk(bits))
  usePool()
  return wire
}

/** Uses the Buffer pool as programs do between connections: a wire that keeps a slice keeps a whole pool. */
function usePool() {
  for (let used = 0; used < Buffer.poolSize; used += 1024) Buffer.allocUnsafe(1024)
}

function oneBlock() {
  return Buffer.concat([unchoke(), pieceOf(0)])
}

function countEvents(wire, outcome) {
  wire.on('handshake', () => outcome.handshakes++)
  wire.on('bitfield', () => outcome.bitfields++)
}

/** Returns a function that opens a connection whose other end sends a handshake and the bitfield. */
async function opener(peer, bits) {
  const answer = Buffer.concat([handshake(), bits])
  await peer.begin({ answer: answer.toString('base64') })
  return async (library, outcome) => {
    const socket = connect(peer.port)
    if (!library.create) return openBare(socket, { outcome, length: answer.length })
    const wire = library.create()
    join(socket, wire)
    countEvents(wire, outcome)
    wire.handshake(INFO_HASH, PEER_ID)
    await once(wire, 'bitfield')
    return wire
  }
}

async function openBare(socket, { outcome, length }) {
  let bytes = 0
  await new Promise((resolve) => {
    socket.on('data', (chunk) => {
      bytes += chunk.length
      if (bytes === length) resolve()
    })
    socket.write(handshake())
  })
  outcome.handshakes++
  outcome.bitfields++
  return socket
}

/** A chunk in memory of its own, as sockets deliver it: a wire may keep a view of it. */
function ownChunk(bytes) {
  const chunk = Buffer.allocUnsafeSlow(bytes.length)
  chunk.set(bytes)
  return chunk
}

/** Half of the pieces, scattered without long runs. */
function bitfieldOf(pieces) {
  if (!pieces) return null
  const below = random(13)
  const bits = Buffer.alloc(pieces / 8)
  for (let at = 0; at < bits.length; at++) bits[at] = below(2) ? 0b01101001 : 0b11000110
  return bitfield(bits)
}

function countPieces(library, wire, pieces) {
  let count = 0
  for (let piece = 0; piece < pieces; piece++) if (library.peerHas(wire, piece)) count++
  return count
}

async function collect() {
  for (let n = 0; n < 3; n++) {
    global.gc()
    // oxlint-disable-next-line no-await-in-loop -- finalizers run between two collections
    await turn()
  }
}

function usage() {
  global.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heap: heapUsed + external }
}

function ignore() {}
