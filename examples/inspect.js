#!/usr/bin/env node
// Asks a peer what it says of itself, and downloads nothing: for crawlers and tests.
'use strict'

const { randomBytes } = require('node:crypto')
const net = require('node:net')
const util = require('node:util')
const bencode = require('bencode')
const pwp = require('..')

const HELP = `Usage: inspect.js <host:port> <info-hash>

Shakes hands with the peer at host:port, prints what it says of itself, and leaves.`

const HANDSHAKE_TIMEOUT = 5000 // ms, for the connection and the handshake
const LISTENING_TIME = 1000 // ms after the handshake, in which a peer says what it has

/** Settles with what the peer said; rejects with the reason why it did not shake hands. */
function inspect(address, infoHash) {
  const wire = pwp({ handshakeTimeout: HANDSHAKE_TIMEOUT })
  const socket = net.connect(address)
  socket.pipe(wire).pipe(socket)
  // A wire does not know its socket: whichever ends first has to end the other.
  socket.on('error', () => {}) // the reason stays in socket.errored, and 'close' follows
  socket.on('close', () => wire.destroy())
  wire.on('close', () => socket.destroy())

  const said = { client: null, requestQueue: null, extensions: [], bitfield: null }
  wire.handshake(infoHash, Buffer.concat([Buffer.from('-PN0100-'), randomBytes(12)]))
  wire.on('handshake', (theirs, peerId, { dht, extended }) => {
    if (theirs.toString('hex') !== infoHash.toLowerCase()) {
      return wire.destroy(new Error('the peer has another torrent'))
    }
    Object.assign(said, { peerId, dht, extended, reserved: wire.peerReserved })
    // The handshake of BEP 10. An empty `m` says that we understand no extension.
    if (extended) wire.extended(0, { m: {}, v: 'peer-wire-native inspect.js' })
    setTimeout(() => wire.destroy(), LISTENING_TIME).unref()
  })
  wire.on('bitfield', (bitfield) => (said.bitfield = bitfield))
  wire.on('extended', (id, message) => {
    if (id === 0) Object.assign(said, readExtendedHandshake(message))
  })

  return new Promise((resolve, reject) => {
    wire.on('close', () => {
      const { error } = wire
      // What the peer said before it broke the protocol counts.
      if (said.peerId) resolve({ ...said, error, pieces: wire.peerPieces, stats: wire.stats() })
      else reject(error ?? socket.errored ?? new Error('the peer closed the connection'))
    })
  })
}

/** Anything may come in a message of a peer: what has another form than BEP 10 says is left out. */
function readExtendedHandshake(message) {
  try {
    const { m, v, reqq } = bencode.decode(message)
    const names = Object.entries(m ?? {}).filter(([, id]) => Number.isInteger(id) && id > 0)
    return {
      client: Buffer.isBuffer(v) ? v.toString() : null,
      requestQueue: Number.isInteger(reqq) ? reqq : null,
      extensions: names.map(([name]) => name)
    }
  } catch (error) {
    return { client: `(an extended handshake that is no bencode: ${error.message})` }
  }
}

/** Names are printed with escapes, or a peer could send commands to the terminal. */
function describe({ peerId, reserved, dht, extended, client, ...said }) {
  const { messages, bytes } = said.stats.received
  const kinds = Object.entries(messages).filter(([, count]) => count > 0)
  // The bitfield tells how many there are, but for the spare bits at its end.
  const total = said.bitfield ? `at most ${said.bitfield.length * 8}` : 'an unknown number'
  const lines = {
    'peer id': `${peerId.toString('hex')} ${util.inspect(peerId.toString('latin1'))}`,
    'reserved bits': reserved.toString('hex'),
    announces: [dht && 'DHT', extended && 'extension protocol'].filter(Boolean).join(', ') || '-',
    client: util.inspect(client),
    extensions: said.extensions.map((name) => util.inspect(name)).join(', ') || '-',
    'request queue': said.requestQueue ?? '-',
    pieces: `${said.pieces.filter(Boolean).length} of ${total}`,
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
