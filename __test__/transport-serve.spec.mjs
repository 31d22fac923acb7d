// serve(): requests of a peer are answered off the event loop, by the rules of the wire.
/* oxlint-disable no-await-in-loop -- what a peer says comes one after the other */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { collectGarbage } from '../testkit/memory/garbage.mjs'
import { frame } from '../testkit/messages.mjs'
import { pwp } from '../testkit/wires.mjs'
import {
  CONTENT,
  COUNT,
  LENGTH,
  PIECE_LENGTH,
  allPieces,
  fetchPiece,
  fetcher,
  inFiles,
  inMemory,
  messagesOf,
  pieceOf,
  rawPeer,
  serveSource
} from './helpers/serving.mjs'

const BLOCK = 16 * 1024
const REQUEST = 6
const PIECE = 7
const CANCEL = 8
const REJECT = 16

const request = (...numbers) => frame(REQUEST, ...numbers)
const cancel = (...numbers) => frame(CANCEL, ...numbers)

const SOURCES = {
  memory: () => inMemory(),
  files: async (t) => (await inFiles(t)).source
}

const responder = { encryption: { role: 'responder', mode: 'require' } }
const initiator = { encryption: { role: 'initiator', mode: 'require' } }

/** The next message with this id. */
const nextOf = async (next, ...ids) => {
  for (;;) {
    const message = await next()
    if (message === null || ids.includes(message.id)) return message
  }
}

/** Waits until it is so: the test ends with its own time limit. */
const until = async (isSo) => {
  while (!isSo()) await sleep(5)
}

