// Seeds a made-up file from memory: node give.mjs BYTES LEVEL
//
// Prints a line with the magnet link, and one with what all cost once the other side has everything.

import MemoryChunkStore from 'memory-chunk-store'

import { makeClient } from './client.mjs'
import { startClocks } from './clocks.mjs'

const [length, level] = process.argv.slice(2).map(Number)
let left = length
const client = makeClient('give', level)
const content = Buffer.alloc(length)
for (let at = 0; at < length; at += 4) content.writeUInt32LE(at, at)
content.name = 'file'
const torrent = await new Promise((resolve) => {
  client.seed(content, { announce: [], store: MemoryChunkStore, pieceLength: 262_144 }, resolve)
})
let clocks
client._connPool.tcpServer.on('connection', () => {
  clocks ??= startClocks()
})
// What the torrent counts as uploaded includes all that surrounds the blocks.
torrent.on('wire', (wire) => {
  wire.on('upload', (bytes) => (left -= bytes))
})
const onUpload = () => {
  if (left > 0) return
  torrent.off('upload', onUpload)
  console.log(JSON.stringify({ bytes: length - left, ...clocks() }))
}
torrent.on('upload', onUpload)
const peer = `127.0.0.1:${client.torrentPort}`
console.log(JSON.stringify({ magnet: `magnet:?xt=urn:btih:${torrent.infoHash}&x.pe=${peer}` }))
