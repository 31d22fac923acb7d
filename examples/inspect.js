#!/usr/bin/env node
// Asks a peer what it says of itself, and downloads nothing: for crawlers and tests.
'use strict'

const { randomBytes } = require('node:crypto')
const net = require('node:net')
const util = require('node:util')
const pwp = require('..')

const HELP = `Usage: inspect.js <host:port> <info-hash>

Shakes hands with the peer at host:port, prints what it says of itself, and leaves.`

const HANDSHAKE_TIMEOUT = 5000 // ms, for the connection and the handshake
/** What a handshake can announce. */
const FEATURES = {
  dht: 'DHT',
  fast: 'fast extension',
  extended: 'extension protocol',
  v2: 'version 2'
}

const LISTENING_TIME = 1000 // ms after the handshake, in which a peer says what it has

/** Settles with what the peer said; rejects with the reason why it did not shake hands. */
function inspect(address, infoHash) {
  const wire = pwp({
    infoHashes: infoHash, // a peer that has another torrent is refused
    extensions: true, // what the peer says in its extended handshake (BEP 10) is read
    handshakeTimeout: HANDSHAKE_TIMEOUT
  })
  wire.extendedHandshake.v = 'peer-wire-native inspect.js'
  const socket = net.connect(address)
  socket.pipe(wire).pipe(socket)
  // A wire does not know its socket: whichever ends first has to end the other.
  socket.on('error', () => {}) // the reason stays in socket.errored, and 'close' follows
  socket.on('close', () => wire.destroy())
  wire.on('close', () => socket.destroy())

  const said = { announced: {}, bitfield: null }
  const ourId = Buffer.concat([Buffer.from('-PN0100-'), randomBytes(12)])
  wire.handshake(infoHash, ourId, { fast: true, v2: true })
  wire.on('handshake', (theirs, peerId, extensions) => {
    Object.assign(said, { peerId, extensions, reserved: wire.peerReserved })
    setTimeout(() => wire.destroy(), LISTENING_TIME).unref()
  })
  wire.on('bitfield', (bitfield) => (said.bitfield = bitfield))
  wire.on('have-all', () => (said.hasAll = true))
  wire.on('extended-handshake', (handshake) => (said.announced = handshake))

  return new Promise((resolve, reject) => {
    wire.on('close', () => {
      const { error } = wire
      // What the peer said before it broke the protocol counts.
      if (said.peerId) resolve({ ...said, error, pieces: wire.peerPieces, stats: wire.stats() })
      else reject(error ?? socket.errored ?? new Error('the peer closed the connection'))
    })
  })
}

/** Names are printed with escapes, or a peer could send commands to the terminal. */
function describe({ peerId, reserved, extensions, announced, ...said }) {
  const { messages, bytes } = said.stats.received
  const names = Object.keys(announced.m ?? {})
  const features = Object.keys(FEATURES).filter((name) => extensions[name])
  const kinds = Object.entries(messages).filter(([, count]) => count > 0)
  // The bitfield tells how many there are, but for the spare bits at its end.
  const total = said.bitfield ? `at most ${said.bitfield.length * 8}` : 'an unknown number'
  const lines = {
    'peer id': `${peerId.toString('hex')} ${util.inspect(peerId.toString('latin1'))}`,
    'reserved bits': reserved.toString('hex'),
    announces: features.map((name) => FEATURES[name]).join(', ') || '-',
    client: util.inspect(announced.v ?? null),
    extensions: names.map((name) => util.inspect(name)).join(', ') || '-',
    'request queue': announced.reqq ?? '-',
    pieces: said.hasAll ? 'all' : `${said.pieces.filter(Boolean).length} of ${total}`,
    received: `${bytes} bytes: ${kinds.map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
    violation: said.error?.message ?? '-'
  }
  return Object.entries(lines).map(([name, value]) => `${name.padEnd(14)} ${value}`)
}

async function main() {
  const options = { help: { type: 'boolean', short: 'h' } }
  const { values, positionals } = util.parseArgs({ options, allowPositionals: true })
  if (values.help) return console.log(HELP)
  const [address, infoHash] = positionals
  if (!infoHash) throw new Error(HELP)
  const { hostname, port } = new URL(`tcp://${address}`)
  const peer = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) } // as [::1]:6881
  console.log(describe(await inspect(peer, infoHash)).join('\n'))
}

main().catch((error) => {
  console.error(`inspect.js: ${error.message || error.code}`)
  process.exitCode = 1
})
