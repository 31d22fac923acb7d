// Memory of pwp.allocate(): the I/O thread writes pieces into it, whatever becomes of the view that it was given.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'

import { inTurn } from '../testkit/in-turn.mjs'
import { collectGarbage } from '../testkit/memory/garbage.mjs'
import { frame } from '../testkit/messages.mjs'
import {
  BLOCK,
  KINDS,
  bytesAt,
  expectPeer,
  failureOf,
  meet,
  sha1Of
} from '../testkit/piece-peer.mjs'
import { dial, serve, wireAndSocket } from '../testkit/native.mjs'
import { HANDSHAKE, pwp } from '../testkit/wires.mjs'

const COUNT = 4
const LENGTH = (COUNT - 1) * BLOCK + 100
const HASH = sha1Of(1, LENGTH)
const ID = Buffer.alloc(20, 1)
const WORKER = fileURLToPath(new URL('../testkit/workers/fetching.cjs', import.meta.url))

const both = (title, body) => {
  for (const kind of KINDS) test(`${kind}: ${title}`, (t) => body(t, kind))
}

/** A fetch of which the first blocks were sent; settles when they have arrived. */
const begun = async (t, into, count = 1) => {
  const [wire, peer] = await meet(t, 'native')
  const outcome = wire.fetchPiece(1, { length: LENGTH, hash: HASH, into })
  outcome.catch(() => {})
  const requests = await peer.take(COUNT)
  const arrived = once(wire, 'download')
  for (const request of requests.slice(0, count)) peer.answer(request)
  if (count > 0) await arrived
  return { wire, peer, outcome, open: requests.slice(count) }
}

test('it is zeros, of any length', (t) => {
  for (const length of [0, 1, 100, 2 ** 20]) {
    const memory = pwp.allocate(length)
    t.true(Buffer.isBuffer(memory))
    t.deepEqual(memory, Buffer.alloc(length))
    t.is(memory.buffer.byteLength, length)
  }
})

test('mistakes throw at once, and name the argument', (t) => {
  for (const length of [undefined, '1', -1, 1.5, 2 ** 30 + 1]) {
    t.throws(() => pwp.allocate(length), { message: /^length must be/ })
  }
})

both('a piece in it, or in a part of it', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  const whole = pwp.allocate(2 * LENGTH)
  const parts = [whole.subarray(7), new Uint8Array(whole.buffer, LENGTH, LENGTH), whole]
  await inTurn(parts, async (into) => {
    whole.fill(0)
    const piece = await wire.fetchPiece(1, { length: LENGTH, hash: HASH, into })
    t.is(piece.buffer, whole.buffer)
    t.is(piece.byteOffset, into.byteOffset)
    t.deepEqual(piece, bytesAt(1, 0, LENGTH))
    const end = into.byteOffset + LENGTH
    t.deepEqual(whole.subarray(end), Buffer.alloc(2 * LENGTH - end))
  })
})

both('a piece that goes on in it', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  const bytes = bytesAt(1, 0, LENGTH)
  const resume = { index: 1, ranges: [[BLOCK, 2 * BLOCK]], bytes }
  const into = pwp.allocate(LENGTH)
  const piece = await wire.fetchPiece(1, { length: LENGTH, hash: HASH, into, resume })
  t.is(piece.buffer, into.buffer)
  t.deepEqual(piece, bytes)
  t.is(wire.downloaded, LENGTH - BLOCK)
})

test('blocks are written there as they arrive', async (t) => {
  const into = pwp.allocate(LENGTH)
  const { peer, outcome, open } = await begun(t, into)
  t.deepEqual(into.subarray(0, BLOCK), bytesAt(1, 0, BLOCK))
  t.deepEqual(into.subarray(BLOCK), Buffer.alloc(LENGTH - BLOCK))
  for (const request of open) peer.answer(request)
  t.deepEqual(await outcome, bytesAt(1, 0, LENGTH))
})

