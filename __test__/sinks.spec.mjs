// Streams of other packages that a wire is piped into, and streams with nonsensical properties.
import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { PassThrough, Writable } from 'node:stream'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, settled } from '../testkit/wires.mjs'

const LENGTH = 3000
const COUNT = 60

/** A nested dependency, by the names of the packages that require it, outermost first. */
const packageBelow = (first, ...names) => {
  const below = createRequire(new URL(`../node_modules/${first}/`, import.meta.url))
  const parents = names.slice(0, -1)
  const load = parents.reduce((parent, name) => createRequire(parent.resolve(name)), below)
  return load(names.at(-1))
}

const TRACKER = ['torrent-stream', 'torrent-discovery', 'bittorrent-tracker']
const OTHERS = {
  'readable-stream 1': packageBelow('peer-wire-protocol', 'readable-stream'),
  'readable-stream 2': packageBelow(...TRACKER, 'simple-peer', 'readable-stream'),
  streamx: packageBelow('bittorrent-protocol', 'streamx')
}

/** A stream of Node with one wrong property. */
const odd = (name, value) => () =>
  Object.defineProperty(new PassThrough({ highWaterMark: 2000 }), name, { value, writable: true })

/** The minimum that pipe() needs: full after each write. */
const oldest = () => {
  const sink = new EventEmitter()
  sink.write = (chunk) => {
    setImmediate(() => sink.emit('drain'))
    sink.emit('data', chunk)
    return false
  }
  sink.end = () => sink.emit('finish')
  return sink
}

const SINKS = {
  node: () => new PassThrough({ highWaterMark: 2000 }),
  'node in object mode': () => new PassThrough({ objectMode: true, highWaterMark: 2 }),
  'the oldest kind': oldest,
  'no length': odd('writableLength', undefined),
  'a length that is not a number': odd('writableLength', '7'),
  'a length of NaN': odd('writableLength', NaN),
  'a length below 0': odd('writableLength', -5),
  'an infinite length': odd('writableLength', Infinity),
  'a length of BigInt': odd('writableLength', 5n),
  'no cork()': odd('cork', undefined),
  'no uncork()': odd('uncork', undefined),
  'no writableNeedDrain': odd('writableNeedDrain', undefined),
  'no writableObjectMode': odd('writableObjectMode', undefined)
}
for (const [name, { PassThrough: Sink }] of Object.entries(OTHERS)) {
  SINKS[name] = () => new Sink({ highWaterMark: 2000 })
}

const isCount = (number) => Number.isSafeInteger(number) && number >= 0

for (const [name, make] of Object.entries(SINKS)) {
  test(`sends everything into a stream with this: ${name}`, async (t) => {
    const wire = greeted({ uploadBacklog: 10_000 })
    const sink = make()
    const received = []
    sink.on('data', (chunk) => received.push(chunk))
    wire.pipe(sink)
    wire.unchoke()
    const amounts = []
    const look = () => amounts.push(wire.bufferedAmount, wire.stats().bufferedAmount)
    wire.on('upload', look)
    const expected = [frame(1)]
    const all = new Promise((resolve) => {
      wire.on('request', (piece, offset, length, respond) => {
        const block = Buffer.alloc(length, piece)
        expected.push(frame(7, piece, 0, block))
        setImmediate(() => {
          respond(null, block)
          look()
          if (piece === COUNT - 1) resolve()
        })
      })
    })
    const requests = Array.from({ length: COUNT }, (_, piece) => frame(6, piece, 0, LENGTH))
    wire.write(Buffer.concat(requests))
    await all
    const whole = Buffer.concat(expected)
    while (Buffer.concat(received).length < whole.length) await settled() // oxlint-disable-line no-await-in-loop
    look()
    t.true(Buffer.concat(received).equals(whole))
    t.deepEqual(
      amounts.filter((amount) => !isCount(amount)),
      []
    )
    t.is(wire.stats().heldRequests, 0)
  })
}

test('reports a valid bufferedAmount when the length of a stream becomes nonsense', async (t) => {
  for (const value of [undefined, NaN, -1, 'many', 2.5]) {
    const wire = greeted()
    const sink = new Writable({ write: () => {} })
    wire.pipe(sink)
    await settled() // oxlint-disable-line no-await-in-loop
    wire.have(1)
    t.is(wire.bufferedAmount, 9)
    Object.defineProperty(sink, 'writableLength', { value })
    t.is(wire.bufferedAmount, 0)
    wire.have(2)
    t.true(isCount(wire.bufferedAmount))
    t.true(isCount(wire.stats().bufferedAmount))
  }
})

