// Downloads a torrent into memory, and prints what that cost: node take.mjs MAGNET LEVEL

import MemoryChunkStore from 'memory-chunk-store'

import { makeClient } from './client.mjs'
import { startClocks } from './clocks.mjs'

const [magnet, level] = process.argv.slice(2)
const client = makeClient('take', level)
await new Promise((resolve) => client.on('ready', resolve))
const clocks = startClocks()
const torrent = client.add(magnet, { store: MemoryChunkStore })
torrent.on('done', () => {
  console.log(JSON.stringify({ bytes: torrent.downloaded, ...clocks() }))
})
