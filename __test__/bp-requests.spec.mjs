// The class of bittorrent-protocol: our requests, in arrays that users edit, and how they end.
import test from 'ava'

import {
  CHOKE,
  FAST_HANDSHAKE,
  PLAIN_HANDSHAKE,
  UNCHOKE,
  Wire,
  hexOf,
  met,
  record,
  settled
} from '../testkit/bp-wires.mjs'
import { FakeClock } from '../testkit/fake-clock.mjs'
import { frame } from '../testkit/messages.mjs'

const noop = () => {}

/** A wire whose peer does not choke us. */
const unchoked = async (handshake, options) => {
  const { wire, output } = await met(handshake, options)
  wire.write(UNCHOKE)
  return { wire, output }
}

/** Requests one byte of each piece; returns a live list of pieces and how they ended. */
const ask = (wire, pieces) => {
  const ended = []
  for (const piece of pieces)
    wire.request(piece, 0, 1, (error, block) =>
      ended.push([piece, error ? error.message : block.toString()])
    )
  return ended
}

const answer = (piece) => frame(7, piece, 0, Buffer.from('x'))

/** A request of the peer for a block of the usual size, and our reject of it. */
const large = (piece) => frame(6, piece, 0, 16_384)
const rejected = (piece) => frame(16, piece, 0, 16_384)

test('a request is answered by the block of its place and length', async (t) => {
  const { wire, output } = await unchoked()
  const ended = ask(wire, [1, 2, 2])
  t.deepEqual(
    wire.requests.map(({ piece, offset, length }) => [piece, offset, length]),
    [
      [1, 0, 1],
      [2, 0, 1],
      [2, 0, 1]
    ]
  )
  await settled()
  t.is(output.take(), hexOf(frame(6, 1, 0, 1), frame(6, 2, 0, 1), frame(6, 2, 0, 1)))
  wire.write(Buffer.concat([answer(2), frame(7, 1, 0, Buffer.from('xy')), answer(3)]))
  t.deepEqual(ended, [[2, 'x']])
  wire.write(Buffer.concat([answer(1), answer(2), answer(2)]))
  t.deepEqual(ended, [
    [2, 'x'],
    [1, 'x'],
    [2, 'x']
  ])
  t.is(wire.downloaded, 7)
})

test('open requests keep their order', async (t) => {
  const { wire } = await unchoked()
  ask(wire, [1, 2, 3, 4])
  wire.write(answer(2))
  t.deepEqual(
    wire.requests.map(({ piece }) => piece),
    [1, 3, 4]
  )
})

test('a request fails at once while the peer chokes, and after the end', async (t) => {
  const { wire, output } = await met()
  t.deepEqual(ask(wire, [1]), [[1, 'peer is choking']])
  wire.write(UNCHOKE)
  wire.destroy()
  t.deepEqual(ask(wire, [1]), [[1, 'peer is choking']])
  await settled()
  t.deepEqual(ask(wire, [1]), [[1, 'wire is closed']])
  t.is(output.take(), '')
})

test('a choke fails all, the newest first, after its event', async (t) => {
  const { wire } = await unchoked(PLAIN_HANDSHAKE)
  const ended = ask(wire, [1, 2, 3])
  wire.on('choke', () => ended.push('choke'))
  wire.write(CHOKE)
  const message = 'peer is choking'
  t.deepEqual(ended, ['choke', [3, message], [2, message], [1, message]])
})

test('with the fast extension they stay open until the peer rejects them', async (t) => {
  const { wire } = await unchoked(FAST_HANDSHAKE)
  const ended = ask(wire, [1, 2])
  wire.write(CHOKE)
  t.deepEqual(ended, [])
  const seen = record(wire, ['reject'])
  wire.on('reject', () => t.is(ended.length, 1))
  wire.write(frame(16, 2, 0, 1))
  t.deepEqual(ended, [[2, 'request was rejected']])
  t.deepEqual(seen, [['reject', 2, 0, 1]])
})

