// `pwp.extensions.utMetadata`: a class in place of the npm package ut_metadata, on our wires and on those of
// bittorrent-protocol, with ours and with the package on the other side.
import { once } from 'node:events'
import test from 'ava'
import bencode from 'bencode'
import BittorrentWire from 'bittorrent-protocol'
import npmMetadata from 'ut_metadata'

import {
  PIECE,
  connect,
  data,
  hashOf,
  honest,
  infoOf,
  joined,
  peerOf,
  request,
  settle
} from '../testkit/metadata.mjs'
import { pwp } from '../testkit/wires.mjs'

const { utMetadata } = pwp.extensions

const WIRES = {
  'peer-wire-native': () => pwp(),
  'bittorrent-protocol': () => new BittorrentWire()
}
const CLASSES = { ours: utMetadata, 'the npm package': npmMetadata }

/** Greets both; bittorrent-protocol answers a handshake when it has got one. */
const greet = (infoHash, one, other) => {
  other.once('handshake', (hash) =>
    other.handshake(Buffer.from(hash, 'hex'), Buffer.alloc(20, 'other'))
  )
  one.handshake(Buffer.from(infoHash), Buffer.alloc(20, 'one'))
}

/** A wire is ours and serves, or fetches, or has our class: all but those that are tested elsewhere. */
const sides = Object.keys(WIRES).flatMap((wire) =>
  Object.keys(CLASSES).map((Class) => [wire, Class])
)

for (const [servingWire, servingClass] of sides)
  for (const [fetchingWire, fetchingClass] of sides) {
    if (servingClass !== 'ours' && fetchingClass !== 'ours') continue
    test(`${servingClass} on ${servingWire} serves ${fetchingClass} on ${fetchingWire}`, async (t) => {
      const info = infoOf(70 * PIECE)
      const [one, other] = [WIRES[servingWire](), WIRES[fetchingWire]()]
      one.use(CLASSES[servingClass](info))
      other.use(CLASSES[fetchingClass]())
      await connect(t, one, other)
      const extension = other.ut_metadata
      extension.fetch()
      const found = once(extension, 'metadata')
      greet(hashOf(info), one, other)
      const [torrent] = await found
      // Not deepEqual(), which takes seconds for a megabyte.
      t.true(Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]).equals(torrent))
      t.true(info.equals(extension.metadata))
      t.is(other.extendedHandshake.metadata_size, info.length)
      t.false(one.destroyed || other.destroyed)
    })
  }

test('wire.metadata() fetches from the npm package on bittorrent-protocol, and serveMetadata() serves it', async (t) => {
  const info = infoOf(10 * 1024 * 1024 - 200)
  const [ours, npm] = [pwp(), new BittorrentWire()]
  npm.use(npmMetadata(info))
  await connect(t, ours, npm)
  const fetched = ours.metadata()
  greet(hashOf(info), ours, npm)
  t.true((await fetched).equals(info))

  const [server, client] = [pwp(), new BittorrentWire()]
  // It limits metadata to 10,000,000 bytes.
  const small = infoOf(9_900_000)
  server.serveMetadata(small)
  client.use(npmMetadata())
  await connect(t, server, client)
  client.ut_metadata.fetch()
  const found = once(client.ut_metadata, 'metadata')
  greet(hashOf(small), server, client)
  await found
  t.true(Buffer.from(client.ut_metadata.metadata).equals(small))
  t.like(server.ut_metadata.stats(), { answered: 605, rejected: 0, waiting: 0, ignoredRequests: 0 })
})

