// A peer on a thread of its own, which answers while the other thread is busy: it says its port, and serves zeros.
'use strict'

const net = require('node:net')
const { parentPort } = require('node:worker_threads')
const pwp = require('../..')

const ID = Buffer.alloc(20, 1)

const server = net.createServer((socket) => {
  const wire = pwp()
  socket.pipe(wire).pipe(socket)
  socket.on('error', () => {})
  wire.handshake(ID, ID)
  wire.unchoke()
  wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
})
server.listen(0, '127.0.0.1', () => {
  parentPort.postMessage(server.address().port) // oxlint-disable-line unicorn/require-post-message-target-origin
})
