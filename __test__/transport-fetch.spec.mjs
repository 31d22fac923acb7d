// fetchPiece() of native wires and of streams: pieces that arrive, and how they are checked and counted.
import test from 'ava'

import { inTurn } from '../testkit/in-turn.mjs'
import { BLOCK, KINDS, bytesAt, dial, failureOf, meet, sha1Of } from '../testkit/piece-peer.mjs'
import { announce } from '../testkit/extensions.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

const LENGTH = 5 * BLOCK + 100
const MIB = 2 ** 20

const both = (title, body) => {
  for (const kind of KINDS) test(`${kind}: ${title}`, (t) => body(t, kind))
}

both('a piece whose SHA-1 is right', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  const expected = bytesAt(3, 0, LENGTH)
  const hash = sha1Of(3, LENGTH)
  await inTurn([hash, hash.toUpperCase(), Buffer.from(hash, 'hex')], async (form) => {
    const piece = await wire.fetchPiece(3, { length: LENGTH, hash: form })
    t.true(Buffer.isBuffer(piece))
    t.deepEqual(piece, expected)
  })
  t.deepEqual(await wire.fetchPiece(3, { length: LENGTH }), expected)
})

both('a piece whose hash is wrong', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  await inTurn([sha1Of(4, LENGTH), Buffer.alloc(32)], async (hash) => {
    const error = await failureOf(wire.fetchPiece(3, { length: LENGTH, hash }))
    t.true(error instanceof pwp.ProtocolError)
    t.is(error.code, 'ERR_PWP_PIECE_HASH')
    t.is(error.piece, 3)
    t.is(error.partial.index, 3)
    t.deepEqual(error.partial.ranges, [])
    t.deepEqual(error.partial.bytes, bytesAt(3, 0, LENGTH))
  })
  t.false(wire.destroyed)
})

both('a piece of version 2, and the last one, which is shorter', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  const pieceLength = 8 * BLOCK
  await inTurn([pieceLength, LENGTH, BLOCK, 1], async (length) => {
    const expected = bytesAt(9, 0, length)
    const hash = pwp.pieceRoot(expected, { pieceLength })
    t.deepEqual(await wire.fetchPiece(9, { length, hash, pieceLength }), expected)
    // A file that is no longer than a piece has a root without padding to one.
    const root = pwp.pieceRoot(expected)
    t.deepEqual(await wire.fetchPiece(9, { length, hash: root.toString('hex') }), expected)
    if (root.equals(hash)) return
    const error = await failureOf(wire.fetchPiece(9, { length, hash: root, pieceLength }))
    t.is(error.code, 'ERR_PWP_PIECE_HASH')
  })
})

both('many pieces at once are asked for in their order', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, { serves: true })
  const indices = Array.from({ length: 200 }, (_, at) => 200 - at)
  const pieces = await Promise.all(
    indices.map((index) => wire.fetchPiece(index, { length: LENGTH, hash: sha1Of(index, LENGTH) }))
  )
  pieces.forEach((piece, at) => t.true(piece.equals(bytesAt(indices[at], 0, LENGTH))))
  t.deepEqual(
    peer.asked.map(([piece]) => piece),
    indices.flatMap((index) => Array(6).fill(index))
  )
})

both('1,000 pieces that wait end with their wire', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const outcomes = Array.from({ length: 1000 }, (_, index) =>
    failureOf(wire.fetchPiece(index, { length: MIB }))
  )
  const window = await peer.take(64)
  t.is(new Set(window.map(([piece]) => piece)).size, 1)
  wire.destroy()
  for (const error of await Promise.all(outcomes)) t.is(error.code, 'ERR_PWP_CLOSED')
  t.is(peer.asked.length, 64)
})

both('a piece of 16 MiB', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  const length = 16 * MIB
  const piece = await wire.fetchPiece(0, { length, hash: sha1Of(0, length) })
  t.true(piece.equals(bytesAt(0, 0, length)))
})

both('blocks have the length that was asked for', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, { serves: true })
  await wire.fetchPiece(1, { length: 100, blockLength: 30, hash: sha1Of(1, 100) })
  const offsets = [0, 30, 60, 90]
  t.deepEqual(
    peer.asked,
    offsets.map((offset) => [1, offset, Math.min(30, 100 - offset)])
  )
  peer.asked.length = 0
  await wire.fetchPiece(1, { length: 100, blockLength: 1000 })
  t.deepEqual(peer.asked, [[1, 0, 100]])
})