test('a cancel fails the oldest equal request, and is sent in any case', async (t) => {
  const { wire, output } = await unchoked()
  const ended = ask(wire, [1, 1])
  await settled()
  output.take()
  wire.cancel(1, 0, 1)
  wire.cancel(7, 0, 1)
  t.deepEqual(ended, [[1, 'request was cancelled']])
  await settled()
  t.is(output.take(), hexOf(frame(8, 1, 0, 1), frame(8, 7, 0, 1)))
})

test('requests that a user removes are not answered', async (t) => {
  const { wire } = await unchoked()
  const ended = ask(wire, [1, 2, 3])
  // As lt_donthave does.
  const [request] = wire.requests.splice(0, 1)
  wire._callback(request, new Error('lost'), null)
  wire.requests = wire.requests.filter(({ piece }) => piece !== 2)
  wire.write(Buffer.concat([answer(1), answer(2), answer(3)]))
  t.deepEqual(ended, [
    [1, 'lost'],
    [3, 'x']
  ])
})

test('the end fails all, the newest first', async (t) => {
  const { wire } = await unchoked(FAST_HANDSHAKE)
  const ended = ask(wire, [1, 2])
  wire.on('finish', () => ended.push('finish'))
  wire.end()
  t.deepEqual(ended, [])
  await settled()
  t.deepEqual(ended, [[2, 'wire was closed'], [1, 'wire was closed'], 'finish'])
})

test('peerRequests may be edited and replaced: an answer then does nothing', async (t) => {
  const { wire, output } = await met()
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push(respond))
  wire.unchoke()
  wire.write(Buffer.concat([1, 2, 3].map((piece) => frame(6, piece, 0, 1))))
  await settled()
  output.take()
  wire.peerRequests.shift()
  wire.peerRequests = wire.peerRequests.filter(({ piece }) => piece !== 2)
  for (const respond of responds) respond(null, Buffer.from('x'))
  await settled()
  t.is(output.take(), hexOf(answer(3)))
})

test('requests that are removed unanswered make room for others', async (t) => {
  const { wire } = await met(PLAIN_HANDSHAKE, { uploadBacklog: 40_000 })
  const seen = record(wire, ['request'])
  wire.unchoke()
  wire.write(Buffer.concat([1, 2, 3, 4, 5, 6].map(large)))
  t.is(seen.length, 3)
  wire.peerRequests = []
  await settled()
  t.is(seen.length, 6)
  wire.peerRequests.length = 0
  wire.write(large(7))
  await settled()
  t.is(seen.length, 7)
})

test('requests that are removed in place make room at once, however the array is edited', async (t) => {
  const edits = {
    all: (array) => (array.length = 0),
    first: (array) => array.shift(),
    last: (array) => array.pop(),
    middle: (array) => array.splice(1, 1)
  }
  for (const [name, edit] of Object.entries(edits)) {
    const { wire } = await met(PLAIN_HANDSHAKE, { uploadBacklog: 40_000 }) // oxlint-disable-line no-await-in-loop -- one after the other
    const seen = record(wire, ['request'])
    wire.unchoke()
    wire.write(Buffer.concat([1, 2, 3, 4].map(large)))
    t.is(seen.length, 3)
    const own = { piece: 9, offset: 0, length: 1, callback: noop }
    wire.peerRequests.push(own)
    await settled() // oxlint-disable-line no-await-in-loop -- one after the other
    wire.peerRequests.splice(wire.peerRequests.indexOf(own), 1)
    await settled() // oxlint-disable-line no-await-in-loop -- one after the other
    t.is(seen.length, 3)
    edit(wire.peerRequests)
    await settled() // oxlint-disable-line no-await-in-loop -- one after the other
    t.is(seen.length, 4, name)
  }
})

