// Peers that send what makes no sense, and that request metadata without reading them: ignored and counted, or one
// typed error, in bounded memory.
import test from 'ava'
import BittorrentWire from 'bittorrent-protocol'

import { EXTENDED_HANDSHAKE, INFO_HASH, announce, extended } from '../testkit/extensions.mjs'
import {
  PIECE,
  connect,
  data,
  greet,
  hashOf,
  infoOf,
  peerOf,
  read,
  reject,
  request,
  settle
} from '../testkit/metadata.mjs'
import { pwp } from '../testkit/wires.mjs'
import { encodeHandshake } from '../testkit/messages.mjs'

/** Our id for the extension: the first. */
const ID = 1

const handshakeFor = (infoHash) =>
  encodeHandshake({
    reserved: [0, 0, 0, 0, 0, 0x10, 0, 0],
    infoHash,
    peerId: Buffer.alloc(20, 'peer')
  })

/** What a peer sends first, with this size of metadata. */
const opening = (infoHash, size) =>
  Buffer.concat([
    handshakeFor(infoHash),
    announce({ m: { ut_metadata: 3 }, ...(size === undefined ? {} : { metadata_size: size }) })
  ])

/** A wire of ours which nobody reads, after both handshakes. */
const unread = (info, options) => {
  const wire = pwp(options)
  wire.on('error', () => {})
  wire.serveMetadata(info)
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  wire.write(opening(hashOf(info)))
  return wire
}

/** The messages of ut_metadata that wait in a wire. */
const messagesIn = (wire) => {
  const messages = []
  let bytes = wire.read() ?? Buffer.alloc(0)
  for (let chunk = wire.read(); chunk !== null; chunk = wire.read())
    bytes = Buffer.concat([bytes, chunk])
  while (bytes.length > 0) {
    const length = bytes[0] === 19 ? 68 : 4 + bytes.readUInt32BE(0)
    if (bytes[4] === 20 && bytes[5] === 3) messages.push(bytes.subarray(6, length))
    bytes = bytes.subarray(length)
  }
  return messages
}

const bencoded = (text) => extended(ID, text)

test('answers only requests for pieces that there are', async (t) => {
  const info = infoOf(2 * PIECE)
  const wire = unread(info)
  messagesIn(wire)
  for (const piece of [3, 1_000_000, 2 ** 31 - 1]) wire.write(extended(ID, request(piece)))
  await settle()
  t.deepEqual(
    messagesIn(wire).map((message) => read(message)),
    [3, 1_000_000, 2 ** 31 - 1].map((piece) => ({ msg_type: 2, piece }))
  )
  for (const piece of ['i-5e', 'i2147483648e', 'i9223372036854775808e', '1:0', 'le'])
    wire.write(bencoded(`d8:msg_typei0e5:piece${piece}e`))
  for (const message of ['', 'd', 'le', 'd8:msg_typei0ee', 'x'.repeat(20_000)])
    wire.write(bencoded(message))
  // Another type is not an offence: BEP 9.
  wire.write(bencoded('d8:msg_typei7ee'))
  await settle()
  t.deepEqual(messagesIn(wire), [])
  t.deepEqual(wire.ut_metadata.stats(), {
    answered: 0,
    rejected: 3,
    waiting: 0,
    ignoredRequests: 0,
    ignoredMessages: 10
  })
  wire.write(extended(ID, request(2)))
  await settle()
  t.deepEqual(messagesIn(wire), [data(info, 2)])
})

test('ignores requests that come before the peer has announced the extension', async (t) => {
  const info = infoOf(100)
  const wire = pwp()
  wire.serveMetadata(info)
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  wire.write(handshakeFor(hashOf(info)))
  wire.write(extended(ID, request(0)))
  wire.write(announce({ m: { ut_metadata: 0 }, metadata_size: 5 }))
  wire.write(extended(ID, request(0)))
  await settle()
  t.deepEqual(messagesIn(wire), [])
  t.like(wire.ut_metadata.stats(), { answered: 0, rejected: 0, ignoredRequests: 2 })
})

