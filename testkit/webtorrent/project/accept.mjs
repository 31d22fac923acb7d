// Waits for encrypted connections, and prints what they cost: node accept.mjs COUNT

import MemoryChunkStore from 'memory-chunk-store'

import { makeClient } from './client.mjs'
import { startClocks } from './clocks.mjs'

const count = Number(process.argv[2])
const client = makeClient('accept', 2)
client.maxConns = 2 * count
const content = Buffer.alloc(100_000, 7)
content.name = 'file'
const torrent = await new Promise((resolve) => {
  client.seed(content, { announce: [], store: MemoryChunkStore }, resolve)
})
let clocks
client._connPool.tcpServer.on('connection', () => {
  clocks ??= startClocks()
})
let wires = 0
torrent.on('wire', () => {
  if (++wires < count) return
  // Once the handshakes have left.
  setImmediate(() => console.log(JSON.stringify(clocks())))
})
console.log(JSON.stringify({ port: client.torrentPort, infoHash: torrent.infoHash }))
