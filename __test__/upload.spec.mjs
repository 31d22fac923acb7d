// Requests of a peer: how many are delivered, what they cost, and when those held back are delivered.
import { PassThrough, Writable } from 'node:stream'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { QUEUED_COST, greeted, settled } from '../testkit/wires.mjs'

const LENGTH = 16 * 1024
const BLOCK = Buffer.alloc(LENGTH)
const HEAD = 13

const requests = (count) =>
  Buffer.concat(Array.from({ length: count }, (_, piece) => frame(6, piece, 0, LENGTH)))

/** A wire with room for two blocks, and requests for more; `responds` holds the `respond` of each. */
const asked = (count, options) => {
  const wire = greeted({ uploadBacklog: 2 * (LENGTH + QUEUED_COST), ...options })
  wire.unchoke()
  readAll(wire)
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push(respond))
  wire.write(requests(count))
  return { wire, responds }
}

test('delivers as many requests as the backlog has room for, and one more', (t) => {
  const { wire, responds } = asked(10)
  t.is(responds.length, 3)
  t.is(wire.peerRequests.length, 3)
  t.is(wire.stats().heldRequests, 7)
})

test('bounds the cost of a peer that never reads by the backlog and a block, however late the answers', async (t) => {
  for (const turns of [0, 1, 3]) {
    const wire = greeted()
    wire.unchoke()
    wire.on('request', (piece, offset, length, respond) => {
      let left = turns
      const answer = () => (left-- > 0 ? setImmediate(answer) : respond(null, BLOCK))
      answer()
    })
    wire.write(requests(2000))
    // oxlint-disable-next-line no-await-in-loop
    for (let turn = 0; turn < 50; turn++) await settled()
    const blocks = wire.stats().sent.messages.piece
    t.is(blocks, 64)
    t.true(wire.bufferedAmount <= 1024 * 1024 + LENGTH + blocks * HEAD)
  }
})

/** Places where output is queued: nobody takes any of it. */
const SINKS = {
  'in the wire': () => {},
  'in a pipe with a high-water mark of 1': (wire) => wire.pipe(stuck(1)),
  'in a pipe with a high-water mark of 16 KiB': (wire) => wire.pipe(stuck(16 * 1024)),
  'in a pipe with a high-water mark of 64 KiB': (wire) => wire.pipe(stuck(64 * 1024))
}

const stuck = (highWaterMark) => new Writable({ highWaterMark, write() {} })

/** When each request is answered. */
const ANSWERS = {
  'at once': (answer) => answer(),
  'a turn later': (answer) => setImmediate(answer)
}

for (const [where, attach] of Object.entries(SINKS)) {
  for (const [when, later] of Object.entries(ANSWERS)) {
    for (const length of [1, 3, 90, 1100, 2500]) {
      test(`counts the cost of answers of ${length} bytes, given ${when}, that are queued ${where}`, async (t) => {
        const uploadBacklog = 128 * 1024
        const wire = greeted({ uploadBacklog })
        attach(wire)
        wire.unchoke()
        wire.on('request', (piece, offset, size, respond) => {
          later(() => respond(null, Buffer.alloc(size)))
        })
        for (let turn = 0; turn < 40; turn++) {
          for (let n = 0; n < 200; n++) wire.write(frame(6, n, 0, length))
          await settled() // oxlint-disable-line no-await-in-loop
        }
        const answers = wire.stats().sent.messages.piece
        const each = HEAD + length + QUEUED_COST
        t.true((answers + 2) * each >= uploadBacklog, `${answers}`)
        // What a pipe takes below its high-water mark may be added; the head of a late answer is.
        const inPipe = wire.bufferedAmount - wire.readableLength
        const most = uploadBacklog + (2 + inPipe / (HEAD + length)) * each
        t.true(answers * (each - HEAD) <= most, `${answers}`)
        t.is(wire.stats().heldRequests, 2000)
      })
    }
  }
}

