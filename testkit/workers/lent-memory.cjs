// Ends with blocks and pieces of a native wire in memory, as a process or as a worker.
'use strict'

const { once } = require('node:events')

const pwp = require('../../index.js')

const ID = Buffer.alloc(20, 1)
const LENGTH = 64 * 1024

async function run() {
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
  globalThis.kept = [
    await wire.requestBlock(1, 0, LENGTH),
    await wire.fetchPiece(2, { length: LENGTH })
  ]
  wire.destroy()
  server.close()
}

run()