for (const [kind, make] of Object.entries(SOURCES)) {
  for (const isEncrypted of [false, true]) {
    for (const isFast of [false, true]) {
      const title = `${isEncrypted ? 'encrypted' : 'plain'}, ${isFast ? 'fast' : 'not fast'}`
      test(`all pieces of ${kind} arrive: ${title}`, async (t) => {
        const source = await make(t)
        const serving = await serveSource(t, source, isEncrypted ? responder : {})
        const wire = fetcher(t, serving, { ...(isEncrypted ? initiator : {}), isFast })
        const pieces = await Promise.all(allPieces().map((_, index) => fetchPiece(wire, index)))
        t.true(Buffer.concat(pieces).equals(CONTENT))
        const [served] = serving.wires
        let emitted = 0
        served.on('upload', (length) => (emitted += length))
        wire.destroy()
        await once(served, 'close')
        t.is(served.uploaded, LENGTH)
        t.true(emitted <= LENGTH)
        const { sent, received, peerRequests } = served.stats()
        const blocks = Math.ceil(LENGTH / BLOCK)
        t.is(sent.messages.piece, blocks)
        t.is(sent.blockBytes, LENGTH)
        t.is(received.messages.request, blocks)
        t.is(peerRequests, 0)
        t.is(served.error, null)
      })
    }
  }

  test(`many wires serve one source in ${kind}`, async (t) => {
    const source = await make(t)
    const serving = await serveSource(t, source)
    const wires = Array.from({ length: 12 }, () => fetcher(t, serving))
    const copies = await Promise.all(
      wires.map((wire) => Promise.all(allPieces().map((_, index) => fetchPiece(wire, index))))
    )
    for (const pieces of copies) t.true(Buffer.concat(pieces).equals(CONTENT))
    for (const wire of wires) await until(() => wire.stats().received.blockBytes === LENGTH)
  })

  test(`what is not in ${kind} is rejected with the fast extension`, async (t) => {
    const source = await make(t)
    t.true(source.remove(3))
    t.false(source.remove(3))
    const serving = await serveSource(t, source)
    const socket = await rawPeer(t, serving)
    const next = messagesOf(socket)
    const last = pieceOf(COUNT - 1).length
    const bad = [
      [3, 0, BLOCK],
      [COUNT, 0, BLOCK],
      [0xffffffff, 0, BLOCK],
      [0, PIECE_LENGTH - 1, 2],
      [0, 0xffffffff, BLOCK],
      [COUNT - 1, 0, last + 1]
    ]
    await nextOf(next, 1)
    for (const numbers of bad) socket.write(request(...numbers))
    socket.write(request(COUNT - 1, 0, last))
    for (const numbers of bad) t.deepEqual((await nextOf(next, REJECT, PIECE)).numbers, numbers)
    const { block } = await nextOf(next, REJECT, PIECE)
    t.true(block.equals(pieceOf(COUNT - 1)))
    t.is(serving.wires[0].stats().unanswerableRequests, bad.length)

    if (kind === 'memory') source.add(3, pieceOf(3))
    else source.add(3)
    t.true(source.has(3))
    socket.write(request(3, BLOCK, BLOCK))
    t.true((await nextOf(next, REJECT, PIECE)).block.equals(pieceOf(3).subarray(BLOCK, 2 * BLOCK)))
  })

  test(`a peer that never reads makes us read no more of ${kind} than the backlog`, async (t) => {
    const source = await make(t)
    const uploadBacklog = 128 * 1024
    const serving = await serveSource(t, source, { uploadBacklog, sendBufferSize: 256 * 1024 })
    const socket = await rawPeer(t, serving)
    socket.pause()
    await until(() => serving.wires[0]?.amChoking === false)
    const [wire] = serving.wires
    const asked = 1500
    for (let n = 0; n < asked; n++) socket.write(request(n % (COUNT - 1), (n % 4) * BLOCK, BLOCK))
    await until(() => wire.stats().received.messages.request === asked)
    let before = -1
    while (before !== wire.stats().sent.blockBytes) {
      before = wire.stats().sent.blockBytes
      await sleep(100)
    }
    const { bufferedAmount, sent, peerRequests } = wire.stats()
    t.true(bufferedAmount <= uploadBacklog + 2 * BLOCK, `${bufferedAmount}`)
    t.is(sent.messages.piece + peerRequests, asked)
    t.true(peerRequests > asked / 2, `${peerRequests}`)

    // Once it reads, it gets all of them.
    const next = messagesOf(socket)
    for (let n = 0; n < asked; n++) {
      const { numbers, block } = await nextOf(next, PIECE)
      const [piece, offset] = [n % (COUNT - 1), (n % 4) * BLOCK]
      if (numbers[0] !== piece || numbers[1] !== offset) t.fail(`${n}: ${numbers}`)
      if (!block.equals(pieceOf(piece).subarray(offset, offset + BLOCK))) t.fail(`block ${n}`)
    }
    // The thread counts a block once it has left.
    await until(() => wire.stats().peerRequests === 0)
  })

  for (const isFast of [true, false]) {
    test(`choke() drops what waits of ${kind}: ${isFast ? 'fast' : 'not fast'}`, async (t) => {
      const source = await make(t)
      const serving = await serveSource(t, source, { sendBufferSize: 256 * 1024 })
      const socket = await rawPeer(t, serving, isFast)
      socket.pause()
      await until(() => serving.wires[0]?.amChoking === false)
      const [wire] = serving.wires
      const asked = 1000
      for (let n = 0; n < asked; n++) socket.write(request(n % (COUNT - 1), 0, BLOCK))
      await until(() => wire.stats().received.messages.request === asked)
      wire.choke()
      wire.have(7)
      await until(() => wire.stats().peerRequests === 0)
      const { sent } = wire.stats()

      const next = messagesOf(socket)
      const seen = { before: 0, after: 0, rejects: 0 }
      let isChoked = false
      for (;;) {
        const message = await nextOf(next, 0, 4, PIECE, REJECT)
        if (message.id === 0) isChoked = true
        else if (message.id === PIECE) seen[isChoked ? 'after' : 'before']++
        else if (message.id === REJECT) {
          t.true(isChoked)
          seen.rejects++
        }
        if (isChoked && (isFast ? seen.before + seen.rejects === asked : message.id === 4)) break
      }
      t.is(seen.after, 0)
      t.is(seen.before, sent.messages.piece)
      t.is(seen.rejects, isFast ? asked - seen.before : 0)
      t.true(seen.before < asked)

      // It is served again after an unchoke, and while it is choked not.
      socket.write(request(2, 0, BLOCK))
      await until(() => wire.stats().ignoredRequests === 1)
      if (isFast) t.is((await nextOf(next, REJECT, PIECE)).id, REJECT)
      wire.unchoke()
      await nextOf(next, 1)
      socket.write(request(4, 0, BLOCK))
      t.deepEqual((await nextOf(next, PIECE)).numbers, [4, 0])
    })
  }

  test(`cancelled requests for ${kind} are not answered`, async (t) => {
    const source = await make(t)
    const serving = await serveSource(t, source, { sendBufferSize: 256 * 1024 })
    const socket = await rawPeer(t, serving)
    socket.pause()
    await until(() => serving.wires[0]?.amChoking === false)
    const [wire] = serving.wires
    const asked = 1000
    for (let n = 0; n < asked; n++) socket.write(request(n % (COUNT - 1), 0, BLOCK))
    // The last ones cannot have left.
    for (let n = asked - 100; n < asked; n++) socket.write(cancel(n % (COUNT - 1), 0, BLOCK))
    await until(() => wire.stats().received.messages.cancel === 100)
    const next = messagesOf(socket)
    const counts = { pieces: 0, rejects: 0 }
    while (counts.pieces + counts.rejects < asked) {
      const { id } = await nextOf(next, PIECE, REJECT)
      counts[id === PIECE ? 'pieces' : 'rejects']++
    }
    t.deepEqual(counts, { pieces: asked - 100, rejects: 100 })
  })
}

