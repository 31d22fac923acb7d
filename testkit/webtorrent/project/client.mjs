// A webtorrent client that stays on this machine, and a record of all that its wires tell.

import { createHash } from 'node:crypto'

import Wire from 'bittorrent-protocol'
import WebTorrent from 'webtorrent'

/**
 * @param {string} name of the client, which its peer id ends with
 * @param {string} level of encryption
 * @returns {WebTorrent}
 */
export const makeClient = (name, level) =>
  new WebTorrent({
    peerId: Buffer.from(`-WW0300-${name.padEnd(12, '0')}`).toString('hex'),
    dht: false,
    tracker: false,
    lsd: false,
    utp: false,
    natUpnp: false,
    natPmp: false,
    webSeeds: false,
    secure: Number(level)
  })

const EVENTS = new Set([
  'handshake',
  'choke',
  'unchoke',
  'interested',
  'uninterested',
  'have',
  'bitfield',
  'request',
  'piece',
  'cancel',
  'port',
  'extended',
  'keep-alive',
  'unknownmessage',
  'suggest',
  'have-all',
  'have-none',
  'reject',
  'allowed-fast',
  'timeout',
  'crypto-infohash',
  'crypto-handshake',
  'error'
])

/**
 * Records the events of all wires from now on.
 *
 * @returns {{wire: object | null, events: string[]}} the first wire, and its events with arguments and state
 */
export const recordWires = () => {
  const record = { wire: null, events: [] }
  const { emit } = Wire.prototype
  Wire.prototype.emit = function told(name, ...args) {
    record.wire ??= this
    if (EVENTS.has(name)) record.events.push(`${name}(${args.map(format)}) ${stateOf(this)}`)
    return emit.call(this, name, ...args)
  }
  return record
}

const format = (value) => {
  if (typeof value === 'function') return 'function'
  if (ArrayBuffer.isView(value)) {
    const hash = createHash('sha1').update(value).digest('hex')
    return `${value.length} bytes ${hash.slice(0, 8)}`
  }
  if (typeof value !== 'object' || value === null) return String(value)
  if (typeof value.get === 'function') return `bits ${format(value.buffer)}`
  return `{${Object.entries(value).map(([key, inner]) => `${key}: ${format(inner)}`)}}`
}

/** What does not depend on how fast each side is. */
const stateOf = (wire) =>
  `choking ${wire.amChoking} ${wire.peerChoking} interested ${wire.amInterested} ` +
  `${wire.peerInterested} fast ${wire.hasFast} peer ${wire.peerId} ` +
  `encryption ${wire._encryptionMethod ?? 'none'} ${format(wire.peerExtendedMapping)}`

/**
 * The state of a wire at the end of a transfer.
 *
 * @param {object} wire
 * @param {number} pieces of the torrent
 */
export const finalState = (wire, pieces) => ({
  state: stateOf(wire),
  peerId: wire.peerId,
  bytes: [wire.uploaded, wire.downloaded],
  extensions: [wire.extensions, wire.peerExtensions].map(format),
  mapping: format(wire.extendedMapping),
  handshakes: [wire.extendedHandshake, wire.peerExtendedHandshake].map(format),
  open: [wire.requests.length, wire.peerRequests.length],
  peerPieces: Array.from({ length: pieces }, (_, piece) => Boolean(wire.peerPieces.get(piece)))
    .map(Number)
    .join(''),
  type: wire.type
})