test('requests that listeners remove at once do not count for the limit', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE, { maxPeerRequests: 3 })
  const seen = record(wire, ['request'])
  wire.on('request', () => wire.peerRequests.shift())
  wire.unchoke()
  for (const pieces of [[1, 2, 3, 4, 5], [6], [7, 8]])
    wire.write(Buffer.concat(pieces.map((piece) => frame(6, piece, 0, 1))))
  await settled()
  t.is(seen.length, 8)
  t.is(output.take(), hexOf(UNCHOKE))
  // Also in an array that is kept.
  const { wire: other } = await met(FAST_HANDSHAKE, { maxPeerRequests: 3 })
  const names = record(other, ['request'])
  const array = other.peerRequests
  other.unchoke()
  for (let piece = 0; piece < 9; piece++) {
    other.write(frame(6, piece, 0, 1))
    if (piece % 3 === 2) array.length = 0
  }
  t.is(names.length, 9)
})

test('requests above the backlog are held until there is room', async (t) => {
  const { wire } = await met(PLAIN_HANDSHAKE, { uploadBacklog: 40_000 })
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push([piece, respond]))
  wire.unchoke()
  wire.write(Buffer.concat([1, 2, 3, 4].map(large)))
  t.is(responds.length, 3)
  responds[0][1](null, Buffer.alloc(16_384))
  await settled()
  t.deepEqual(
    responds.map(([piece]) => piece),
    [1, 2, 3, 4]
  )
})

test('a request may be answered by piece()', async (t) => {
  const { wire, output } = await met(PLAIN_HANDSHAKE, { uploadBacklog: 40_000 })
  wire.on('request', (piece, offset, length) => wire.piece(piece, offset, Buffer.alloc(length)))
  wire.unchoke()
  for (let piece = 0; piece < 20; piece++) wire.write(large(piece))
  await settled()
  t.is(output.take().length, 2 * (5 + 20 * 16_397))
  t.deepEqual(wire.peerRequests, [])
})

test('answers of another length are dropped, and rejected with the fast extension', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE)
  const open = wire._onRequest
  wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(3)))
  wire.unchoke()
  wire.write(large(1))
  wire._onRequest = noop
  wire.write(large(2))
  open.call(wire, 2, 0, 16_384)
  await settled()
  t.is(output.take(), hexOf(UNCHOKE, rejected(1), rejected(2)))
  t.is(wire.uploaded, 0)
})

for (const level of [0, 2]) {
  test(`requests of a peer that does not read wait, and go on when it does, at level ${level}`, async (t) => {
    const hash = '01'.repeat(20)
    const options = { uploadBacklog: 30_000 }
    const one = new Wire('tcpOutgoing', level)
    const other = new Wire('tcpIncoming', level, options)
    const begin = () => one.handshake(hash, hash)
    one.on('data', (chunk) => other.write(Buffer.from(chunk)))
    other.on('data', (chunk) => one.write(Buffer.from(chunk)))
    other.on('crypto-infohash', () => other.setInfoHash(hash))
    other.on('handshake', () => other.handshake(hash, hash))
    one.on('crypto-handshake', begin)
    if (level === 0) begin()
    else one.startEncryption(hash)
    await new Promise((resolve) => one.once('handshake', resolve))
    const asked = record(other, ['request'])
    other.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
    other.unchoke()
    await new Promise((resolve) => one.once('unchoke', resolve))
    other.pause()
    const blocks = Array.from(
      { length: 40 },
      (_, piece) => new Promise((resolve) => one.request(piece, 0, 16_384, resolve))
    )
    await settled()
    await settled()
    t.true(asked.length < 5, `${asked.length}`)
    other.resume()
    t.deepEqual(await Promise.all(blocks), Array(40).fill(null))
    t.is(asked.length, 40)
  })
}