both('the same piece twice at once', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const first = wire.fetchPiece(1, { length: LENGTH })
  await peer.until(() => peer.requests.length === 6)
  const error = await failureOf(wire.fetchPiece(1, { length: LENGTH }))
  t.is(error.code, 'ERR_PWP_PIECE_TWICE')
  peer.serve()
  t.deepEqual(await first, bytesAt(1, 0, LENGTH))
  t.deepEqual(await wire.fetchPiece(1, { length: LENGTH }), bytesAt(1, 0, LENGTH))
})

both('no more is asked for than the peer keeps', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, {}, { extensions: true })
  const pieces = [0, 1, 2].map((index) => wire.fetchPiece(index, { length: 20 * BLOCK }))
  await peer.until(() => peer.requests.length === 60)
  // It tells only now, and less than there is open.
  peer.send(announce({ reqq: 3 }))
  peer.serve()
  await Promise.all(pieces)
  peer.isServing = false
  const later = wire.fetchPiece(4, { length: 20 * BLOCK })
  await inTurn([20, 18, 16, 14, 12, 10, 8, 6, 4, 2], async (left) => {
    const open = await peer.take(Math.min(left, 3))
    await settled()
    t.deepEqual(peer.requests, [])
    for (const request of open.splice(0, 2)) peer.answer(request)
    peer.requests.unshift(...open)
  })
  t.deepEqual(await later, bytesAt(4, 0, 20 * BLOCK))
})

both('a block that the wire requests by itself, too', async (t, kind) => {
  const [wire, peer] = await meet(t, kind)
  const before = wire.requestBlock(1, 0, BLOCK)
  const piece = wire.fetchPiece(1, { length: 2 * BLOCK, hash: sha1Of(1, 2 * BLOCK) })
  const after = wire.requestBlock(1, BLOCK, BLOCK)
  await peer.until(() => peer.requests.length === 4)
  peer.serve()
  t.deepEqual(await before, bytesAt(1, 0, BLOCK))
  t.deepEqual(await after, bytesAt(1, BLOCK, BLOCK))
  t.deepEqual(await piece, bytesAt(1, 0, 2 * BLOCK))
  t.is(wire.downloaded, 4 * BLOCK)
})

both('bytes are counted when the piece is there', async (t, kind) => {
  const [wire] = await meet(t, kind, { serves: true })
  let sum = 0
  let blocks = 0
  wire.on('download', (length) => (sum += length))
  wire.on('piece', () => blocks++)
  const length = 3 * MIB
  await wire.fetchPiece(0, { length, hash: sha1Of(0, length) })
  t.is(wire.downloaded, length)
  t.is(sum, length)
  const { received, sent } = wire.stats()
  t.is(received.blockBytes, length)
  t.is(received.messages.piece, length / BLOCK)
  t.is(sent.messages.request, length / BLOCK)
  // Those of a stream are requests of the wire.
  t.is(blocks, kind === 'native' ? 0 : length / BLOCK)
  await wire.requestBlock(1, 0, BLOCK)
  t.is(wire.downloaded, length + BLOCK)
  t.is(wire.stats().received.blockBytes, length + BLOCK)
})

