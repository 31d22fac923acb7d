#!/usr/bin/env node
// Serves a file or a folder as a torrent to every peer that connects.
'use strict'

const { once } = require('node:events')
const net = require('node:net')
const { createPeerId, openWire, parseAddress, whenRoom } = require('./lib/connection')
const { Limit } = require('./lib/limit')
const { createPacer } = require('./lib/pacer')
const { ReadAhead } = require('./lib/read-ahead')
const { cpuSince, report, run } = require('./lib/script')
const { formatBytes, parseSize } = require('./lib/size')
const { openSource } = require('./lib/source')

const HELP = `Usage: seed.js <file|folder|file.torrent> [options]

Makes <file>.torrent and serves it. With a .torrent, serves the data that lies next to it.

  --port n             listen on this port (default: any that is free)
  --host address       listen on this address (default: 127.0.0.1)
  --torrent path       where to write the .torrent (default: next to the data)
  --data folder        where the data of a given .torrent lies (default: next to it)
  --connect host:port  also connect to this peer; may be given several times
  --rate size          send no more than this in a second, such as 5MiB`

const MAX_PEERS = 100
const MAX_READS = 4 // per peer, so that one with many requests does not hold up the others

/** Serves one peer. `isOurs`: we opened the connection, so we send the first handshake. */
function serve({ torrent, data, pace, signal }, socket, isOurs) {
  const wire = openWire(socket, { pieces: torrent.pieceCount, signal })
  const reads = new Limit(MAX_READS)
  const shakeHands = () => wire.handshake(torrent.infoHash, createPeerId())
  reportEnd(socket, wire)

  if (isOurs) shakeHands()
  wire.once('handshake', (infoHash, peerId, { extended }) => {
    if (!infoHash.equals(torrent.infoHash)) return wire.destroy()
    if (!isOurs) shakeHands()
    // rtorrent does nothing before it has this from a peer that has the extension protocol.
    if (extended) wire.extended(0, { m: {} })
    wire.bitfield(torrent.fullBitfield())
  })
  wire.on('interested', () => wire.unchoke())
  wire.on('uninterested', () => wire.choke())
  wire.on('request', (piece, offset, length, respond) => {
    if (!torrent.allows(piece, offset, length)) return wire.destroy()
    const read = async () => {
      await whenRoom(socket, wire)
      await pace(length)
      return data.read(torrent.position(piece, offset), length)
    }
    reads.run(read).then(
      (block) => respond(null, block),
      (error) => {
        if (!socket.destroyed) console.error(error.message)
        wire.destroy()
      }
    )
  })
  socket.on('close', () => reads.clear())
}

function reportEnd(socket, wire) {
  const start = process.cpuUsage()
  socket.on('close', () => {
    const { uploaded, error } = wire
    const reason = error ? `: ${error.message}` : ''
    const fields = { uploaded, cpu: cpuSince(start), error: error?.message }
    report('left', fields, `A peer left after ${formatBytes(uploaded)}${reason}`)
  })
}

async function main({ port, host, connect, rate, ...values }, [source], signal) {
  const peers = connect.map(parseAddress)
  const pace = createPacer(rate ? parseSize(rate) : Infinity)
  const { torrent, torrentPath, folder, storage } = await openSource(source, values, signal)
  const seed = { torrent, data: new ReadAhead(storage), pace, signal }

  const server = net.createServer((socket) => serve(seed, socket, false))
  server.maxConnections = MAX_PEERS
  server.listen({ port: Number(port), host, signal })
  await once(server, 'listening', { signal })
  for (const peer of peers) serve(seed, net.connect(peer), true)

  const infoHash = torrent.infoHash.toString('hex')
  const address = server.address()
  const text = `${infoHash} at ${address.address}:${address.port}\n${torrentPath}`
  report('listening', { port: address.port, infoHash, torrentPath, folder }, text)
  await once(server, 'close')
  await storage.close()
}

const options = {
  port: { type: 'string', default: '0' },
  host: { type: 'string', default: '127.0.0.1' },
  torrent: { type: 'string' },
  data: { type: 'string' },
  connect: { type: 'string', multiple: true, default: [] },
  rate: { type: 'string' }
}
run({ help: HELP, options, positionals: [1, 1] }, main)
