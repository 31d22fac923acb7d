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
