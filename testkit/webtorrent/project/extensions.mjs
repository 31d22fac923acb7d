// Uses the extension packages on two wires that are connected with each other, and prints what happens.

import ltDontHave from 'lt_donthave'
import utMetadata from 'ut_metadata'
import utPex from 'ut_pex'
import Wire from 'bittorrent-protocol'
import createTorrent from 'create-torrent'
import parseTorrent from 'parse-torrent'

/** What is to be done each minute, for which nobody waits here. */
const everyMinute = []
const { setInterval: start } = globalThis
globalThis.setInterval = (act, ms, ...args) => {
  if (ms > 60_000) everyMinute.push(act)
  return start(act, ms, ...args)
}

const say = (...values) => console.log(...values)
const turn = () => new Promise((resolve) => setTimeout(resolve, 20))

const file = Buffer.alloc(300_000, 'content')
file.name = 'file'
const created = await new Promise((resolve, reject) => {
  createTorrent(
    file,
    { pieceLength: 64, announceList: [], creationDate: new Date(0), createdBy: 'test' },
    (error, torrent) => (error ? reject(error) : resolve(torrent))
  )
})
const { infoHash, infoBuffer } = await parseTorrent(created)
say('metadata', infoHash, infoBuffer.length)

const EVENTS = [
  'handshake',
  'extended',
  'have',
  'bitfield',
  'unchoke',
  'interested',
  'request',
  'choke',
  'close'
]

const makeWire = (name, metadata) => {
  const wire = new Wire('tcpIncoming')
  for (const event of EVENTS) {
    wire.on(event, (first, second) => {
      say(name, event, typeof first, typeof second, wire.requests.length, wire.peerRequests.length)
    })
  }
  wire.once('handshake', () => {
    wire.use(utMetadata(metadata))
    wire.use(utPex())
    wire.use(ltDontHave())
    for (const event of ['metadata', 'warning']) {
      wire.ut_metadata.on(event, (value) =>
        say(name, 'ut_metadata', event, value?.length, value?.message)
      )
    }
    for (const event of ['peer', 'dropped']) {
      wire.ut_pex.on(event, (address, flags) => say(name, 'ut_pex', event, address, flags))
    }
    wire.lt_donthave.on('donthave', (piece) =>
      say(name, 'lt_donthave', piece, wire.peerPieces.get(piece))
    )
  })
  return wire
}

const one = makeWire('one', infoBuffer)
const two = makeWire('two')
one.on('data', (chunk) => two.write(chunk))
two.on('data', (chunk) => one.write(chunk))
two.once('handshake', () => two.handshake(infoHash, '22'.repeat(20), { fast: true }))
one.handshake(infoHash, '11'.repeat(20), { fast: true })
await turn()
say(
  'mapping',
  one.peerExtendedMapping,
  two.peerExtendedMapping,
  one.peerExtendedHandshake.metadata_size
)

two.ut_metadata.fetch()
await turn()
say('fetched', two.ut_metadata.metadata?.length)

one.ut_pex.addPeer('127.0.0.1:1234', { prefersEncryption: true, isSender: true })
one.ut_pex.addPeer('10.0.0.1:51413', { isSender: true })
one.ut_pex.start()
for (const act of everyMinute) act()
await turn()
one.ut_pex.reset()

one.bitfield(Buffer.alloc(4, 255))
one.unchoke()
await turn()
const answer = (number) => (error, block) => say('answer', number, error?.message, block?.length)
for (const piece of [3, 4, 3, 5]) two.request(piece, 0, 16, answer(piece))
await turn()
one.lt_donthave.donthave(3)
await turn()
say(
  'pieces',
  two.peerPieces.get(3),
  two.peerPieces.get(4),
  two.requests.map(({ piece }) => piece)
)

two.destroy()
await turn()
one.destroy()
await turn()
say('ended', one.destroyed, two.destroyed)
process.exit()
