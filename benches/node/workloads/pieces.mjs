// Rows about the pieces of a peer: a large bitfield, and the loop that picks pieces.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeWires, counter, feed, inTurn, openWires, stopwatch } from '../drive.mjs'
import { bitfield, have, random } from '../../../testkit/frames.mjs'

const PIECES = 262_144
const LOOP_PIECES = 10_000

const largeBitfield = {
  name: 'bitfield of 262,144 pieces, then each read',
  metrics: [{ key: 'time', unit: 'ns/piece' }],
  prepare({ quick }) {
    const below = random(3)
    const bits = Buffer.alloc(PIECES / 8)
    for (let at = 0; at < bits.length; at++) bits[at] = below(256)
    return { chunk: bitfield(bits), expected: bitCount(bits), wires: quick ? 2 : 12 }
  },
  async run({ library }, { chunk, wires }) {
    const opened = await openWires(library, wires)
    const counts = []
    const elapsed = stopwatch()
    await inTurn(opened, async (wire) => {
      const received = once(wire, 'bitfield')
      wire.write(chunk)
      await received
      counts.push(countPieces(library, wire))
    })
    const seconds = elapsed()
    await closeWires(opened)
    return { values: { time: (seconds * 1e9) / (wires * PIECES) }, counts }
  },
  check({ counts }, { expected, wires }) {
    assert.deepEqual(
      counts,
      Array.from({ length: wires }, () => expected),
      'pieces of the peer'
    )
  }
}

/** bittorrent-protocol has no peerPieces[i]. */
const selectionLoop = {
  name: 'selection loop over peerPieces',
  metrics: [{ key: 'time', unit: 'ns/piece' }],
  sides: ['ours', 'original'],
  prepare({ quick }) {
    const below = random(5)
    const bits = Buffer.alloc(LOOP_PIECES / 8)
    for (let n = 0; n < LOOP_PIECES / 50; n++) setBit(bits, below(LOOP_PIECES))
    const start = bitfield(bits)
    const phases = Array.from({ length: 10 }, () => {
      const pieces = Array.from({ length: 20 }, () => below(LOOP_PIECES))
      for (const piece of pieces) setBit(bits, piece)
      return { chunks: pieces.map(have), expected: bitCount(bits) }
    })
    return { start, phases, sweeps: quick ? 5 : 40, wires: 8 }
  },
  run: runSelection,
  check({ counts }, { phases, sweeps, wires }) {
    const expected = phases.map((phase) => phase.expected * sweeps * wires)
    assert.deepEqual(counts, expected, 'pieces found in each phase')
  }
}

export const rows = [largeBitfield, selectionLoop]

/** Haves arrive between the phases, untimed; each phase scans the wires in turn. */
async function runSelection({ library }, { start, phases, sweeps, wires }) {
  const opened = await openWires(library, wires)
  for (const wire of opened) {
    wire.on('bitfield', () => isSeeder(wire))
    wire.write(start)
  }
  let seconds = 0
  const counts = await inTurn(phases, async ({ chunks }) => {
    const seen = counter(chunks.length * wires)
    for (const wire of opened) wire.on('have', seen.hit)
    await inTurn(opened, (wire) => feed(wire, chunks))
    await seen.done
    for (const wire of opened) wire.off('have', seen.hit)
    const elapsed = stopwatch()
    const count = sweep(opened, sweeps)
    seconds += elapsed()
    return count
  })
  await closeWires(opened)
  const reads = phases.length * sweeps * wires * LOOP_PIECES
  return { values: { time: (seconds * 1e9) / reads }, counts }
}

function sweep(wires, sweeps) {
  let found = 0
  for (let n = 0; n < sweeps; n++) for (const wire of wires) found += selectable(wire)
  return found
}

/** What torrent-stream checks at each bitfield, and so its first read of a wire's pieces. */
function isSeeder(wire) {
  for (let piece = 0; piece < LOOP_PIECES; piece++) if (!wire.peerPieces[piece]) return false
  return true
}

/** The shape of the dependents' hottest loop: skip the pieces that the peer lacks. */
function selectable(wire) {
  let found = 0
  for (let piece = 0; piece < LOOP_PIECES; piece++) {
    if (!wire.peerPieces[piece]) continue
    found++
  }
  return found
}

function countPieces(library, wire) {
  let count = 0
  for (let piece = 0; piece < PIECES; piece++) if (library.peerHas(wire, piece)) count++
  return count
}

function setBit(bits, piece) {
  bits[piece >> 3] |= 0x80 >> (piece & 7)
}

function bitCount(bits) {
  let count = 0
  for (const byte of bits) for (let rest = byte; rest; rest &= rest - 1) count++
  return count
}