test('nothing is written there once a fetch has failed, and what had arrived is a copy', async (t) => {
  const into = pwp.allocate(LENGTH)
  const abort = new AbortController()
  const [wire, peer] = await meet(t, 'native')
  const outcome = wire.fetchPiece(1, { length: LENGTH, into, signal: abort.signal })
  const requests = await peer.take(COUNT)
  const arrived = once(wire, 'download')
  peer.answer(requests[0])
  await arrived
  abort.abort()
  const { partial } = await failureOf(outcome)
  t.deepEqual(partial.ranges, [[0, BLOCK]])
  t.not(partial.bytes.buffer, into.buffer)
  into.fill(0)
  t.deepEqual(partial.bytes.subarray(0, BLOCK), bytesAt(1, 0, BLOCK))
  for (const request of requests.slice(1)) peer.answer(request)
  peer.serve()
  // What comes later on the same connection.
  await wire.fetchPiece(2, { length: LENGTH })
  t.deepEqual(into, Buffer.alloc(LENGTH))
})

test('a wrong piece is told with a copy of its own', async (t) => {
  const [wire] = await meet(t, 'native', { serves: true })
  const into = pwp.allocate(LENGTH)
  const error = await failureOf(
    wire.fetchPiece(1, { length: LENGTH, hash: sha1Of(2, LENGTH), into })
  )
  t.is(error.code, 'ERR_PWP_PIECE_HASH')
  t.not(error.partial.bytes.buffer, into.buffer)
  t.deepEqual(error.partial.bytes, bytesAt(1, 0, LENGTH))
})

const WAYS = {
  structuredClone: ({ buffer }) => structuredClone(buffer, { transfer: [buffer] }),
  // Node 21 and later.
  transfer: ({ buffer }) => buffer.transfer?.() ?? buffer,
  'a shorter transfer': ({ buffer }) => buffer.transfer?.(LENGTH - 1) ?? buffer
}

for (const [name, take] of Object.entries(WAYS)) {
  test(`it is taken away by ${name} while a piece arrives`, async (t) => {
    const into = pwp.allocate(LENGTH)
    const { wire, peer, outcome, open } = await begun(t, into)
    let taken = null
    try {
      taken = take(into)
    } catch (error) {
      t.true(error.name === 'DataCloneError' || error instanceof TypeError)
    }
    for (const request of open) peer.answer(request)
    const expected = bytesAt(1, 0, LENGTH)
    if (into.length === LENGTH) {
      t.deepEqual(await outcome, expected)
    } else {
      const error = await failureOf(outcome)
      t.is(error.code, 'ERR_PWP_MEMORY_CHANGED')
      t.deepEqual(error.partial.ranges, [[0, LENGTH]])
      t.deepEqual(error.partial.bytes, expected)
      t.deepEqual(Buffer.from(taken).subarray(0, BLOCK), expected.subarray(0, BLOCK))
    }
    t.false(wire.destroyed)
  })
}

test('it is given up by its users while pieces arrive', async (t) => {
  const [wire] = await meet(t, 'native', { serves: true })
  await inTurn(Array(10).keys(), async () => {
    const [other, peer] = await meet(t, 'native')
    const outcomes = Array.from({ length: 20 }, (_, piece) =>
      failureOf(other.fetchPiece(piece, { length: LENGTH, into: pwp.allocate(LENGTH) }))
    )
    const [, ...requests] = await peer.take(COUNT)
    for (const request of requests) peer.answer(request)
    other.destroy()
    for (const error of await Promise.all(outcomes)) t.is(error.code, 'ERR_PWP_CLOSED')
    collectGarbage()
    const piece = await wire.fetchPiece(1, {
      length: LENGTH,
      hash: HASH,
      into: pwp.allocate(LENGTH)
    })
    t.deepEqual(piece, bytesAt(1, 0, LENGTH))
  })
})