test('ignores data and rejects that nobody asked for, before and after the handshakes', async (t) => {
  const info = infoOf(100)
  const wire = pwp()
  wire.use(pwp.extensions.utMetadata())
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  wire.write(handshakeFor(hashOf(info)))
  const nonsense = [data(info, 0), data(info, 0, 1_000_000), reject(0), reject(2 ** 31 - 1)]
  for (const message of nonsense) wire.write(extended(ID, message))
  wire.write(announce({ m: { ut_metadata: 3 }, metadata_size: info.length }))
  for (const message of nonsense) wire.write(extended(ID, message))
  await settle()
  t.is(wire.ut_metadata.stats().ignoredMessages, 8)
  t.is(wire.ut_metadata.metadata, undefined)
  t.deepEqual(messagesIn(wire), [])
  // The peer may still give them.
  const fetched = wire.metadata()
  await settle()
  t.deepEqual(read(messagesIn(wire)[0]), { msg_type: 0, piece: 0 })
  wire.write(extended(ID, data(info, 0)))
  t.deepEqual(await fetched, info)
})

test('a total_size that differs from what was announced is ignored', async (t) => {
  const info = infoOf(100)
  const wire = pwp()
  const fetched = wire.metadata()
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  wire.write(opening(hashOf(info), info.length))
  await settle()
  messagesIn(wire)
  for (const size of [info.length + 1, 0, 2 ** 31 - 1])
    wire.write(extended(ID, data(info, 0, size)))
  await settle()
  // It is asked again each time that the answer makes no sense.
  t.true(messagesIn(wire).length > 0)
  wire.write(extended(ID, data(info, 0)))
  t.deepEqual(await fetched, info)
})

test('100,000 requests without reading are answered as far as the backlog goes', async (t) => {
  const info = infoOf(40 * PIECE)
  const count = 100_000
  for (const uploadBacklog of [0, 100_000, 1024 * 1024]) {
    const wire = unread(info, { uploadBacklog })
    const requests = Buffer.concat(
      Array.from({ length: 1_000 }, (_, n) => extended(ID, request(n % 41)))
    )
    for (let n = 0; n < count / 1_000; n++) wire.write(requests)
    await settle() // oxlint-disable-line no-await-in-loop
    const room = 64 * 1024
    t.true(wire.bufferedAmount <= uploadBacklog + room + PIECE + 2_000, `${wire.bufferedAmount}`)
    const stats = wire.ut_metadata.stats()
    t.is(stats.waiting, 1024)
    t.is(stats.answered + stats.rejected + stats.waiting + stats.ignoredRequests, count)
    t.true(stats.ignoredRequests > 90_000)
    t.false(wire.destroyed)

    // Reading makes room: those that wait are answered, in their order.
    const answers = messagesIn(wire)
    for (let turn = 0; turn < 2_000 && wire.ut_metadata.stats().waiting > 0; turn++) {
      await settle() // oxlint-disable-line no-await-in-loop
      answers.push(...messagesIn(wire))
      t.true(wire.bufferedAmount <= uploadBacklog + room + PIECE)
    }
    answers.push(...messagesIn(wire))
    const blocks = answers.filter((message) => read(message).msg_type === 1)
    t.is(blocks.length, wire.ut_metadata.stats().answered)
    t.is(blocks.length, stats.answered + 1024)
    for (const [n, block] of blocks.entries()) t.is(read(block).piece, (n % 1_000) % 41)
    t.is(wire.ut_metadata.stats().waiting, 0)
    wire.destroy()
  }
})