const WAYS = {
  'the answers are read': ({ wire, responds }) => {
    for (const respond of responds.splice(0)) respond(null, BLOCK)
    readAll(wire)
  },
  'the answers flow': ({ wire, responds }) => {
    wire.resume()
    for (const respond of responds.splice(0)) respond(null, BLOCK)
  },
  'the answers leave in a pipe': ({ wire, responds }) => {
    const sink = new PassThrough({ highWaterMark: 1 })
    wire.pipe(sink).resume()
    for (const respond of responds.splice(0)) respond(null, BLOCK)
  },
  'they are declined': ({ responds }) => {
    for (const respond of responds.splice(0)) respond(new Error('not now'))
  },
  'the peer cancels them': ({ wire, responds }) => {
    responds.length = 0
    wire.write(Buffer.concat([0, 1, 2].map((piece) => frame(8, piece, 0, LENGTH))))
  },
  'piece() answers them': ({ wire, responds }) => {
    responds.length = 0
    for (const piece of [0, 1, 2]) wire.piece(piece, 0, BLOCK)
    readAll(wire)
  }
}

for (const [what, act] of Object.entries(WAYS)) {
  test(`delivers requests held back when ${what}`, async (t) => {
    const state = asked(6)
    t.is(state.responds.length, 3)
    act(state)
    await settled()
    t.is(state.responds.length, 3)
    t.is(state.wire.stats().heldRequests, 0)
  })
}

test('drops requests held back when we choke, and delivers new ones after an unchoke', async (t) => {
  const { wire, responds } = asked(6)
  wire.choke()
  wire.unchoke()
  wire.write(requests(2))
  await settled()
  t.is(responds.length, 5)
  t.is(wire.stats().heldRequests, 0)
})

test('refuses and counts requests above maxPeerRequests, held back or not', (t) => {
  const { wire, responds } = asked(10, { maxPeerRequests: 5 })
  t.is(responds.length, 3)
  const { heldRequests, refusedRequests } = wire.stats()
  t.deepEqual([heldRequests, refusedRequests], [2, 5])
})

test('removes the request that piece() answers, once', (t) => {
  const { wire, responds } = asked(2)
  wire.write(frame(6, 0, 0, LENGTH))
  t.is(wire.peerRequests.length, 3)
  wire.piece(0, 0, BLOCK)
  t.deepEqual(
    wire.peerRequests.map(({ piece }) => piece),
    [1, 0]
  )
  responds[0](null, BLOCK)
  t.is(wire.stats().sent.messages.piece, 1, 'an answer that comes too late is ignored')
})

test('reads no chunk after the callback of its write', async (t) => {
  const block = Buffer.alloc(5000, 1)
  const bytes = Buffer.concat([frame(5, Buffer.alloc(9, 2)), frame(7, 1, 2, block), requests(9)])
  const delivered = []
  const wire = greeted({ uploadBacklog: 0 })
  wire.unchoke()
  wire.resume()
  wire.on('bitfield', (bits) => delivered.push(String([...bits])))
  wire.on('piece', (piece, offset, got) => delivered.push(got.equals(block)))
  wire.on('request', (piece, offset, length, respond) => {
    delivered.push(piece)
    setImmediate(respond, new Error('not now'))
  })
  for (let at = 0; at < bytes.length; at += 1000) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + 1000))
    wire.write(chunk, () => chunk.fill(0xff))
  }
  for (let turn = 0; turn < 20; turn++) await settled() // oxlint-disable-line no-await-in-loop
  t.deepEqual(delivered, ['2,2,2,2,2,2,2,2,2', true, 0, 1, 2, 3, 4, 5, 6, 7, 8])
})

test('sends all blocks that a reader of the output adds', (t) => {
  const wire = greeted()
  const block = Buffer.alloc(4096, 7)
  let bytes = 0
  let isFirst = true
  wire.on('data', (chunk) => {
    bytes += chunk.length
    if (!isFirst) return
    isFirst = false
    for (let piece = 0; piece < 200; piece++) wire.piece(piece, 0, block)
  })
  wire.resume()
  wire.have(1)
  return settled().then(() => t.is(bytes, 9 + 200 * (HEAD + block.length)))
})

test('answers a wire in the same process that requests more than one flush sends', async (t) => {
  const [asker, answerer] = [greeted(), greeted()]
  asker.pipe(answerer).pipe(asker)
  answerer.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
  answerer.unchoke()
  await settled()
  let answered = 0
  for (let piece = 0; piece < 200; piece++) asker.request(piece, 0, 4096, () => answered++)
  for (let turn = 0; turn < 10; turn++) await settled() // oxlint-disable-line no-await-in-loop
  t.is(answered, 200)
})