const rc4 = (role) => ({ role, mode: 'require', methods: ['rc4'] })
const ENCRYPTIONS = {
  'in clear text': [{}, {}],
  enciphered: [{ encryption: rc4('initiator') }, { infoHashes: ID, encryption: rc4('responder') }]
}

for (const [name, [dialing, accepting]] of Object.entries(ENCRYPTIONS)) {
  test(`blocks in it are sent, and nobody else has it any more, ${name}`, async (t) => {
    const lengths = [1, 4095, 4096, BLOCK, 2 * BLOCK]
    const server = await serve(t, accepting, (other) => {
      other.on('handshake', () => {
        other.handshake(ID, ID)
        other.unchoke()
      })
      other.on('request', (piece, offset, length, respond) => {
        const memory = pwp.allocate(length + 3)
        memory.set(bytesAt(piece, offset, length), 3)
        respond(null, memory.subarray(3))
        if (piece % 10 === 0) collectGarbage()
      })
    })
    const wire = dial(t, server, dialing)
    wire.handshake(ID, ID)
    await once(wire, 'unchoke')
    const requests = Array.from({ length: 100 }, (_, piece) => [piece, lengths[piece % 5]])
    const blocks = await Promise.all(
      requests.map(([piece, length]) => wire.requestBlock(piece, 7, length))
    )
    for (const [piece, length] of requests) t.deepEqual(blocks[piece], bytesAt(piece, 7, length))
    t.is(
      wire.downloaded,
      requests.reduce((sum, [, length]) => sum + length, 0)
    )
  })
}

test('blocks of it may be used again once they have left', async (t) => {
  const [wire, socket] = await wireAndSocket(t)
  const block = pwp.allocate(128 * 1024)
  wire.handshake(ID, ID)
  wire.unchoke()
  const received = []
  let left = 73 + 20 * (13 + block.length)
  const all = new Promise((resolve) => {
    socket.on('data', (chunk) => {
      received.push(chunk)
      left -= chunk.length
      if (left === 0) resolve()
    })
  })
  for (let piece = 0; piece < 20; piece++) {
    block.fill(piece)
    wire.piece(piece, 0, block)
    await wire.flushed() // oxlint-disable-line no-await-in-loop
  }
  block.fill(0xff)
  await all
  const bytes = Buffer.concat(received).subarray(73)
  for (let piece = 0; piece < 20; piece++) {
    const start = piece * (13 + block.length) + 13
    t.true(bytes.subarray(start, start + block.length).every((byte) => byte === piece))
  }
})

test('a wire ends with blocks of it that have not left', async (t) => {
  const [wire, socket] = await wireAndSocket(t)
  socket.pause()
  wire.handshake(ID, ID)
  wire.unchoke()
  wire.on('request', (piece, offset, length, respond) => respond(null, pwp.allocate(length)))
  const requests = Array.from({ length: 100 }, (_, piece) => frame(6, piece, 0, 128 * 1024))
  socket.write(Buffer.concat([HANDSHAKE, ...requests]))
  await once(wire, 'request')
  collectGarbage()
  const closed = once(wire, 'close')
  wire.destroy()
  await closed
  socket.destroy()
  collectGarbage()
  t.is(pwp.allocate(128 * 1024).length, 128 * 1024)
})

test('a thread that has it ends while a piece arrives', async (t) => {
  await inTurn(Array(3).keys(), async () => {
    const { port, peer } = await expectPeer(t)
    const worker = new Worker(WORKER, { workerData: { port, length: 1024 * BLOCK } })
    t.teardown(() => worker.terminate())
    const serving = await peer
    serving.serve()
    serving.unchoke()
    t.deepEqual(await once(worker, 'message'), ['download'])
    await worker.terminate()
  })
  const [wire] = await meet(t, 'native', { serves: true })
  const into = pwp.allocate(LENGTH)
  t.deepEqual(await wire.fetchPiece(1, { length: LENGTH, hash: HASH, into }), bytesAt(1, 0, LENGTH))
})
