// Rows about what a wire holds in memory: idle after the handshake, and with a large bitfield.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { bitfield, handshake, INFO_HASH, PEER_ID, random } from '../frames.mjs'

const BITFIELD_PIECES = 100_000
const metrics = [
  { key: 'rss', unit: 'KiB/wire, RSS', better: 'lower' },
  { key: 'heap', unit: 'KiB/wire, heap + external', better: 'lower' }
]

export const rows = [
  memoryRow('memory per idle wire after the handshake', { normal: 20_000, quick: 4_000 }),
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

function memoryRow(name, { normal, quick, pieces = 0, read = false }) {
  return {
    name,
    metrics,
    process: 'fresh',
    rounds: 3,
    warmups: 0,
    prepare: (context) => ({ count: context.quick ? quick : normal, pieces, read }),
    run,
    check
  }
}

async function run({ library }, { count, pieces, read }) {
  const outcome = { handshakes: 0, bitfields: 0, found: 0 }
  const bits = bitfieldOf(pieces)
  await hold(library, { count: 20, bits, outcome: { ...outcome } })
  await collect()
  const before = usage()
  const wires = await hold(library, { count, bits, outcome })
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

/** Collects now and then, so that dead chunks between the living do not count as held. */
async function hold(library, { count, bits, outcome }) {
  const wires = []
  while (wires.length < count) {
    wires.push(openIdle(library, bits, outcome))
    if (bits && wires.length % 20 === 0) global.gc()
  }
  await turn()
  return wires
}

function openIdle(library, bits, outcome) {
  const wire = library.create()
  wire.on('handshake', () => outcome.handshakes++)
  wire.on('bitfield', () => outcome.bitfields++)
  wire.on('data', ignore)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.write(ownChunk(handshake()))
  if (bits) wire.write(ownChunk(bits))
  return wire
}

/** A chunk with a memory of its own, as sockets deliver them: a wire may keep a view of it. */
function ownChunk(bytes) {
  const chunk = Buffer.allocUnsafeSlow(bytes.length)
  chunk.set(bytes)
  return chunk
}

/** Half of the pieces, in a disorder without long runs. */
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