test('100,000 requests without reading are bounded on bittorrent-protocol, too', async (t) => {
  const info = infoOf(40 * PIECE)
  const wire = new BittorrentWire()
  wire.on('error', () => {})
  wire.use(pwp.extensions.utMetadata(info))
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  wire.write(opening(hashOf(info)))
  await settle()
  const requests = Buffer.concat(
    Array.from({ length: 1_000 }, (_, n) => extended(ID, request(n % 41)))
  )
  for (let n = 0; n < 100; n++) wire.write(requests)
  while (wire.ut_metadata.stats().ignoredRequests < 90_000) await settle() // oxlint-disable-line no-await-in-loop
  t.true(wire._readableState.buffered < 1.2 * 1024 * 1024)
  t.is(wire.ut_metadata.stats().waiting, 1024)
  wire.destroy()
})

test('requests at once are all answered over TCP, whatever uploadBacklog is', async (t) => {
  const info = infoOf(8 * PIECE)
  for (const uploadBacklog of [0, 1, 16 * 1024, 1024 * 1024]) {
    const wire = pwp({ uploadBacklog })
    const pieces = []
    const peer = peerOf()
    peer.ut_metadata.onMessage = (message) => pieces.push(read(message).piece)
    wire.serveMetadata(info)
    await connect(t, wire, peer) // oxlint-disable-line no-await-in-loop
    peer.ut_metadata.onExtendedHandshake = () => {
      for (let n = 0; n < 90; n++) peer.extended('ut_metadata', request(n % 9))
    }
    greet(hashOf(info), wire, peer)
    while (pieces.length < 90) await settle() // oxlint-disable-line no-await-in-loop
    t.deepEqual(
      pieces,
      Array.from({ length: 90 }, (_, n) => n % 9)
    )
    wire.destroy()
  }
})

test('requests that wait are forgotten when the wire closes', async (t) => {
  const info = infoOf(2 * PIECE)
  const wire = unread(info, { uploadBacklog: 0 })
  for (let n = 0; n < 10; n++) wire.write(extended(ID, request(0)))
  await settle()
  // Our handshakes wait to be read, and nothing may wait besides.
  t.is(wire.ut_metadata.stats().waiting, 10)
  wire.destroy()
  wire.resume()
  await settle()
  t.like(wire.ut_metadata.stats(), { waiting: 0, ignoredRequests: 10 })
})

test('any cut of the messages has the same result', async (t) => {
  const info = infoOf(100)
  const stream = Buffer.concat([
    opening(hashOf(info), info.length),
    extended(ID, request(0)),
    extended(ID, data(info, 0))
  ])
  for (let at = 1; at < stream.length; at += 3) {
    const wire = pwp()
    const fetched = wire.metadata()
    wire.handshake(hashOf(info), Buffer.alloc(20, 1))
    // The request must have left before its answer comes.
    const answer = stream.length - extended(ID, data(info, 0)).length
    for (const [start, end] of at < answer
      ? [
          [0, at],
          [at, answer],
          [answer, stream.length]
        ]
      : [
          [0, answer],
          [answer, at],
          [at, stream.length]
        ]) {
      wire.write(stream.subarray(start, end))
      await settle() // oxlint-disable-line no-await-in-loop
    }
    t.deepEqual(await fetched, info) // oxlint-disable-line no-await-in-loop
    t.like(wire.ut_metadata.stats(), { rejected: 1, ignoredMessages: 0 })
  }
})

test('sizes and hashes of a wire that announces nothing do no harm', async (t) => {
  const wire = pwp()
  wire.use(pwp.extensions.utMetadata())
  wire.handshake(INFO_HASH, Buffer.alloc(20, 1))
  wire.write(EXTENDED_HANDSHAKE)
  for (const size of [0, -1, 2 ** 31, 2 ** 53])
    wire.write(announce({ m: { ut_metadata: 3 }, metadata_size: size }))
  wire.ut_metadata.fetch()
  await settle()
  t.false(wire.destroyed)
  t.deepEqual(messagesIn(wire), [])
})
