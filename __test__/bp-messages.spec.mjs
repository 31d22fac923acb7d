// The class of bittorrent-protocol: what its methods send, and what messages of the peer do.
import { createRequire } from 'node:module'
import test from 'ava'

import {
  CHOKE,
  FAST_HANDSHAKE,
  INFO_HASH,
  PEER_ID,
  PLAIN_HANDSHAKE,
  UNCHOKE,
  Wire,
  hexOf,
  met,
  outputOf,
  record,
  settled,
  turn
} from '../testkit/bp-wires.mjs'
import { frame } from '../testkit/messages.mjs'

const require = createRequire(import.meta.url)

test('the class is exported in each way', async (t) => {
  t.is(Wire.Wire, Wire)
  t.is(Wire.default, Wire)
  t.is(require('peer-wire-native/bittorrent-protocol'), Wire)
  const module = await import('peer-wire-native/bittorrent-protocol')
  t.is(module.default, Wire)
  t.is(module.Wire, Wire)
  t.true(Wire.nativeRC4)
})

test('a new wire has the properties of bittorrent-protocol', (t) => {
  const wire = new Wire('tcpIncoming')
  t.like(wire, {
    type: 'tcpIncoming',
    peerId: null,
    peerIdBuffer: null,
    amChoking: true,
    amInterested: false,
    peerChoking: true,
    peerInterested: false,
    hasFast: false,
    uploaded: 0,
    downloaded: 0,
    error: null,
    destroyed: false
  })
  for (const name of ['requests', 'peerRequests', 'allowedFastSet', 'peerAllowedFastSet'])
    t.deepEqual(wire[name], [])
  for (const name of ['extensions', 'peerExtensions', 'extendedMapping', 'extendedHandshake'])
    t.deepEqual(wire[name], {})
  t.regex(wire._debugId, /^[0-9a-f]{8}$/)
  t.is(wire.uploadSpeed(), 0)
})

test('a handshake is a chunk of its own, whatever else is sent', async (t) => {
  const wire = new Wire()
  const output = outputOf(wire)
  await settled()
  wire.handshake(INFO_HASH.toString('hex').toUpperCase(), PEER_ID, { dht: true, fast: true })
  wire.unchoke()
  wire.have(1)
  t.is(output.chunks.length, 0)
  await turn()
  t.deepEqual(
    output.chunks.map(({ length }) => length),
    [68, 14]
  )
  t.is(output.chunks[0].subarray(20, 28).toString('hex'), '0000000000100005')
  t.deepEqual(wire.extensions, { extended: true, dht: true, fast: true })
})

test('output is handed on in one microtask, never inside a call', async (t) => {
  const { wire, output } = await met()
  wire.write(frame(6, 0, 0, 1))
  wire.interested()
  t.is(output.take(), '')
  await turn()
  t.is(output.take(), hexOf(frame(2)))
})

test('each method sends its message', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE)
  const sends = async (act, ...frames) => {
    act()
    await turn()
    t.is(output.take(), hexOf(...frames))
  }
  await sends(() => wire.unchoke(), frame(1))
  await sends(() => wire.unchoke())
  await sends(() => wire.choke(), frame(0))
  await sends(() => wire.choke())
  await sends(() => wire.interested(), frame(2))
  await sends(() => wire.interested())
  await sends(() => wire.uninterested(), frame(3))
  await sends(() => wire.have(0xffffffff), frame(4, 0xffffffff))
  await sends(() => wire.bitfield(Buffer.from([1])), frame(5, Buffer.from([1])))
  await sends(() => wire.bitfield({ buffer: new Uint8Array([2]) }), frame(5, Buffer.from([2])))
  await sends(() => wire.piece(1, 2, Buffer.from('abc')), frame(7, 1, 2, Buffer.from('abc')))
  await sends(() => wire.cancel(1, 2, 3), frame(8, 1, 2, 3))
  await sends(() => wire.port(0x1234), frame(9, Buffer.from([0x12, 0x34])))
  await sends(() => wire.suggest(5), frame(13, 5))
  await sends(() => wire.haveAll(), frame(14))
  await sends(() => wire.haveNone(), frame(15))
  await sends(() => wire.reject(1, 2, 3), frame(16, 1, 2, 3))
  await sends(() => wire.allowedFast(6), frame(17, 6))
  t.deepEqual(wire.allowedFastSet, [6])
  await sends(() => wire.extended(3, Buffer.from('x')), frame(20, Buffer.from('\u0003x')))
  await sends(() => wire.keepAlive(), Buffer.alloc(4))
  t.is(wire.uploaded, 3)
})

