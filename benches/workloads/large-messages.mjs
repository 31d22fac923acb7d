// Rows about one large message cut into many chunks: is the cost per byte that of the size alone?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeWires, feed, inTurn, openWire, stopwatch } from '../drive.mjs'
import { extended, random } from '../frames.mjs'

const MIB = 1024 * 1024
const EXTENSION = 9

export const rows = [
  largeRow('one 1 MiB message in 1-byte chunks', {
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
    note: Object.entries(lengthOf)
      .map(([side, bytes]) => `${side} gets ${bytes / 1024} KiB only, as its cost is quadratic`)
      .join('; '),
    metrics: [
      { key: 'time', unit: 'ns/byte', better: 'lower' },
      { key: 'oneChunk', unit: 'x one chunk', better: 'lower', relative: true },
      { key: 'growth', unit: 'x 1/8 size', better: 'lower', relative: true }
    ],
    prepare({ library, quick }) {
      const full = (lengthOf[library.name] ?? length) / (quick ? 4 : 1)
      const small = casesOf(full / 8, chunkSize)
      return { small, large: casesOf(full, chunkSize) }
    },
    run,
    check({ lengths, wrong }, { small, large }) {
      assert.deepEqual(
        lengths,
        [small, large, large].map((size) => size.payload.length)
      )
      assert.equal(wrong, 0, 'messages with wrong content')
    }
  }
}

function casesOf(length, chunkSize) {
  const payload = Buffer.alloc(length)
  const below = random(11)
  for (let at = 0; at < length; at += 61) payload[at] = below(256)
  const whole = extended(EXTENSION, payload)
  return { payload, whole: [whole], cut: cut(whole, chunkSize) }
}

/** Chunks of one byte are shared by value: a million views would measure the collector. */
function cut(bytes, chunkSize) {
  if (chunkSize > 1) {
    const count = Math.ceil(bytes.length / chunkSize)
    return Array.from({ length: count }, (_, n) =>
      bytes.subarray(n * chunkSize, (n + 1) * chunkSize)
    )
  }
  const single = Array.from({ length: 256 }, (_, value) => Buffer.from([value]))
  return Array.from(bytes, (value) => single[value])
}

/** Times three messages, each on a new wire: an eighth and the whole in chunks, then in one. */
async function run({ library }, { small, large }) {
  const parts = [
    [small, small.cut],
    [large, large.cut],
    [large, large.whole]
  ]
  const results = await inTurn(parts, ([size, chunks]) => receive(library, size, chunks))
  const [eighth, whole, oneChunk] = results.map((result) => result.cost)
  return {
    values: { time: whole, oneChunk: whole / oneChunk, growth: whole / eighth },
    lengths: results.map((result) => result.length),
    wrong: results.filter((result) => !result.same).length
  }
}

async function receive(library, { payload }, chunks) {
  const wire = await openWire(library, { options: { maxMessageLength: 65 * MIB } })
  const received = once(wire, 'extended')
  const elapsed = stopwatch()
  await feed(wire, chunks)
  const [id, body] = await received
  const seconds = elapsed()
  await closeWires([wire])
  return {
    cost: (seconds * 1e9) / payload.length,
    length: body.length,
    same: id === EXTENSION && payload.compare(body) === 0
  }
}
