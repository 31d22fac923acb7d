// Two wires with extensions over TCP: ours, and those of bittorrent-protocol.
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
  ['bittorrent-protocol', 'bittorrent-protocol']
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
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dialed = net.connect(server.address().port, '127.0.0.1')
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(dialed, 'connect')])
  const sockets = [dialed, accepted]
  const wires = kinds.map((kind) => MAKERS[kind]())
  for (const [index, wire] of wires.entries()) join(wire, sockets[index], uses[index])
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
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
  socket.on('error', () => {})
  wire.on('error', () => {})
  wire.on('close', () => socket.destroy())
  socket.on('close', () => wire.destroy())
  socket.pipe(wire).pipe(socket)
  use(wire)
}

const met = async (wire) => {
  while (!wire.peerExtendedHandshake?.m) await once(wire, 'extended') // oxlint-disable-line no-await-in-loop
}