test('wrong arguments throw before anything is sent', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE)
  t.throws(() => wire.handshake('ab', PEER_ID), {
    message: 'infoHash and peerId MUST have length 20'
  })
  t.throws(() => wire.have(-1), { message: /index/ })
  t.throws(() => wire.have('3'), { message: /index/ })
  t.throws(() => wire.setTimeout('1000'), { message: /ms/ })
  t.throws(() => wire.request(0, '1', 2), { message: /offset/ })
  t.throws(() => wire.request(0, 1, 2, 'callback'), { message: /callback/ })
  t.throws(() => wire.port(65_536), { message: /port/ })
  t.throws(() => wire.piece(0, 0, 'text'), { message: /buffer/ })
  t.throws(() => wire.bitfield([1]), { message: /bitfield/ })
  t.throws(() => wire.extended('unknown', {}), { message: 'Unrecognized extension: unknown' })
  t.throws(() => wire.setTimeout(-1), { message: /ms/ })
  for (const level of [-1, 1.5, 'yes', {}])
    t.throws(() => new Wire('', level), { instanceOf: RangeError, message: /peEnabled/ })
  t.throws(() => new Wire('', 0, { uploadBacklog: -1 }), { message: /uploadBacklog/ })
  await settled()
  t.is(output.take(), '')
  t.deepEqual(wire.requests, [])
})

test('messages of the fast extension throw without it', (t) => {
  const wire = new Wire()
  const message = 'fast extension is disabled'
  for (const name of ['suggest', 'haveAll', 'haveNone', 'reject', 'allowedFast'])
    t.throws(() => wire[name](1, 2, 3), { message })
})

test('the handshake event has hex strings, with the fields set before', async (t) => {
  const wire = new Wire()
  const seen = record(wire, ['handshake'])
  wire.on('handshake', (infoHash, peerId, extensions) => {
    t.is(wire.peerId, peerId)
    t.is(wire.peerIdBuffer.toString('hex'), peerId)
    t.is(wire.peerExtensions, extensions)
  })
  wire.write(FAST_HANDSHAKE)
  const extensions = { dht: false, fast: true, extended: false }
  const infoHash = FAST_HANDSHAKE.toString('hex', 28, 48)
  t.deepEqual(seen, [['handshake', infoHash, FAST_HANDSHAKE.toString('hex', 48), extensions]])
  t.false(wire.hasFast)
})

test('each message has its event', async (t) => {
  const { wire } = await met(FAST_HANDSHAKE)
  wire.unchoke()
  const seen = record(wire, [
    'choke',
    'unchoke',
    'interested',
    'uninterested',
    'have',
    'request',
    'piece',
    'download',
    'cancel',
    'port',
    'suggest',
    'have-none',
    'reject',
    'allowed-fast',
    'extended',
    'keep-alive',
    'unknownmessage'
  ])
  const big = 0xfffffff0
  const frames = [
    [1],
    [2],
    [3],
    [4, 5],
    [4, 5],
    [6, 1, big, 4],
    [7, 1, big, Buffer.from('abcd')],
    [8, 1, big, 4],
    [9, Buffer.from([1, 2])],
    [13, big],
    [13, 7],
    [15],
    [16, 1, big, 4],
    [17, 3],
    [17, 3],
    [20, Buffer.from('\u0005x')]
  ].map((fields) => frame(...fields))
  wire.write(Buffer.concat([...frames, Buffer.alloc(4), frame(0), frame(99, Buffer.from('z'))]))
  t.deepEqual(seen, [
    ['unchoke'],
    ['interested'],
    ['uninterested'],
    ['have', 5],
    ['request', 1, big, 4, 'function'],
    ['download', 4],
    ['piece', 1, big, '61626364'],
    ['cancel', 1, big, 4],
    ['port', 0x0102],
    ['suggest', 7],
    ['have-none'],
    ['reject', 1, big, 4],
    ['allowed-fast', 3],
    ['allowed-fast', 3],
    ['extended', 5, '78'],
    ['keep-alive'],
    ['choke'],
    ['unknownmessage', '637a']
  ])
  t.like(wire, { peerChoking: true, peerInterested: false, downloaded: 4 })
  t.deepEqual(wire.peerAllowedFastSet, [3])
})