test('a method that is replaced on a wire takes requests over, and may open them later', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE, { uploadBacklog: 100_000 })
  const open = wire._onRequest
  const later = []
  wire._onRequest = (...request) => later.push(request)
  const seen = record(wire, ['request'])
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push(respond))
  wire.unchoke()
  wire.write(Buffer.concat([1, 2, 3, 4].map(large)))
  // None is held back: they are the business of whoever took them.
  t.is(later.length, 4)
  t.deepEqual(seen, [])
  for (const request of later) open.apply(wire, request)
  t.is(wire.peerRequests.length, 4)
  await settled()
  output.take()
  responds[0](null, Buffer.alloc(16_384, 7))
  responds[1](new Error('none'))
  wire.write(frame(8, 3, 0, 16_384))
  wire.choke()
  for (const respond of responds) respond(null, Buffer.alloc(16_384, 7))
  await settled()
  t.deepEqual(wire.peerRequests, [])
  const block = frame(7, 1, 0, Buffer.alloc(16_384, 7))
  t.is(output.take(), hexOf(block, rejected(2), rejected(3), CHOKE, rejected(4)))
})

/** A wire that opens requests when the returned function is called, not when they come. */
const openingLate = async (handshake, options) => {
  const { wire, output } = await met(handshake, options)
  const open = wire._onRequest
  const later = []
  wire._onRequest = (...request) => later.push(request)
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push([piece, respond]))
  wire.unchoke()
  await settled()
  output.take()
  const openAll = () => {
    for (const request of later.splice(0)) open.apply(wire, request)
  }
  return { wire, output, openAll, responds }
}

const piecesOf = (responds) => responds.map(([piece]) => piece)

test('requests that are opened later wait above the backlog, and are refused above their number', async (t) => {
  const options = { uploadBacklog: 40_000, maxPeerRequests: 5 }
  const { wire, output, openAll, responds } = await openingLate(FAST_HANDSHAKE, options)
  wire.write(Buffer.concat([1, 2, 3, 4, 5, 6].map(large)))
  openAll()
  await settled()
  t.deepEqual(piecesOf(responds), [1, 2, 3])
  t.is(wire.peerRequests.length, 3)
  t.is(output.take(), hexOf(rejected(6)))
  // By an answer, by a cancel, and by the user, who has no need of one.
  responds[0][1](null, Buffer.alloc(16_384))
  await settled()
  t.deepEqual(piecesOf(responds), [1, 2, 3, 4])
  t.is(output.take().length, 2 * 16_397)
  wire.write(Buffer.concat([frame(8, 5, 0, 16_384), frame(8, 2, 0, 16_384), large(7), large(8)]))
  openAll()
  await settled()
  t.deepEqual(piecesOf(responds), [1, 2, 3, 4, 7])
  t.is(output.take(), hexOf(rejected(5), rejected(2)))
  wire.peerRequests.shift()
  await settled()
  t.deepEqual(piecesOf(responds), [1, 2, 3, 4, 7, 8])
  wire.piece(4, 0, Buffer.alloc(16_384))
  t.deepEqual(
    wire.peerRequests.map(({ piece }) => piece),
    [7, 8]
  )
})

test('requests that are opened later wait while the peer does not read', async (t) => {
  const { wire, openAll, responds } = await openingLate(PLAIN_HANDSHAKE, { uploadBacklog: 40_000 })
  wire.pause()
  wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
  for (let piece = 0; piece < 40; piece++) wire.write(large(piece))
  openAll()
  await settled()
  t.true(responds.length < 5, `${responds.length}`)
  wire.resume()
  while (responds.length < 40) await settled() // oxlint-disable-line no-await-in-loop -- one after the other
  t.deepEqual(
    piecesOf(responds),
    Array.from({ length: 40 }, (_, piece) => piece)
  )
})

test('those that wait are dropped by a choke and by the end', async (t) => {
  const options = { uploadBacklog: 10_000 }
  const { wire, output, openAll, responds } = await openingLate(FAST_HANDSHAKE, options)
  wire.write(Buffer.concat([1, 2, 3].map(large)))
  openAll()
  wire.choke()
  await settled()
  t.deepEqual(piecesOf(responds), [1])
  t.is(output.take(), hexOf(CHOKE, rejected(1), rejected(2), rejected(3)))
  wire.unchoke()
  wire.write(Buffer.concat([4, 5].map(large)))
  openAll()
  wire.destroy()
  responds[1][1](new Error('none'))
  await settled()
  t.deepEqual(piecesOf(responds), [1, 4])
})