test('allowed pieces are served while we choke', async (t) => {
  const serving = await serveSource(t, inMemory(), {}, (wire) => {
    wire.on('handshake', () => {
      wire.choke()
      wire.allowedFast(5)
    })
  })
  const socket = await rawPeer(t, serving)
  const next = messagesOf(socket)
  await nextOf(next, 17)
  socket.write(Buffer.concat([request(4, 0, BLOCK), request(5, 0, BLOCK)]))
  const answers = [await nextOf(next, PIECE, REJECT), await nextOf(next, PIECE, REJECT)]
  const found = answers.map(({ id, numbers }) => [id, numbers[0]])
  t.deepEqual(
    found.toSorted(([a], [b]) => a - b),
    [
      [PIECE, 5],
      [REJECT, 4]
    ]
  )
})

test('requests that were read before are handed over, and those after it are ours again', async (t) => {
  const source = inMemory()
  const requests = []
  const serving = await serveSource(t, null, {}, (wire) => {
    wire.removeAllListeners('request')
    wire.on('request', (piece, offset, length, respond) => requests.push({ piece, respond }))
  })
  const socket = await rawPeer(t, serving)
  const next = messagesOf(socket)
  await nextOf(next, 1)
  socket.write(Buffer.concat([request(1, 0, BLOCK), request(2, 0, BLOCK), request(3, 0, BLOCK)]))
  socket.write(cancel(3, 0, BLOCK))
  await until(() => requests.length === 3)
  const [wire] = serving.wires
  wire.serve(source)
  // It has no request to answer any more.
  requests[0].respond(null, Buffer.alloc(BLOCK))
  const answers = [await nextOf(next, PIECE, REJECT), await nextOf(next, PIECE, REJECT)]
  answers.push(await nextOf(next, PIECE, REJECT))
  const blocks = answers.filter(({ id }) => id === PIECE)
  t.deepEqual(
    blocks.slice(0, 2).map(({ numbers }) => numbers),
    [
      [1, 0],
      [2, 0]
    ]
  )
  for (const { numbers, block } of blocks) {
    t.true(block.equals(pieceOf(numbers[0]).subarray(0, BLOCK)))
  }
  socket.write(request(6, 0, BLOCK))
  t.deepEqual((await nextOf(next, PIECE)).numbers, [6, 0])
  t.is(requests.length, 3)

  wire.serve(null)
  socket.write(request(8, 0, BLOCK))
  await until(() => requests.length === 4)
  t.is(requests[3].piece, 8)
  requests[3].respond(null, pieceOf(8).subarray(0, BLOCK))
  t.true((await nextOf(next, PIECE)).block.equals(pieceOf(8).subarray(0, BLOCK)))
})

test('a source that is closed rejects, and takes nothing', async (t) => {
  const source = inMemory()
  const serving = await serveSource(t, source)
  const wire = fetcher(t, serving)
  t.true((await fetchPiece(wire, 0)).equals(pieceOf(0)))
  source.close()
  source.close()
  t.true(source.closed)
  t.false(source.has(0))
  t.is((await t.throwsAsync(fetchPiece(wire, 1))).code, 'ERR_PWP_PIECE_REJECTED')
  t.throws(() => source.add(0, pieceOf(0)), { code: 'ERR_PWP_SOURCE_CLOSED' })
  t.throws(() => serving.wires[0].serve(source), { code: 'ERR_PWP_SOURCE_CLOSED' })
})

test('the bytes of pieces in memory are copied', async (t) => {
  const mine = Buffer.from(pieceOf(0))
  const source = new pwp.PieceSource({
    pieceLength: PIECE_LENGTH,
    length: LENGTH,
    pieces: new Map([[0, mine]])
  })
  mine.fill(0)
  const wire = fetcher(t, await serveSource(t, source))
  t.true((await fetchPiece(wire, 0)).equals(pieceOf(0)))
})

test('pieces in memory are not kept beside their copies', async (t) => {
  let source
  const given = (() => {
    const mine = Buffer.alloc(PIECE_LENGTH, 1)
    source = new pwp.PieceSource({ pieceLength: PIECE_LENGTH, length: LENGTH, pieces: [mine] })
    return new WeakRef(mine)
  })()
  while (given.deref() !== undefined) {
    await sleep(1)
    collectGarbage()
  }
  t.true(source.has(0))
})

test('options of a source serve without one', async (t) => {
  const options = { pieceLength: PIECE_LENGTH, length: LENGTH, pieces: allPieces() }
  const wire = fetcher(t, await serveSource(t, options))
  t.true((await fetchPiece(wire, COUNT - 1)).equals(pieceOf(COUNT - 1)))
})
