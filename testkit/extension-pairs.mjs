// Two wires with extensions over TCP: ours on sockets of either kind, and those of bittorrent-protocol.
import { once } from 'node:events'
import net from 'node:net'

import BittorrentWire from 'bittorrent-protocol'

import { pwp } from './wires.mjs'

const MAKERS = {
  'peer-wire-native': () => pwp(),
  'bittorrent-protocol': () => new BittorrentWire()
}

/** Pairs of kinds of wires; the first one dials. */
export const PAIRS = [
  ['peer-wire-native', 'peer-wire-native'],
  ['peer-wire-native', 'bittorrent-protocol'],
  ['bittorrent-protocol', 'peer-wire-native'],
  ['bittorrent-protocol', 'bittorrent-protocol'],
  ['native', 'native'],
  ['native', 'peer-wire-native'],
  ['bittorrent-protocol', 'native']
]

/**
 * Connects two wires, and waits until each has the extended handshake of the other.
 *
 * @param {import('ava').ExecutionContext} t - closes the sockets at its end
 * @param {string[]} kinds - of the wires
 * @param {((wire: object) => void)[]} uses - run on each wire before the handshakes
 * @returns {Promise<object[]>} the wires
 */
export const connectPair = async (t, kinds, uses) => {
  const [dialing, accepting] = kinds
  const server = accepting === 'native' ? pwp.createServer() : net.createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const place = { port: server.address().port, host: '127.0.0.1' }
  const dialed = dialing === 'native' ? pwp.connect(place) : net.connect(place)
  const taken = once(server, accepting === 'native' ? 'wire' : 'connection')
  const [[accepted]] = await Promise.all([taken, once(dialed, 'connect')])
  const ends = [dialed, accepted]
  const wires = kinds.map((kind, at) => (kind === 'native' ? ends[at] : MAKERS[kind]()))
  for (const [index, wire] of wires.entries()) join(wire, ends[index], uses[index])
  t.teardown(() => {
    for (const end of ends) end.destroy()
    server.close()
  })
  const [one, other] = wires
  // bittorrent-protocol gives the hash in hex.
  other.once('handshake', (hash) => other.handshake(Buffer.from(hash, 'hex'), Buffer.alloc(20, 2)))
  const both = Promise.all(wires.map(met))
  one.handshake(Buffer.alloc(20, 7), Buffer.alloc(20, 1))
  await both
  return wires
}

const join = (wire, socket, use) => {
  wire.on('error', () => {})
  if (socket === wire) return use(wire)
  socket.on('error', () => {})
  wire.on('close', () => socket.destroy())
  socket.on('close', () => wire.destroy())
  socket.pipe(wire).pipe(socket)
  return use(wire)
}

const met = async (wire) => {
  while (!wire.peerExtendedHandshake?.m) await once(wire, 'extended') // oxlint-disable-line no-await-in-loop
}
