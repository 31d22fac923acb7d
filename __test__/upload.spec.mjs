// The way of a peer's requests: how many are told, what they cost, and how those held back go on.
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

/** A wire with room for two blocks, which was asked for so many; `told` holds their `respond`. */
const asked = (count, options) => {
  const wire = greeted({ uploadBacklog: 2 * (LENGTH + QUEUED_COST), ...options })
  wire.unchoke()
  readAll(wire)
  const told = []
  wire.on('request', (piece, offset, length, respond) => told.push(respond))
  wire.write(requests(count))
  return { wire, told }
}

test('tells as many requests as the backlog has room for, and one', (t) => {
  const { wire, told } = asked(10)
  t.is(told.length, 3)
  t.is(wire.peerRequests.length, 3)
  t.is(wire.stats().heldRequests, 7)
})

test('a peer that never reads costs the backlog and a block, however late the answers', async (t) => {
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

/** Where the output goes: nobody takes any of it. */
const SINKS = {
  'in the wire': () => {},
  'in a pipe with a mark of 1': (wire) => wire.pipe(stuck(1)),
  'in a pipe with a mark of 16 KiB': (wire) => wire.pipe(stuck(16 * 1024)),
  'in a pipe with a mark of 64 KiB': (wire) => wire.pipe(stuck(64 * 1024))
}

const stuck = (highWaterMark) => new Writable({ highWaterMark, write() {} })

/** When a request is answered, each by itself. */
const ANSWERS = {
  'at once': (answer) => answer(),
  'a turn later': (answer) => setImmediate(answer)
}

for (const [where, attach] of Object.entries(SINKS)) {
  for (const [when, later] of Object.entries(ANSWERS)) {
    for (const length of [1, 3, 90, 1100, 2500]) {
      test(`answers of ${length} bytes, given ${when}, cost what they cost ${where}`, async (t) => {
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
        // What a pipe takes below its mark may come on top; the head of a late answer does.
        const inPipe = wire.bufferedAmount - wire.readableLength
        const most = uploadBacklog + (2 + inPipe / (HEAD + length)) * each
        t.true(answers * (each - HEAD) <= most, `${answers}`)
        t.is(wire.stats().heldRequests, 2000)
      })
    }
  }
}

const WAYS = {
  'the answers are read': ({ wire, told }) => {
    for (const respond of told.splice(0)) respond(null, BLOCK)
    readAll(wire)
  },
  'the answers flow': ({ wire, told }) => {
    wire.resume()
    for (const respond of told.splice(0)) respond(null, BLOCK)
  },
  'the answers leave in a pipe': ({ wire, told }) => {
    const sink = new PassThrough({ highWaterMark: 1 })
    wire.pipe(sink).resume()
    for (const respond of told.splice(0)) respond(null, BLOCK)
  },
  'they are declined': ({ told }) => {
    for (const respond of told.splice(0)) respond(new Error('not now'))
  },
  'the peer cancels them': ({ wire, told }) => {
    told.length = 0
    wire.write(Buffer.concat([0, 1, 2].map((piece) => frame(8, piece, 0, LENGTH))))
  },
  'piece() answers them': ({ wire, told }) => {
    told.length = 0
    for (const piece of [0, 1, 2]) wire.piece(piece, 0, BLOCK)
    readAll(wire)
  }
}

for (const [what, act] of Object.entries(WAYS)) {
  test(`goes on with requests held back when ${what}`, async (t) => {
    const state = asked(6)
    t.is(state.told.length, 3)
    act(state)
    await settled()
    t.is(state.told.length, 3)
    t.is(state.wire.stats().heldRequests, 0)
  })
}

test('forgets requests held back when we choke, and starts anew', async (t) => {
  const { wire, told } = asked(6)
  wire.choke()
  wire.unchoke()
  wire.write(requests(2))
  await settled()
  t.is(told.length, 5)
  t.is(wire.stats().heldRequests, 0)
})

test('refuses and counts what is above maxPeerRequests, held back or not', (t) => {
  const { wire, told } = asked(10, { maxPeerRequests: 5 })
  t.is(told.length, 3)
  const { heldRequests, refusedRequests } = wire.stats()
  t.deepEqual([heldRequests, refusedRequests], [2, 5])
})

test('takes the request that piece() answers out of the queue, once', (t) => {
  const { wire, told } = asked(2)
  wire.write(frame(6, 0, 0, LENGTH))
  t.is(wire.peerRequests.length, 3)
  wire.piece(0, 0, BLOCK)
  t.deepEqual(
    wire.peerRequests.map(({ piece }) => piece),
    [1, 0]
  )
  told[0](null, BLOCK)
  t.is(wire.stats().sent.messages.piece, 1, 'an answer that comes too late is ignored')
})

test('reads nothing of a chunk once its write is called back', async (t) => {
  const block = Buffer.alloc(5000, 1)
  const bytes = Buffer.concat([frame(5, Buffer.alloc(9, 2)), frame(7, 1, 2, block), requests(9)])
  const told = []
  const wire = greeted({ uploadBacklog: 0 })
  wire.unchoke()
  wire.resume()
  wire.on('bitfield', (bits) => told.push(String([...bits])))
  wire.on('piece', (piece, offset, got) => told.push(got.equals(block)))
  wire.on('request', (piece, offset, length, respond) => {
    told.push(piece)
    setImmediate(respond, new Error('not now'))
  })
  for (let at = 0; at < bytes.length; at += 1000) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + 1000))
    wire.write(chunk, () => chunk.fill(0xff))
  }
  for (let turn = 0; turn < 20; turn++) await settled() // oxlint-disable-line no-await-in-loop
  t.deepEqual(told, ['2,2,2,2,2,2,2,2,2', true, 0, 1, 2, 3, 4, 5, 6, 7, 8])
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

test('answers a wire in the same process that asks for more than one output takes', async (t) => {
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
