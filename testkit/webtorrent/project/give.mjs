// Seeds a made-up file from memory: node give.mjs BYTES LEVEL
//
// Prints a line with the magnet link, and one with what all cost once the other side has everything.

import MemoryChunkStore from 'memory-chunk-store'

import { makeClient } from './client.mjs'
import { startClocks } from './clocks.mjs'

const [size, level] = process.argv.slice(2).map(Number)
const client = makeClient('give', level)
const content = Buffer.alloc(size)
for (let at = 0; at < size; at += 4) content.writeUInt32LE(at, at)
content.name = 'file'
const torrent = await new Promise((resolve) => {
  client.seed(content, { announce: [], store: MemoryChunkStore, pieceLength: 262_144 }, resolve)
})
let clocks
client._connPool.tcpServer.on('connection', () => {
  clocks ??= startClocks()
})
// What the torrent counts as uploaded includes all that surrounds the blocks.
let bytes = 0
torrent.on('wire', (wire) => {
  wire.on('upload', (length) => (bytes += length))
})
torrent.on('upload', () => {
  if (bytes >= size) console.log(JSON.stringify({ bytes, ...clocks() }))
})
const peer = `127.0.0.1:${client.torrentPort}`
console.log(JSON.stringify({ magnet: `magnet:?xt=urn:btih:${torrent.infoHash}&x.pe=${peer}` }))