test('the newest 100 allowed pieces are remembered', async (t) => {
  const { wire } = await met(FAST_HANDSHAKE)
  for (let piece = 0; piece < 150; piece++) wire.write(frame(17, piece))
  t.is(wire.peerAllowedFastSet.length, 100)
  t.is(wire.peerAllowedFastSet[0], 50)
  // Any of these may be requested while the peer chokes.
  wire.request(149, 0, 1, t.fail)
  wire.request(49, 0, 1, (error) => t.is(error.message, 'peer is choking'))
  t.is(wire.requests.length, 1)
})

test('a choke rejects what is not allowed, the choke first', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE)
  wire.unchoke()
  wire.allowedFast(2)
  wire.write(Buffer.concat([frame(6, 1, 0, 4), frame(6, 2, 0, 4), frame(6, 3, 0, 4)]))
  await settled()
  output.take()
  t.is(wire.peerRequests.length, 3)
  wire.choke()
  t.deepEqual(
    wire.peerRequests.map(({ piece }) => piece),
    [2]
  )
  await settled()
  t.is(output.take(), hexOf(frame(0), frame(16, 1, 0, 4), frame(16, 3, 0, 4)))
})

test('respond answers once, and an error is a reject with the fast extension', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE)
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push(respond))
  wire.unchoke()
  wire.write(Buffer.concat([frame(6, 1, 0, 2), frame(6, 1, 2, 2), frame(6, 1, 4, 2)]))
  await settled()
  output.take()
  const uploads = record(wire, ['upload'])
  responds[0](null, Buffer.from('ab'))
  responds[0](null, Buffer.from('ab'))
  responds[1](new Error('no such block'))
  t.deepEqual(uploads, [['upload', 2]])
  t.is(wire.uploaded, 2)
  t.is(wire.peerRequests.length, 1)
  await settled()
  t.is(output.take(), hexOf(frame(7, 1, 0, Buffer.from('ab')), frame(16, 1, 2, 2)))
  wire.choke()
  responds[2](null, Buffer.from('ab'))
  await settled()
  t.is(output.take(), hexOf(frame(0), frame(16, 1, 4, 2)))
})

test('without the fast extension a choke of ours drops requests in silence', async (t) => {
  const { wire, output } = await met(PLAIN_HANDSHAKE)
  wire.unchoke()
  wire.write(frame(6, 1, 0, 2))
  const array = wire.peerRequests
  t.is(array.length, 1)
  wire.choke()
  t.is(wire.peerRequests, array)
  t.deepEqual(array, [])
  await settled()
  t.is(output.take(), hexOf(UNCHOKE, CHOKE))
})

test('pieces of the peer: a bitfield replaces them, haves are added, also beyond it', async (t) => {
  const { wire } = await met(FAST_HANDSHAKE)
  wire.write(frame(4, 3))
  const before = wire.peerPieces
  t.true(before.get(3))
  const seen = record(wire, ['have'])
  let emitted
  wire.on('bitfield', (pieces) => (emitted = pieces))
  wire.write(Buffer.concat([frame(5, Buffer.from([0x81])), frame(4, 500_000), frame(4, 7)]))
  t.not(wire.peerPieces, before)
  t.is(emitted, wire.peerPieces)
  t.deepEqual(
    [0, 1, 3, 7, 500_000, 500_001].map((piece) => wire.peerPieces.get(piece)),
    [true, false, false, true, true, false]
  )
  t.deepEqual(seen, [['have', 500_000]])
  wire.write(frame(14))
  t.is(wire.peerPieces.setAll, undefined)
  t.is(wire.peerPieces.buffer.length, 0)
  wire.peerPieces.set(9, false)
  wire.write(Buffer.concat([frame(4, 8), frame(4, 9)]))
  t.deepEqual(seen.slice(1), [['have', 9]])
})

test('a level that is not there is the nearest: applications pass on what was set', (t) => {
  const levels = [undefined, null, false, Number.NaN, '', '0', true, '1', 3, '2', Infinity]
  t.deepEqual(
    levels.map((level) => new Wire('tcpOutgoing', level)._peEnabled),
    [0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2]
  )
})
