// Rows about one large message cut into many chunks.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeWires, feed, openWire, stopwatch } from '../drive.mjs'
import { chunksOf, extended, random } from '../../../testkit/frames.mjs'

const MIB = 1024 * 1024
const EXTENSION = 9

export const rows = [
  largeRow('1 MiB message in 1-byte chunks', {
    chunkSize: 1,
    length: MIB,
    // Its cost per chunk grows with what it already holds: 1 MiB would take minutes.
    lengthOf: { 'bittorrent-protocol': MIB / 32 }
  }),
  largeRow('64 MiB message in 64 KiB chunks', {
    chunkSize: 64 * 1024,
    length: 64 * MIB,
    lengthOf: { 'bittorrent-protocol': 8 * MIB }
  })
]

function largeRow(name, { chunkSize, length, lengthOf }) {
  return {
    name,
    metrics: [{ key: 'time', unit: 'ns/byte' }],
    prepare: ({ library, quick }) =>
      prepare((lengthOf[library.name] ?? length) / (quick ? 4 : 1), chunkSize),
    run,
    check({ id, body }, { payload }) {
      assert.equal(id, EXTENSION)
      assert.ok(payload.equals(body), 'content of the message')
    }
  }
}

function prepare(length, chunkSize) {
  const payload = Buffer.alloc(length)
  const below = random(11)
  for (let at = 0; at < length; at += 61) payload[at] = below(256)
  return { payload, chunks: cut(extended(EXTENSION, payload), chunkSize) }
}

/** Equal one-byte chunks share one Buffer: a million views would measure the garbage collector. */
function cut(bytes, chunkSize) {
  if (chunkSize > 1) return chunksOf(bytes, chunkSize)
  const single = Array.from({ length: 256 }, (_, value) => Buffer.from([value]))
  return Array.from(bytes, (value) => single[value])
}

async function run({ library }, { payload, chunks }) {
  const wire = await openWire(library, { options: { maxMessageLength: 65 * MIB } })
  const received = once(wire, 'extended')
  const elapsed = stopwatch()
  await feed(wire, chunks)
  const [id, body] = await received
  const seconds = elapsed()
  await closeWires([wire])
  return { values: { time: (seconds * 1e9) / payload.length }, id, body }
}
