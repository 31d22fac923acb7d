// Metadata of torrents, and peers that give it, or something else.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import bencode from 'bencode'

import { FakeClock } from './fake-clock.mjs'
import { pwp } from './wires.mjs'

/** Bytes of a piece of metadata. */
export const PIECE = 16 * 1024

/** An info dictionary of about so many bytes. */
export const infoOf = (length) =>
  Buffer.from(
    bencode.encode({ length: 1, name: 'x', 'piece length': 16_384, pieces: randomBytes(length) })
  )

/** @returns {Buffer} the info hash of a torrent of version 1 */
export const hashOf = (info) => createHash('sha1').update(info).digest()

/** @returns {Buffer} the info hash of a torrent of version 2 */
export const fullHashOf = (info) => createHash('sha256').update(info).digest()

const text = (dictionary) => Buffer.from(bencode.encode(dictionary))

/** The messages of ut_metadata. */
export const request = (piece) => text({ msg_type: 0, piece })
export const data = (info, piece, size = info.length) =>
  Buffer.concat([
    text({ msg_type: 1, piece, total_size: size }),
    info.subarray(piece * PIECE, (piece + 1) * PIECE)
  ])
export const reject = (piece) => text({ msg_type: 2, piece })

/** What a message says, without its block. */
export const read = (message) => bencode.decode(message.subarray(0, message.indexOf('ee') + 2))

/** Both wires pipe into each other. */
export const joined = (one, other) => one.pipe(other).pipe(one)

/**
 * A peer that acts on each message of ut_metadata.
 *
 * @param {object} [options]
 * @param {number} [options.size] - what it announces; undefined for nothing
 * @param {(send: (message: Uint8Array) => void, message: object, wire: object) => void} [options.act] - called with
 *   each request
 * @param {object} [options.wire] - options of its wire
 * @returns {object} its wire, with the messages that it has got as `got`
 */
export const peerOf = ({ size, act = () => {}, wire: options } = {}) => {
  const wire = pwp(options)
  wire.on('error', () => {})
  const got = []
  class Extension {
    get name() {
      return 'ut_metadata'
    }

    onMessage(message) {
      const dictionary = read(message)
      got.push(dictionary)
      if (dictionary.msg_type !== 0) return
      act((answer) => wire.extended('ut_metadata', answer), dictionary, wire)
    }
  }
  wire.use(Extension)
  if (size !== undefined) wire.extendedHandshake.metadata_size = size
  return Object.assign(wire, { got })
}

/** Peers by what they do, for an info dictionary. */
export const honest = (info) =>
  peerOf({ size: info.length, act: (send, { piece }) => send(data(info, piece)) })
export const lying = (info) => honest(Buffer.from(info).fill(7, 0, 1))
export const stalling = (info) => peerOf({ size: info.length })
export const rejecting = (info) =>
  peerOf({ size: info.length, act: (send, { piece }) => send(reject(piece)) })

let count = 0
const peerId = () => Buffer.alloc(20, `peer ${count++}`)

/** Sends the handshakes of both. */
export const greet = (infoHash, ...wires) => {
  for (const wire of wires) wire.handshake(infoHash, peerId())
}

/** A wire of ours that is connected to this peer, handshakes included. */
export const wireTo = (peer, infoHash, options) => {
  const wire = pwp(options)
  wire.on('error', () => {})
  joined(wire, peer)
  greet(infoHash, wire, peer)
  return wire
}

/**
 * Connects two wires over TCP.
 *
 * @returns {Promise<void>} both sockets are connected
 */
export const connect = async (t, ...wires) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dialed = net.connect(server.address().port, '127.0.0.1')
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(dialed, 'connect')])
  for (const [index, socket] of [dialed, accepted].entries()) {
    const wire = wires[index]
    socket.on('error', () => {})
    wire.on('error', () => {})
    wire.on('close', () => socket.destroy())
    socket.on('close', () => wire.destroy())
    socket.pipe(wire).pipe(socket)
  }
  t.teardown(() => {
    dialed.destroy()
    accepted.destroy()
    server.close()
  })
}

/**
 * Time stands still from now on, so that nothing depends on how fast a machine is.
 *
 * @returns {FakeClock} for tests that let it go on
 */
export const stopTime = () => {
  performance.now = () => 0
  const clock = new FakeClock()
  clock.install()
  return clock
}

/** Lets everything happen that is about to. */
export const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate) // oxlint-disable-line no-await-in-loop
}
