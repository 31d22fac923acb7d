// Downloads a torrent, and prints its record: node leech.mjs FOLDER LEVEL MAGNET

import { finalState, makeClient, recordWires } from './client.mjs'

const [folder, level, magnet] = process.argv.slice(2)
const record = recordWires()
const client = makeClient('leech', level)
client.on('error', (error) => {
  throw error
})
const torrent = client.add(magnet, { path: folder })
torrent.on('done', () => {
  const state = finalState(record.wire, torrent.pieces.length)
  const line = JSON.stringify({ events: record.events, state })
  process.stdout.write(`${line}\n`, () => process.exit())
})
