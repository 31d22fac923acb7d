// The way of a peer's requests: how many are told, what they cost, and how those held back go on.
import { PassThrough } from 'node:stream'

import test from 'ava'

import { frame } from './helpers/messages.mjs'
import { greeted, settled } from './helpers/wires.mjs'

const LENGTH = 16 * 1024
const BLOCK = Buffer.alloc(LENGTH)
const HEAD = 13

const requests = (count) =>
  Buffer.concat(Array.from({ length: count }, (_, piece) => frame(6, piece, 0, LENGTH)))

/** A wire with room for two blocks, which was asked for so many; `told` holds their `respond`. */
const asked = (count, options) => {
  const wire = greeted({ uploadBacklog: 2 * LENGTH, ...options })
  wire.unchoke()
  wire.read()
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

const WAYS = {
  'the answers are read': ({ wire, told }) => {
    for (const respond of told.splice(0)) respond(null, BLOCK)
    wire.read()
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
    wire.read()
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
