// The npm packages ut_metadata and ut_pex as they are, over TCP: between two of our wires, and between one of
// ours and one of bittorrent-protocol, in both directions.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import bencode from 'bencode'
import BittorrentWire from 'bittorrent-protocol'
import utMetadata from 'ut_metadata'
import utPex from 'ut_pex'

import { pwp } from '../testkit/wires.mjs'

/** Bytes in a block of metadata. */
const BLOCK = 16 * 1024

const MAKERS = {
  'peer-wire-native': () => pwp(),
  'bittorrent-protocol': () => new BittorrentWire()
}

const PAIRS = [
  ['peer-wire-native', 'peer-wire-native'],
  ['peer-wire-native', 'bittorrent-protocol'],
  ['bittorrent-protocol', 'peer-wire-native']
]

/** An info dictionary of about so many bytes. */
const infoOf = (length) =>
  bencode.encode({ length: 1, name: 'x', 'piece length': 16_384, pieces: randomBytes(length) })

const hashOf = (info) => createHash('sha1').update(info).digest()

/** Connects two wires over TCP; the first one dials. Each uses its extensions before the handshakes. */
const connect = async (t, makers, infoHash, uses) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dialed = net.connect(server.address().port, '127.0.0.1')
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(dialed, 'connect')])
  const sockets = [dialed, accepted]
  const wires = makers.map((maker) => MAKERS[maker]())
  for (const [index, wire] of wires.entries()) {
    const socket = sockets[index]
    socket.on('error', () => {})
    wire.on('error', () => {})
    wire.on('close', () => socket.destroy())
    socket.on('close', () => wire.destroy())
    socket.pipe(wire).pipe(socket)
    uses[index](wire)
  }
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const [one, other] = wires
  const ids = [Buffer.alloc(20, 1), Buffer.alloc(20, 2)]
  // bittorrent-protocol gives the hash in hex.
  other.once('handshake', (hash) => other.handshake(Buffer.from(hash, 'hex'), ids[1]))
  one.handshake(infoHash, ids[0])
  return wires
}

for (const makers of PAIRS) {
  const title = makers.join(' to ')

  for (const length of [100, BLOCK, 3 * BLOCK + 7, 40 * BLOCK]) {
    for (const server of [0, 1]) {
      test(`ut_metadata: ${title}, side ${server} serves ${length} bytes`, async (t) => {
        const info = infoOf(length)
        const uses = [0, 1].map((index) => (wire) => {
          wire.use(utMetadata(index === server ? info : undefined))
        })
        const wires = await connect(t, makers, hashOf(info), uses)
        const fetching = wires[1 - server].ut_metadata
        fetching.fetch()
        const [metadata] = await once(fetching, 'metadata')
        t.deepEqual(bencode.encode(bencode.decode(Buffer.from(metadata)).info), info)
        const { peerExtendedHandshake } = wires[1 - server]
        t.is(peerExtendedHandshake.metadata_size, info.length)
        t.is(peerExtendedHandshake.m.ut_metadata, 1)
        for (const wire of wires) t.false(wire.destroyed)
      })
    }
  }

  test(`ut_metadata: ${title}, a side without metadata rejects`, async (t) => {
    const info = infoOf(100)
    const warnings = []
    const uses = [0, 1].map(() => (wire) => {
      wire.use(utMetadata())
      wire.extendedHandshake.metadata_size = info.length
      wire.ut_metadata.on('warning', (warning) => warnings.push(warning.message))
    })
    const wires = await connect(t, makers, hashOf(info), uses)
    wires[0].ut_metadata.fetch()
    await once(wires[0].ut_metadata, 'warning')
    t.deepEqual(warnings, ['Peer sent "reject" too much'])
  })

  test(`ut_metadata: ${title}, a side serves what it has fetched`, async (t) => {
    const info = infoOf(2 * BLOCK)
    const uses = [(wire) => wire.use(utMetadata(info)), (wire) => wire.use(utMetadata())]
    const [, fetcher] = await connect(t, makers, hashOf(info), uses)
    fetcher.ut_metadata.fetch()
    await once(fetcher.ut_metadata, 'metadata')
    t.is(fetcher.extendedHandshake.metadata_size, info.length)
    const again = await connect(
      t,
      makers,
      hashOf(info),
      [() => fetcher.ut_metadata.metadata, () => undefined].map((metadata) => (wire) => {
        wire.use(utMetadata(metadata()))
      })
    )
    again[1].ut_metadata.fetch()
    const [metadata] = await once(again[1].ut_metadata, 'metadata')
    t.deepEqual(bencode.encode(bencode.decode(Buffer.from(metadata)).info), info)
  })

  for (const side of [0, 1]) {
    test(`ut_pex: ${title}, side ${side} announces peers`, async (t) => {
      const uses = [0, 1].map(() => (wire) => wire.use(utPex()))
      const wires = await connect(t, makers, randomBytes(20), uses)
      const [sender, receiver] = [wires[side].ut_pex, wires[1 - side].ut_pex]
      await met(wires[side])
      sender.addPeer('127.0.0.1:6881', { prefersEncryption: true })
      sender.addPeer('10.0.0.2:1', { isReachable: true })
      sender.addPeer6('[::1]:6882')
      sender.dropPeer('10.0.0.3:4')
      const peers = []
      const dropped = once(receiver, 'dropped')
      receiver.on('peer', (peer, flags) => peers.push([peer, flags.prefersEncryption]))
      // What its timer does after 65 s.
      sender._sendMessage()
      t.deepEqual(await dropped, ['10.0.0.3:4'])
      t.deepEqual(peers, [
        ['127.0.0.1:6881', true],
        ['10.0.0.2:1', false],
        ['[::1]:6882', false]
      ])
      for (const wire of wires) t.false(wire.destroyed)
    })

    test(`ut_pex: ${title}, side ${side} is cut off when it announces too often`, async (t) => {
      const uses = [0, 1].map(() => (wire) => wire.use(utPex()))
      const wires = await connect(t, makers, randomBytes(20), uses)
      await met(wires[side])
      const warned = once(wires[1 - side].ut_pex, 'warning')
      const closed = Promise.all(wires.map((wire) => once(wire, 'close')))
      for (const peer of ['10.0.0.1:1', '10.0.0.2:2', '10.0.0.3:3']) {
        wires[side].ut_pex.addPeer(peer)
        wires[side].ut_pex._sendMessage()
      }
      const [warning] = await warned
      t.regex(warning.message, /too frequently/)
      await closed
      t.true(wires.every((wire) => wire.destroyed))
    })
  }

  test(`${title}: both extensions at once, with ids of one's own`, async (t) => {
    const info = infoOf(BLOCK)
    const uses = [
      (wire) => {
        wire.use(utPex())
        wire.use(utMetadata(info))
      },
      (wire) => {
        wire.use(utMetadata())
        wire.use(utPex())
      }
    ]
    const wires = await connect(t, makers, hashOf(info), uses)
    wires[1].ut_metadata.fetch()
    await once(wires[1].ut_metadata, 'metadata')
    t.deepEqual({ ...wires[1].peerExtendedMapping }, { ut_pex: 1, ut_metadata: 2 })
    wires[1].ut_pex.addPeer('10.0.0.1:1')
    const announced = once(wires[0].ut_pex, 'peer')
    wires[1].ut_pex._sendMessage()
    const [peer] = await announced
    t.is(peer, '10.0.0.1:1')
  })
}

/** Settles when the peer of a wire has announced its extensions. */
const met = async (wire) => {
  while (!wire.peerExtendedHandshake?.m) await once(wire, 'extended') // oxlint-disable-line no-await-in-loop
}