for (const [title, make] of Object.entries(WIRES)) {
  test(`has the surface of the npm package, on ${title}`, async (t) => {
    const info = infoOf(100)
    const wire = make()
    wire.use(utMetadata())
    const extension = wire.ut_metadata
    t.is(Object.getPrototypeOf(extension).name, 'ut_metadata')
    t.is(extension.metadata, undefined)
    t.throws(() => extension.setMetadata('de'), { name: 'TypeError' })
    const torrents = []
    extension.on('metadata', (torrent) => torrents.push(torrent))
    t.true(
      await extension.setMetadata(bencode.encode({ announce: 'x', info: bencode.decode(info) }))
    )
    t.deepEqual(Buffer.from(extension.metadata), info)
    t.is(wire.extendedHandshake.metadata_size, info.length)
    t.deepEqual(Buffer.from(bencode.encode(bencode.decode(torrents[0]).info)), info)
    // Once it is known it stays.
    t.true(await extension.setMetadata(infoOf(50)))
    t.deepEqual(Buffer.from(extension.metadata), info)
    t.is(torrents.length, 1)
    extension.fetch()
    extension.cancel()
  })

  test(`refuses metadata with another info hash, on ${title}`, async (t) => {
    const info = infoOf(100)
    const [wire, peer] = [make(), peerOf()]
    wire.use(utMetadata())
    joined(wire, peer)
    greet(hashOf(info), wire, peer)
    await settle()
    t.false(await wire.ut_metadata.setMetadata(infoOf(100)))
    t.false(await wire.ut_metadata.setMetadata(Buffer.alloc(0)))
    t.is(wire.ut_metadata.metadata, undefined)
    t.true(await wire.ut_metadata.setMetadata(info))
  })

  test(`warns if the peer has no metadata, a wrong size, or wrong data, on ${title}`, async (t) => {
    const info = infoOf(100)
    for (const [peer, code] of [
      [peerOf(), 'MISSING'],
      [peerOf({ size: 0 }), 'MISSING'],
      [peerOf({ size: 2 ** 31 }), 'SIZE'],
      [honest(Buffer.from(info).fill(0, 5)), 'HASH']
    ]) {
      const wire = make()
      wire.use(utMetadata())
      joined(wire, peer)
      wire.ut_metadata.fetch()
      const warned = once(wire.ut_metadata, 'warning')
      greet(hashOf(info), wire, peer)
      // One after the other, as each has its own outcome.
      const [warning] = await warned // oxlint-disable-line no-await-in-loop
      t.is(warning.code, `ERR_PWP_METADATA_${code}`)
      t.false(wire.destroyed)
    }
  })

  test(`asks for nothing before fetch() and after cancel(), on ${title}`, async (t) => {
    const info = infoOf(9 * PIECE)
    const [wire, peer] = [make(), peerOf({ size: info.length })]
    wire.use(utMetadata())
    joined(wire, peer)
    greet(hashOf(info), wire, peer)
    await settle()
    t.deepEqual(peer.got, [])
    wire.ut_metadata.fetch()
    await settle()
    wire.ut_metadata.cancel()
    const asked = peer.got.length
    t.true(asked >= 4)
    peer.extended('ut_metadata', data(info, 1))
    await settle()
    t.is(peer.got.length, asked)
    wire.ut_metadata.fetch()
    await settle()
    const again = peer.got.slice(asked).map(({ piece }) => piece)
    t.true(again.length > 0)
    t.false(again.includes(1), 'what was received stays')
  })

  test(`a peer that pipelines all requests of 10 MiB gets all, on ${title}`, async (t) => {
    const info = infoOf(10 * 1024 * 1024 - 200)
    const pieces = Math.ceil(info.length / PIECE)
    const [wire, peer] = [make(), pwp()]
    const blocks = []
    const done = new Promise((resolve) => {
      class Extension {
        get name() {
          return 'ut_metadata'
        }

        onExtendedHandshake() {
          for (let piece = 0; piece < pieces; piece++) peer.extended('ut_metadata', request(piece))
        }

        onMessage(message) {
          blocks.push(message)
          if (blocks.length === pieces) resolve()
        }
      }
      peer.use(Extension)
    })
    wire.use(utMetadata(info))
    await connect(t, wire, peer)
    greet(hashOf(info), wire, peer)
    await done
    t.true(blocks.every((block, piece) => block.equals(data(info, piece))))
    t.like(wire.ut_metadata.stats(), { answered: pieces, rejected: 0, ignoredRequests: 0 })
  })
}

test('takes what is no bytes as no metadata, as the npm package does', (t) => {
  for (const info of [undefined, null, 'd4:infodee', {}]) {
    const wire = pwp()
    wire.use(utMetadata(info))
    t.is(wire.ut_metadata.metadata, undefined)
  }
})

test('finds the info dictionary in a torrent file, and nowhere else', async (t) => {
  const info = 'd6:lengthi1e4:name1:xe'
  for (const [text, expected] of [
    [`d8:announce1:a4:info${info}e`, info],
    [`d1:ald4:infodeee4:info${info}1:zlee`, info],
    ['d1:ad4:infodeee', 'd1:ad4:infodeee'],
    ['d4:info', 'd4:info'],
    ['d4:infod', 'd4:infod'],
    ['d99999999999:', 'd99999999999:'],
    ['d-1:', 'd-1:'],
    ['d1:ai5', 'd1:ai5'],
    [`d1:a${'l'.repeat(100_000)}`, `d1:a${'l'.repeat(100_000)}`],
    ['l4:infoe', 'l4:infoe'],
    ['x', 'x']
  ]) {
    const wire = pwp()
    wire.use(utMetadata())
    t.true(await wire.ut_metadata.setMetadata(Buffer.from(text))) // oxlint-disable-line no-await-in-loop
    t.is(wire.ut_metadata.metadata.toString(), expected)
  }
})
