// Transfers blocks between two native wires of one thread, which ends by itself then, or goes on for ever.
'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { parentPort, workerData } = require('node:worker_threads')
const pwp = require('../..')

const ID = Buffer.alloc(20, 1)
const BLOCKS = 200
const LENGTH = 16 * 1024

async function main({ goesOn = false } = {}) {
  const server = pwp.createServer((wire) => {
    wire.handshake(ID, ID)
    wire.unchoke()
    wire.on('request', (piece, offset, length, respond) =>
      respond(null, Buffer.alloc(length, piece))
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const wire = pwp.connect({ host: '127.0.0.1', port: server.address().port })
  wire.handshake(ID, ID)
  await once(wire, 'unchoke')
  for (let isOver = false; !isOver; isOver = !goesOn) {
    const pieces = Array.from({ length: BLOCKS }, (_, piece) => piece)
    const blocks = await Promise.all(pieces.map((piece) => wire.requestBlock(piece, 0, LENGTH))) // oxlint-disable-line no-await-in-loop
    for (const [piece, block] of blocks.entries()) {
      assert.ok(block.equals(Buffer.alloc(LENGTH, piece)))
    }
    parentPort?.postMessage('done') // oxlint-disable-line unicorn/require-post-message-target-origin -- a thread has none
  }
  wire.destroy()
  server.close()
}

main(workerData ?? undefined)