test('_onPiece is looked up on the wire, too', async (t) => {
  const { wire } = await unchoked()
  const pieces = []
  const original = wire._onPiece
  wire._onPiece = (...args) => pieces.push(args)
  const ended = ask(wire, [1])
  wire.write(answer(1))
  t.deepEqual(ended, [])
  original.apply(wire, pieces[0])
  t.deepEqual(ended, [[1, 'x']])
})

const clocked = async (t, run) => {
  const clock = new FakeClock()
  clock.install()
  try {
    await run(clock, (ms) => clock.advance(ms, settled))
  } finally {
    clock.restore()
  }
}

test.serial('a request times out, the oldest first, and each starts the time anew', async (t) => {
  const { wire } = await unchoked()
  await clocked(t, async (clock, advance) => {
    wire.setTimeout(1000)
    t.is(clock.pending, 0)
    const ended = ask(wire, [1, 2])
    wire.on('timeout', () => ended.push('timeout'))
    t.is(clock.pending, 1)
    await advance(999)
    t.deepEqual(ended, [])
    await advance(1)
    const message = 'request has timed out'
    t.deepEqual(ended, [[1, message], 'timeout'])
    await advance(1000)
    t.deepEqual(ended, [[1, message], 'timeout', [2, message], 'timeout'])
    t.is(clock.pending, 0)
  })
})

test.serial(
  'a timer without requests, or one that is unref, does not keep the process alive',
  async (t) => {
    const { wire } = await unchoked()
    await clocked(t, async (clock) => {
      wire.setTimeout(1000)
      ask(wire, [1])
      wire.write(answer(1))
      t.is(clock.pending, 0)
      ask(wire, [2])
      t.is(clock.pending, 1)
      wire.setTimeout(1000, true)
      t.is(clock.pending, 0)
      wire.setTimeout(0)
      t.is(clock.active, 0)
    })
  }
)

test('an answer moves the time on', async (t) => {
  const { wire } = await unchoked()
  wire.setTimeout(200)
  const ended = ask(wire, [1, 2])
  const since = performance.now()
  const timeout = new Promise((resolve) => wire.once('timeout', resolve))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const answered = performance.now()
  wire.write(answer(1))
  await timeout
  t.deepEqual(ended, [
    [1, 'x'],
    [2, 'request has timed out']
  ])
  t.true(performance.now() - answered >= 190)
  t.true(performance.now() - since >= 290)
})

test.serial('a keep-alive is sent every 55 seconds', async (t) => {
  const { wire, output } = await met()
  await clocked(t, async (clock, advance) => {
    wire.setKeepAlive(true)
    await advance(54_999)
    t.is(output.take(), '')
    await advance(1)
    await settled()
    t.is(output.take(), '00000000')
    wire.setKeepAlive(false)
    t.is(clock.active, 0)
    wire.setKeepAlive()
    wire.end()
    await settled()
    t.is(clock.pending, 0)
    wire.setKeepAlive()
    t.is(clock.pending, 0)
  })
})

test('a wire that extends the class keeps its own methods', async (t) => {
  const calls = []
  class WebSeed extends Wire {
    constructor() {
      super('webSeed')
      this.once('handshake', (infoHash, peerId) => this.handshake(infoHash, peerId))
    }

    destroy(error) {
      calls.push('destroy')
      return super.destroy(error)
    }
  }
  const wire = new WebSeed()
  t.is(wire.type, 'webSeed')
  wire.resume()
  wire.write(PLAIN_HANDSHAKE)
  wire.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  await new Promise((resolve) => wire.once('close', resolve))
  t.deepEqual(calls, ['destroy'])
})
