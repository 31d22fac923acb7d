// Seeds a folder until its input ends: node seed.mjs FOLDER LEVEL
//
// Prints a line with the magnet link, and one with its record at the end.

import { finalState, makeClient, recordWires } from './client.mjs'

const [folder, level] = process.argv.slice(2)
const record = recordWires()
const client = makeClient('seed', level)
client.on('error', (error) => {
  throw error
})
const torrent = await new Promise((resolve) => {
  client.seed(folder, { name: 'files', announce: [], pieceLength: 65_536 }, resolve)
})
const peer = `127.0.0.1:${client.torrentPort}`
console.log(JSON.stringify({ magnet: `magnet:?xt=urn:btih:${torrent.infoHash}&x.pe=${peer}` }))

process.stdin.resume()
process.stdin.on('end', () => {
  const state = finalState(record.wire, torrent.pieces.length)
  const line = JSON.stringify({ events: record.events, state })
  process.stdout.write(`${line}\n`, () => process.exit())
})
