// The parts of the class of bittorrent-protocol that can be told apart: pieces as bits, and speed meters.
import { createRequire } from 'node:module'
import test from 'ava'

import { FakeClock } from '../testkit/fake-clock.mjs'
import { settled } from '../testkit/bp-wires.mjs'

const require = createRequire(import.meta.url)
const { AllPieces, PieceSet } = require('../lib/bittorrent-protocol/piece-set.js')

test('pieces are bits, the high one first', (t) => {
  const pieces = new PieceSet(Uint8Array.of(0x81, 0x40))
  t.is(pieces.length, 16)
  const seen = []
  pieces.forEach((isThere, piece) => isThere && seen.push(piece))
  t.deepEqual(seen, [0, 7, 9])
  seen.length = 0
  pieces.forEach((isThere, piece) => seen.push([isThere, piece]), 8, 10)
  t.deepEqual(seen, [
    [false, 8],
    [true, 9]
  ])
  pieces.set(9, false)
  pieces.set(10)
  t.deepEqual([...pieces.buffer], [0x81, 0x20])
  t.false(pieces.isEmpty())
  t.true(new PieceSet(new Uint8Array(3)).isEmpty())
})

test('pieces that cannot be there are not', (t) => {
  const pieces = new PieceSet(Uint8Array.of(0xff))
  for (const piece of [-1, 8, 2 ** 32, 2 ** 32 + 1, 2 ** 53, Number.NaN, Infinity, undefined])
    t.is(pieces.get(piece), false)
})

test('a set grows with what is set, up to a bound, and not with what is cleared', (t) => {
  const pieces = new PieceSet()
  pieces.set(1_000_000, false)
  t.is(pieces.length, 0)
  pieces.set(20)
  t.is(pieces.buffer.length, 3)
  pieces.set(24)
  t.is(pieces.buffer.length, 6)
  const last = 512 * 1024 * 8 - 1
  pieces.set(last)
  t.true(pieces.get(last))
  pieces.set(last + 1)
  t.false(pieces.get(last + 1))
  t.is(pieces.buffer.length, 512 * 1024)
  pieces.setAll([1, 0, true], 20)
  t.deepEqual(
    [20, 21, 22].map((piece) => pieces.get(piece)),
    [true, false, true]
  )
})

const random = (seed) => (seed * 1_103_515_245 + 12_345) >>> 0

test('pieces far above all others cost no memory for those between', (t) => {
  const pieces = new PieceSet()
  const before = process.memoryUsage().arrayBuffers
  const wires = Array.from({ length: 200 }, () => new PieceSet())
  for (const one of wires) for (const piece of [4_194_303, 3_000_000]) one.set(piece)
  t.true(process.memoryUsage().arrayBuffers - before < 10 * 1024 * 1024)
  t.true(wires.every((one) => one.get(4_194_303) && one.get(3_000_000) && !one.get(2_999_999)))
  wires[0].set(4_194_303, false)
  t.false(wires[0].get(4_194_303) || wires[0].isEmpty())
  wires[0].set(3_000_000, false)
  t.true(wires[0].isEmpty())
  t.is(wires[0].length, 0)
  t.is(wires[1].length, 4_194_304)
  t.is(wires[1].buffer[3_000_000 >>> 3], 0x80)
  wires[2].buffer = Uint8Array.of(0x80)
  t.true(wires[2].get(0) && !wires[2].get(3_000_000))
  // However they come, all of them are there in the end.
  const model = new Set()
  let seed = 1
  for (let round = 0; round < 20_000; round++) {
    seed = random(seed)
    const piece = (seed >>> 8) % (round % 2 === 0 ? 4_194_304 : 40_000)
    const isThere = round % 5 !== 0
    pieces.set(piece, isThere)
    if (isThere) model.add(piece)
    else model.delete(piece)
  }
  const missing = [...model].filter((piece) => !pieces.get(piece))
  t.deepEqual(missing, [])
  let count = 0
  pieces.forEach((isThere) => (count += Number(isThere)))
  t.is(count, model.size)
})

test('a peer with all pieces may lose some', (t) => {
  const pieces = new AllPieces()
  t.true(pieces.get(0) && pieces.get(2 ** 31))
  pieces.set(7, true)
  pieces.set(9, false)
  pieces.set(2 ** 31, false)
  t.deepEqual(
    [7, 8, 9, 2 ** 31].map((piece) => pieces.get(piece)),
    [true, true, false, true]
  )
  pieces.set(9)
  t.true(pieces.get(9))
  t.is(pieces.setAll, undefined)
})

/** Runs with a clock of its own, in which `performance.now()` is that of the fake timers. */
const clocked = async (t, run) => {
  const clock = new FakeClock()
  const { now } = performance
  clock.install()
  performance.now = () => clock.now
  const names = ['clock', 'meter'].map((name) =>
    require.resolve(`../lib/bittorrent-protocol/${name}.js`)
  )
  for (const name of names) delete require.cache[name]
  try {
    const { makeMeter } = require('../lib/bittorrent-protocol/meter.js')
    await run(
      makeMeter,
      async (ms) => {
        await clock.advance(ms, settled)
      },
      clock
    )
  } finally {
    performance.now = now
    clock.restore()
    for (const name of names) delete require.cache[name]
  }
}

test.serial('a meter counts bytes a second over five seconds', async (t) => {
  await clocked(t, async (makeMeter, advance) => {
    const meter = makeMeter()
    t.is(meter(), 0)
    t.is(meter(500), 500)
    await advance(500)
    t.is(meter(500), 1000)
    await advance(1500)
    t.true(Math.abs(meter() - 500) < 30)
    for (let second = 0; second < 10; second++) {
      meter(2000)
      await advance(1000) // oxlint-disable-line no-await-in-loop -- time goes on
    }
    t.true(Math.abs(meter() - 2000) <= 400)
    await advance(6000)
    t.is(meter(), 0)
  })
})

test.serial('what is no number of bytes does not spoil a meter', async (t) => {
  await clocked(t, async (makeMeter) => {
    const meter = makeMeter()
    for (const bytes of [Number.NaN, -5, Infinity, null, 'x', 0]) meter(bytes)
    t.is(meter(7), 7)
  })
})

test.serial('the clock of the meters does not keep the process alive, and stops', async (t) => {
  await clocked(t, async (makeMeter, advance, clock) => {
    makeMeter()(1)
    t.is(clock.pending, 0)
    t.is(clock.active, 1)
    await advance(20_000)
    t.is(clock.active, 0)
  })
})

test.serial('meters go on if the timer of their clock is lost with fake timers', async (t) => {
  await clocked(t, async (makeMeter, advance, clock) => {
    const { setInterval } = globalThis
    globalThis.setInterval = () => 5
    const meter = makeMeter()
    meter(100)
    globalThis.setInterval = setInterval
    for (let turns = 0; turns < 40; turns++) {
      meter(1000)
      await advance(100) // oxlint-disable-line no-await-in-loop -- time goes on
    }
    t.true(Math.abs(meter() - 10_000) <= 1000, `${meter()}`)
    t.is(clock.active, 1)
  })
})

test.serial(
  'a timer of the clock that was late stops when another has taken its place',
  async (t) => {
    await clocked(t, async (makeMeter, advance, clock) => {
      const meter = makeMeter()
      meter(100)
      performance.now = () => clock.now + 7000
      for (let looks = 0; looks < 40; looks++) meter()
      t.is(meter(), 0)
      t.is(clock.active, 2)
      await advance(100)
      t.is(clock.active, 1)
      await advance(20_000)
      t.is(clock.active, 0)
    })
  }
)
