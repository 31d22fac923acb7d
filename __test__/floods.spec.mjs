// Floods of allowed messages: they cost a wire no more memory than its limits, and work in proportion.
import test from 'ava'

import { chunksOf, shuffled } from '../testkit/frames.mjs'
import { cases } from '../checks/hostile-memory/cases.mjs'
import { measure } from '../checks/hostile-memory/measure.mjs'
import { bytesOf, frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { CHOKE, UNCHOKE, fast, greeted, pwp, record, settled, unchoked } from '../testkit/wires.mjs'

const KIB = 1024
const MIB = KIB * KIB

/** Pieces that a wire accepts if it does not know how many the torrent has. */
const PIECES = 4 * MIB

const COUNT = 100_000

/** Most growth of a process outside of V8 and its Buffers; code that V8 has compiled accounts for less. */
const MOST_NATIVE = 64 * MIB

const times = (count, makeFrame) =>
  Buffer.concat(Array.from({ length: count }, (_, n) => makeFrame(n)))

/** Writes bytes as a socket would deliver them. */
const deliver = (wire, bytes) => {
  for (const chunk of chunksOf(bytes, 64 * KIB)) wire.write(chunk)
}

test('delivers requests up to the backlog, queues some more, and refuses the rest', (t) => {
  const wire = greeted()
  wire.unchoke()
  const delivered = record(wire, ['request'])
  deliver(
    wire,
    times(COUNT, (n) => frame(6, n, 0, 16 * KIB))
  )
  t.is(delivered.length, 64)
  t.is(wire.peerRequests.length, 64)
  const { heldRequests, refusedRequests, bufferedAmount } = wire.stats()
  t.is(heldRequests, 2000 - 64)
  t.is(refusedRequests, COUNT - 2000)
  t.is(bufferedAmount, frame(1).length)
})

test('delivers cancels of requests that are not open, and cancels nothing', (t) => {
  const wire = greeted()
  wire.unchoke()
  deliver(
    wire,
    times(64, (n) => frame(6, n, 0, 1))
  )
  const delivered = record(wire, ['cancel'])
  deliver(
    wire,
    times(COUNT, (n) => frame(8, n, 1, 1))
  )
  t.is(delivered.length, COUNT)
  t.is(wire.peerRequests.length, 64)
})

for (const reads of [false, true]) {
  test(`records each piece of a have flood, with peerPieces ${reads ? 'read' : 'not read'} before`, (t) => {
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

test('accepts the largest bitfield repeatedly', (t) => {
  const wire = greeted()
  const delivered = []
  wire.on('bitfield', (bits) => delivered.push(bits.length))
  const bits = bytesOf({ size: PIECES / 8, fill: 1 })
  for (let n = 0; n < 20; n++) deliver(wire, frame(5, bits))
  t.deepEqual(delivered, Array(20).fill(PIECES / 8))
  t.is(wire.peerPieces.length, PIECES)
  t.true(wire.peerPieces.every((has, n) => has === ((bits[n >> 3] & (0x80 >> (n & 7))) !== 0)))
})

test('sends nothing in answer to a flood of keep-alives', (t) => {
  const wire = greeted()
  const delivered = record(wire, ['keep-alive'])
  deliver(wire, Buffer.alloc(4 * COUNT))
  t.is(delivered.length, COUNT)
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

/** Rejects that may wait for a peer that does not read. */
const MOST_REJECTS = 16_000

/** What makes a wire send a reject for each message, without a user. */
const REJECTED = {
  'requests while we choke': [{}, (n) => frame(6, n, 0, 9)],
  'requests above maxPeerRequests': [
    { maxPeerRequests: 0, unchokes: true },
    (n) => frame(6, n, 0, 9)
  ],
  'requests for no bytes': [{ unchokes: true }, (n) => frame(6, n, 0, 0)],
  'requests past the last piece': [{ pieces: 1, unchokes: true }, (n) => frame(6, n + 1, 0, 9)],
  'requests and their cancels': [
    { unchokes: true },
    (n) => Buffer.concat([frame(6, n, 0, 9), frame(8, n, 0, 9)])
  ],
  'requests that are held, and their cancels': [
    { unchokes: true, uploadBacklog: 0 },
    (n) => Buffer.concat([frame(6, n, 0, 9), frame(8, n, 0, 9)])
  ]
}

for (const [what, [{ unchokes, ...options }, makeFrame]] of Object.entries(REJECTED)) {
  test(`closes when a peer does not read the rejects of a flood of ${what}`, async (t) => {
    const backlog = options.uploadBacklog ?? 100_000
    const wire = fast({ uploadBacklog: backlog, ...options })
    if (unchokes) wire.unchoke()
    const seen = record(wire, ['request', 'close'])
    deliver(wire, times(COUNT, makeFrame))
    t.like(wire.error, { code: 'ERR_PWP_REQUEST_FLOOD', limit: MOST_REJECTS })
    t.is(seen.at(-1), 'close')
    const { sent, bufferedAmount } = wire.stats()
    // What fits the backlog does not count.
    t.true(sent.messages.reject >= MOST_REJECTS)
    t.true(sent.messages.reject <= MOST_REJECTS + backlog / 17 + 1)
    t.true(bufferedAmount <= backlog + 17 * (MOST_REJECTS + 1) + 5)
    await settled()
    t.is(readAll(wire).length, sent.bytes - 68)
  })

  test(`goes on when a peer reads the rejects of a flood of ${what}`, async (t) => {
    const wire = fast({ uploadBacklog: 100_000, ...options })
    if (unchokes) wire.unchoke()
    wire.on('data', () => {})
    await settled()
    for (let round = 0; round < 5; round++) deliver(wire, times(MOST_REJECTS / 2, makeFrame))
    t.is(wire.error, null)
    t.is(wire.stats().sent.messages.reject, (5 * MOST_REJECTS) / 2)
  })
}

test('tolerates exactly the rejects that may wait', (t) => {
  const wire = fast({ uploadBacklog: 0 })
  // The first finds nothing that waits, and so begins the count; each later one is one more.
  deliver(
    wire,
    times(MOST_REJECTS, (n) => frame(6, n, 0, 9))
  )
  t.is(wire.error, null)
  t.is(wire.stats().sent.messages.reject, MOST_REJECTS)
  wire.write(frame(6, 0, 0, 9))
  t.is(wire.error.code, 'ERR_PWP_REQUEST_FLOOD')
  t.is(wire.stats().sent.messages.reject, MOST_REJECTS)
})

test('without the extension a flood of requests while we choke costs nothing', (t) => {
  const wire = greeted({ uploadBacklog: 0 })
  deliver(
    wire,
    times(COUNT, (n) => frame(6, n, 0, 9))
  )
  t.is(wire.error, null)
  t.is(wire.bufferedAmount, 0)
  t.is(wire.stats().ignoredRequests, COUNT)
})

test('remembers no more than a hundred pieces of a flood of allowed-fast', (t) => {
  const wire = fast()
  const delivered = record(wire, ['allowed-fast'])
  deliver(
    wire,
    times(COUNT, (n) => frame(17, n))
  )
  t.is(delivered.length, 100)
  t.is(wire.peerAllowedFastSet.length, 100)
  deliver(
    wire,
    times(COUNT, (n) => frame(17, n % 100))
  )
  t.is(delivered.length, 100 + COUNT)
  t.is(wire.peerAllowedFastSet.length, 100)
})

test('delivers and keeps nothing of floods of suggests, rejects, have-alls and have-nones', (t) => {
  for (const [name, makeFrame] of [
    ['suggest', (n) => frame(13, n)],
    ['reject', (n) => frame(16, n, 0, 9)],
    ['have-all', () => frame(14)],
    ['have-none', () => frame(15)]
  ]) {
    const wire = fast()
    const delivered = record(wire, [name])
    deliver(wire, times(COUNT, makeFrame))
    t.is(delivered.length, COUNT)
    t.is(wire.error, null)
    t.is(wire.bufferedAmount, 0)
  }
})

test('fails each request once in a flood of chokes with the fast extension', (t) => {
  const wire = fast()
  wire.on('data', () => {})
  let failed = 0
  wire.on('unchoke', () => wire.request(0, 0, 1, () => failed++))
  const messages = [UNCHOKE, CHOKE, frame(16, 0, 0, 1)]
  deliver(
    wire,
    times(COUNT, (n) => messages[n % 3])
  )
  t.is(failed, Math.floor(COUNT / 3))
  t.is(wire.stats().violations, 0)
})

/** Ways to make a wire fail open requests, and the text that they get. */
const DROPS = {
  'a choke': [(wire) => wire.write(CHOKE), 'peer is choking'],
  'an end': [(wire) => wire.end(), 'wire is closed'],
  'destroy()': [(wire) => wire.destroy(), 'wire is closed']
}

for (const [what, [drop, text]] of Object.entries(DROPS)) {
  test.serial(`collects no stack frames for requests that ${what} fails`, async (t) => {
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

test('keeps the stack frames of a request that fails at once', async (t) => {
  const wires = [greeted(), unchoked(), pwp()]
  wires[1].end()
  await settled()
  for (const wire of wires) {
    wire.request(0, 0, 1, (error) => t.regex(error.stack, /floods\.spec/))
  }
  t.plan(3)
})

test('joins a long message that is received byte by byte', (t) => {
  const wire = greeted()
  const payload = bytesOf({ size: MIB - 2, fill: 3 })
  const delivered = []
  wire.on('extended', (id, message) => delivered.push(message))
  for (const byte of chunksOf(frame(20, Buffer.from([1]), payload), 1)) wire.write(byte)
  t.is(delivered.length, 1)
  t.true(delivered[0].equals(payload))
})

test('ends 1,000 wires as truncated if only a length prefix was received', async (t) => {
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
