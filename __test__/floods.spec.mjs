// Floods: much of what is allowed costs a wire no more than its limits, and work in proportion.
import test from 'ava'

import { chunksOf, shuffled } from '../testkit/frames.mjs'
import { cases } from '../checks/hostile-memory/cases.mjs'
import { measure } from '../checks/hostile-memory/measure.mjs'
import { bytesOf, frame } from '../testkit/messages.mjs'
import { CHOKE, UNCHOKE, greeted, pwp, record, settled, unchoked } from '../testkit/wires.mjs'

const KIB = 1024
const MIB = KIB * KIB

/** Pieces that a wire takes of a torrent it does not know. */
const PIECES = 4 * MIB

const COUNT = 100_000

/** Most growth of a process outside of V8 and its Buffers: less is code that it has compiled. */
const MOST_NATIVE = 64 * MIB

const times = (count, makeFrame) =>
  Buffer.concat(Array.from({ length: count }, (_, n) => makeFrame(n)))

/** Writes bytes as a socket would deliver them. */
const deliver = (wire, bytes) => {
  for (const chunk of chunksOf(bytes, 64 * KIB)) wire.write(chunk)
}

test('tells of requests up to the backlog, keeps some more, and refuses the rest', (t) => {
  const wire = greeted()
  wire.unchoke()
  const told = record(wire, ['request'])
  deliver(
    wire,
    times(COUNT, (n) => frame(6, n, 0, 16 * KIB))
  )
  t.is(told.length, 64)
  t.is(wire.peerRequests.length, 64)
  const { heldRequests, refusedRequests, bufferedAmount } = wire.stats()
  t.is(heldRequests, 2000 - 64)
  t.is(refusedRequests, COUNT - 2000)
  t.is(bufferedAmount, frame(1).length)
})

test('tells of cancels of nothing, and withdraws nothing', (t) => {
  const wire = greeted()
  wire.unchoke()
  deliver(
    wire,
    times(64, (n) => frame(6, n, 0, 1))
  )
  const told = record(wire, ['cancel'])
  deliver(
    wire,
    times(COUNT, (n) => frame(8, n, 1, 1))
  )
  t.is(told.length, COUNT)
  t.is(wire.peerRequests.length, 64)
})

for (const reads of [false, true]) {
  test(`knows each piece of a have flood, peerPieces ${reads ? 'read' : 'not read'} before`, (t) => {
    const wire = greeted()
    if (reads) t.is(wire.peerPieces.length, 0)
    const pieces = shuffled(COUNT).map((n) => PIECES - 1 - n * 41)
    deliver(
      wire,
      times(COUNT, (n) => frame(4, pieces[n]))
    )
    t.is(wire.peerPieces.length, PIECES)
    t.deepEqual(Object.keys(wire.peerPieces), pieces.toSorted((a, b) => a - b).map(String))
    wire.write(frame(4, PIECES))
    t.is(wire.error.code, 'ERR_PWP_PIECE_INDEX')
  })
}

test('takes the largest bitfield again and again', (t) => {
  const wire = greeted()
  const told = []
  wire.on('bitfield', (bits) => told.push(bits.length))
  const bits = bytesOf({ size: PIECES / 8, fill: 1 })
  for (let n = 0; n < 20; n++) deliver(wire, frame(5, bits))
  t.deepEqual(told, Array(20).fill(PIECES / 8))
  t.is(wire.peerPieces.length, PIECES)
  t.true(wire.peerPieces.every((has, n) => has === ((bits[n >> 3] & (0x80 >> (n & 7))) !== 0)))
})

test('answers a flood of keep-alives with nothing', (t) => {
  const wire = greeted()
  const told = record(wire, ['keep-alive'])
  deliver(wire, Buffer.alloc(4 * COUNT))
  t.is(told.length, COUNT)
  t.is(wire.bufferedAmount, 0)
})

test('fails each request once in a flood of chokes', (t) => {
  const wire = greeted()
  const failed = []
  wire.on('unchoke', () => wire.request(0, 0, 1, (error) => failed.push(error.message)))
  deliver(
    wire,
    times(COUNT, (n) => (n % 2 === 0 ? UNCHOKE : CHOKE))
  )
  t.deepEqual(failed, Array(COUNT / 2).fill('peer is choking'))
  t.is(wire.requests.length, 0)
})

/** What makes a wire fail requests on behalf of its peer, and the text that they get. */
const DROPS = {
  'a choke': [(wire) => wire.write(CHOKE), 'peer is choking'],
  'an end': [(wire) => wire.end(), 'wire is closed'],
  'destroy()': [(wire) => wire.destroy(), 'wire is closed']
}

for (const [what, [drop, text]] of Object.entries(DROPS)) {
  test.serial(`collects no stack for the requests that ${what} fails`, async (t) => {
    const before = Error.stackTraceLimit
    t.teardown(() => {
      Error.stackTraceLimit = before
    })
    for (const limit of [1, 10, 50, undefined]) {
      Error.stackTraceLimit = limit
      const wire = unchoked()
      wire.resume()
      const errors = []
      for (let n = 0; n < 3; n++) wire.request(n, 0, 1, (error) => errors.push(error))
      drop(wire)
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      t.is(errors.length, 3)
      for (const error of errors) {
        t.true(error instanceof Error)
        t.is(error.message, text)
        t.false(String(error.stack).includes('\n'), error.stack)
      }
      t.is(Error.stackTraceLimit, limit)
    }
  })
}

test('tells where a request was made that fails at once', async (t) => {
  const wires = [greeted(), unchoked(), pwp()]
  wires[1].end()
  await settled()
  for (const wire of wires) {
    wire.request(0, 0, 1, (error) => t.regex(error.stack, /floods\.spec/))
  }
  t.plan(3)
})

test('joins a long message from single bytes', (t) => {
  const wire = greeted()
  const payload = bytesOf({ size: MIB - 2, fill: 3 })
  const told = []
  wire.on('extended', (id, message) => told.push(message))
  for (const byte of chunksOf(frame(20, Buffer.from([1]), payload), 1)) wire.write(byte)
  t.is(told.length, 1)
  t.true(told[0].equals(payload))
})

test('ends as truncated, 1,000 times, where only the length of a message has come', async (t) => {
  const wires = Array.from({ length: 1000 }, () => greeted())
  for (const wire of wires) {
    wire.write(frame(20, Buffer.alloc(MIB - 1)).subarray(0, 4))
    wire.resume()
    wire.end()
  }
  await settled()
  t.true(wires.every(({ error }) => error.code === 'ERR_PWP_TRUNCATED'))
})

for (const { name, most } of cases.filter((one) => one.most)) {
  test.serial(`holds at most ${most} MiB of ${name}`, async (t) => {
    const { death, peak, held, isStopped } = await measure(name, 'ours')
    t.is(death, undefined)
    t.false(isStopped)
    t.true(peak.external < most * MIB, `${peak.external}`)
    t.true(held < most * MIB, `${held}`)
    t.true(peak.native < MOST_NATIVE, `${peak.native}`)
  })
}