/** Whole messages as `id:length`, in their order; what is left of a cut one is `cut`. */
const framesOf = (bytes) => {
  const frames = []
  for (let at = 0; at < bytes.length;) {
    const length = at + 4 <= bytes.length ? bytes.readUInt32BE(at) : Infinity
    frames.push(at + 4 + length > bytes.length ? 'cut' : `${bytes[at + 4]}:${length}`)
    at += 4 + length
  }
  return frames
}

/** A wire that flows into a sink which keeps what it gets. */
const flowingInto = async (sink) => {
  const wire = greeted()
  wire.unchoke()
  wire.pipe(sink)
  await settled()
  sink.chunks.length = 0
  return wire
}

const keepingSink = () => {
  const chunks = []
  const write = (chunk, encoding, callback) => (chunks.push(chunk), callback())
  return Object.assign(new Writable({ write }), { chunks })
}

for (const [what, first, sent] of [
  ['frames', (wire) => wire.have(3), ['4:5']],
  ['a block', (wire) => wire.piece(0, 0, Buffer.alloc(4000)), ['7:4009']]
]) {
  for (const length of [100, 5000, 40_000]) {
    test(`sends a block of ${length} bytes that a getter of the sink sends while ${what} are read`, async (t) => {
      const sink = keepingSink()
      const wire = await flowingInto(sink)
      let isArmed = true
      const { get } = Object.getOwnPropertyDescriptor(Writable.prototype, 'writableLength')
      Object.defineProperty(sink, 'writableLength', {
        get() {
          if (isArmed) {
            isArmed = false
            wire.piece(1, 0, Buffer.alloc(length))
          }
          return get.call(this)
        }
      })
      first(wire)
      wire.have(4)
      await settled()
      const received = framesOf(Buffer.concat(sink.chunks))
      t.deepEqual(received.toSorted(), [...sent, `7:${9 + length}`, '4:5'].toSorted())
    })
  }
}

for (const name of ['writableLength', 'writableNeedDrain']) {
  for (const nth of [1, 2, 3, 4]) {
    test(`loses nothing when the getter ${name} of the sink throws at read ${nth}`, async (t) => {
      const sink = keepingSink()
      const wire = await flowingInto(sink)
      const { get } = Object.getOwnPropertyDescriptor(Writable.prototype, name)
      let reads = 0
      Object.defineProperty(sink, name, {
        get() {
          if (++reads === nth) throw new Error('by the getter')
          return get.call(this)
        }
      })
      wire.piece(0, 0, Buffer.alloc(4000))
      wire.have(4)
      await settled()
      t.deepEqual(framesOf(Buffer.concat(sink.chunks)), ['7:4009', '4:5'])
    })
  }
}

for (const writes of [1, 2, 5]) {
  test(`loses nothing when the sink unpipes itself in write ${writes} of what was held back`, async (t) => {
    const first = keepingSink()
    const { write } = first
    const wire = await flowingInto(first)
    const next = keepingSink()
    let left = Infinity
    // Pauses the pipe, and takes the rest in writes of its own.
    first.write = (chunk) => {
      first.chunks.push(chunk)
      if (--left === 0) {
        wire.unpipe(first)
        first.write = write
        setImmediate(() => wire.pipe(next))
      }
      return false
    }
    const count = 20
    for (let n = 0; n < count; n++) wire.piece(n, 0, Buffer.alloc(3000))
    left = writes
    first.emit('drain')
    await settled()
    await settled()
    const received = Buffer.concat([...first.chunks, ...next.chunks])
    t.deepEqual(
      framesOf(received),
      Array.from({ length: count }, () => '7:3009')
    )
  })
}

test('a reader that comes in the write of a head gets the block, too', async (t) => {
  const sink = keepingSink()
  const wire = await flowingInto(sink)
  const { write } = sink
  const seen = []
  sink.write = function (chunk, ...rest) {
    sink.write = write
    wire.on('data', (bytes) => seen.push(bytes.length))
    return write.call(this, chunk, ...rest)
  }
  wire.piece(0, 0, Buffer.alloc(4000))
  await settled()
  t.deepEqual(seen, [4000])
  t.deepEqual(framesOf(Buffer.concat(sink.chunks)), ['7:4009'])
})

test('gives a later reader all of the output when a cork of the sink has thrown', async (t) => {
  const sink = keepingSink()
  const wire = await flowingInto(sink)
  const { cork } = sink
  sink.cork = () => {
    sink.cork = cork
    throw new Error('by cork')
  }
  t.throws(() => wire.piece(0, 0, Buffer.alloc(4000)), { message: 'by cork' })
  let length = 0
  wire.on('data', (bytes) => (length += bytes.length))
  wire.piece(0, 0, Buffer.alloc(4000))
  wire.have(1)
  await settled()
  t.is(length, 2 * 4013 + 9)
})
