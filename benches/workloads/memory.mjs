// Rows about what a wire holds in memory: idle after the handshake, and with a large bitfield.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { bitfield, BLOCK_LEN, handshake, INFO_HASH, PEER_ID, pieceOf } from '../frames.mjs'
import { random, unchoke } from '../frames.mjs'

const BITFIELD_PIECES = 100_000
const metrics = [
  { key: 'rss', unit: 'KiB/wire, RSS', better: 'lower' },
  { key: 'heap', unit: 'KiB/wire, heap + external', better: 'lower' }
]

export const rows = [
  memoryRow('memory per idle wire after the handshake', { normal: 20_000, quick: 4_000 }),
  memoryRow('memory per idle wire after a handshake and one block', {
    normal: 20_000,
    quick: 4_000,
    hasBlock: true
  }),
  memoryRow('memory per wire with a bitfield of 100,000 pieces, peerPieces not read', {
    normal: 500,
    quick: 200,
    pieces: BITFIELD_PIECES
  }),
  memoryRow('memory per wire with a bitfield of 100,000 pieces, peerPieces read', {
    normal: 500,
    quick: 200,
    pieces: BITFIELD_PIECES,
    read: true
  })
]

function memoryRow(name, { normal, quick, pieces = 0, read = false, hasBlock = false }) {
  return {
    name,
    metrics,
    process: 'fresh',
    rounds: 3,
    warmups: 0,
    prepare: (context) => ({ count: context.quick ? quick : normal, pieces, read, hasBlock }),
    run,
    check
  }
}

async function run({ library }, { count, pieces, read, hasBlock }) {
  const outcome = { handshakes: 0, bitfields: 0, blocks: 0, found: 0 }
  const messages = hasBlock ? blockMessages() : bitfieldOf(pieces)
  await hold(library, { count: 20, messages, outcome: { ...outcome } })
  await collect()
  const before = usage()
  const wires = await hold(library, { count, messages, outcome })
  await collect()
  if (read) for (const wire of wires) outcome.found += countPieces(library, wire, pieces)
  const after = usage()
  const perWire = (key) => (after[key] - before[key]) / 1024 / wires.length
  return { ...outcome, values: { rss: perWire('rss'), heap: perWire('heap') } }
}

function check({ handshakes, bitfields, blocks, found }, { count, pieces, read, hasBlock }) {
  assert.equal(handshakes, count, 'handshakes')
  assert.equal(blocks, hasBlock ? count : 0, 'blocks')
  assert.equal(bitfields, pieces ? count : 0, 'bitfields')
  assert.equal(found, read ? count * (pieces / 2) : 0, 'pieces of the peers')
}

/** Collects now and then, so that dead chunks between the living do not count as held. */
async function hold(library, { count, messages, outcome }) {
  const wires = []
  while (wires.length < count) {
    wires.push(openIdle(library, messages, outcome))
    if (messages.length > 0 && wires.length % Math.ceil(count / 40) === 0) global.gc()
  }
  await turn()
  return wires
}

function openIdle(library, messages, outcome) {
  const wire = library.create()
  wire.on('handshake', () => outcome.handshakes++)
  wire.on('bitfield', () => outcome.bitfields++)
  wire.on('data', ignore)
  wire.on('unchoke', () => wire.request(0, 0, BLOCK_LEN, () => outcome.blocks++))
  wire.handshake(INFO_HASH, PEER_ID)
  wire.write(ownChunk(handshake()))
  for (const message of messages) wire.write(ownChunk(message))
  usePool()
  return wire
}

/** As programs do between two connections: so what a wire keeps of the pool keeps a whole one. */
function usePool() {
  for (let used = 0; used < Buffer.poolSize; used += 1024) Buffer.allocUnsafe(1024)
}

/** A chunk with a memory of its own, as sockets deliver them: a wire may keep a view of it. */
function ownChunk(bytes) {
  const chunk = Buffer.allocUnsafeSlow(bytes.length)
  chunk.set(bytes)
  return chunk
}

/** Half of the pieces, in a disorder without long runs. */
function bitfieldOf(pieces) {
  if (!pieces) return []
  const below = random(13)
  const bits = Buffer.alloc(pieces / 8)
  for (let at = 0; at < bits.length; at++) bits[at] = below(2) ? 0b01101001 : 0b11000110
  return [bitfield(bits)]
}

/** An unchoke, for which the wire asks for a block, and the block, cut as sockets cut it. */
function blockMessages() {
  const frame = pieceOf(0)
  return [unchoke(), frame.subarray(0, 10_000), frame.subarray(10_000)]
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