test('native: a fetch that begins before the wire is connected', async (t) => {
  const server = pwp.createServer((wire) => {
    wire.on('handshake', (infoHash) => {
      wire.handshake(infoHash, Buffer.alloc(20, 2))
      wire.unchoke()
    })
    wire.on('request', (piece, offset, length, respond) =>
      respond(null, bytesAt(piece, offset, length))
    )
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const wire = dial(t, 'native', server.address().port)
  wire.handshake(Buffer.alloc(20, 1), Buffer.alloc(20, 3))
  const hash = Buffer.from(sha1Of(2, LENGTH), 'hex')
  const resume = { index: 2, ranges: [[0, BLOCK]], bytes: bytesAt(2, 0, LENGTH) }
  const piece = wire.fetchPiece(2, { length: LENGTH, hash, resume })
  // What was given is the caller's again.
  hash.fill(0)
  resume.bytes.fill(0)
  resume.ranges.length = 0
  t.deepEqual(await piece, bytesAt(2, 0, LENGTH))
  t.is(wire.downloaded, LENGTH - BLOCK)
})

test('native: encrypted', async (t) => {
  const infoHash = Buffer.alloc(20, 1)
  const encryption = { role: 'responder', mode: 'require', methods: ['rc4'] }
  const server = pwp.createServer({ infoHashes: infoHash, encryption }, (wire) => {
    wire.on('handshake', () => {
      wire.handshake(infoHash, Buffer.alloc(20, 2))
      wire.unchoke()
    })
    wire.on('request', (piece, offset, length, respond) =>
      respond(null, bytesAt(piece, offset, length))
    )
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const wire = dial(t, 'native', server.address().port, {
    encryption: { role: 'initiator', mode: 'require', methods: ['rc4'] }
  })
  wire.handshake(infoHash, Buffer.alloc(20, 3))
  const pieces = await Promise.all(
    [0, 1, 2, 3].map((index) => wire.fetchPiece(index, { length: MIB, hash: sha1Of(index, MIB) }))
  )
  pieces.forEach((piece, index) => t.true(piece.equals(bytesAt(index, 0, MIB))))
  t.is(wire.encryption.method, 'rc4')
})

const WRONG = {
  'index must be': [-1, { length: 1 }],
  'options must be an object': [0, undefined],
  'options.length must be a number': [0, {}],
  'options.length must be at least 1': [0, { length: 0 }],
  'options.length must be an integer from 0 to 1073741824': [0, { length: 2 ** 30 + 1 }],
  'options.hash must have 20 or 32 bytes': [0, { length: 1, hash: Buffer.alloc(21) }],
  'options.hash must have 40 or 64 hex digits': [0, { length: 1, hash: 'ab' }],
  'options.hash must be a Buffer': [0, { length: 1, hash: 5 }],
  'options.pieceLength must be a power of two': [0, { length: 1, pieceLength: BLOCK + 1 }],
  'options.pieceLength must be no less than': [
    0,
    { length: BLOCK + 1, pieceLength: BLOCK, hash: Buffer.alloc(32) }
  ],
  'options.blockLength must be at least 1': [0, { length: 1, blockLength: 0 }],
  'into at most 262144 blocks': [0, { length: 2 ** 18 + 1, blockLength: 1 }],
  'options.blockLength must be at most 1048567': [0, { length: 2 * MIB, blockLength: MIB }],
  'options.timeout must be from 0': [0, { length: 1, timeout: -1 }],
  'options.signal must be an AbortSignal': [0, { length: 1, signal: {} }],
  'options.into must be a Buffer': [0, { length: 1, into: new Uint16Array(4) }],
  'options.into must have room': [0, { length: 2, into: new Uint8Array(1) }],
  'options.endOnChoke must be a boolean': [0, { length: 1, endOnChoke: 1 }],
  'options.resume must be an object': [0, { length: 1, resume: [] }],
  'options.resume must be of the same piece': [0, { length: 1, resume: { index: 1 } }],
  'options.resume.bytes must be a Buffer': [0, { length: 1, resume: { index: 0, ranges: [] } }],
  'options.resume.ranges must be an array': [
    0,
    { length: 1, resume: { index: 0, ranges: 1, bytes: Buffer.alloc(1) } }
  ],
  'options.resume.ranges must be in order': [
    0,
    { length: 9, resume: { index: 0, ranges: [[3, 3]], bytes: Buffer.alloc(9) } }
  ],
  'options.resume.bytes must have the length': [
    0,
    { length: 9, resume: { index: 0, ranges: [[3, 4]], bytes: Buffer.alloc(8) } }
  ]
}

both('mistakes throw at once, and name the argument', async (t, kind) => {
  const [wire, peer] = await meet(t, kind, { serves: true })
  for (const [message, args] of Object.entries(WRONG)) {
    const error = t.throws(() => wire.fetchPiece(...args), undefined, message)
    t.true(error.message.includes(message), `${error.message} / ${message}`)
  }
  await wire.fetchPiece(0, { length: 1, resume: null, into: null, signal: null, hash: null })
  t.is(peer.asked.length, 1)
})
