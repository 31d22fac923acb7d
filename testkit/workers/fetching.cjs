// Fetches a piece into memory of `pwp.allocate()` from the port in `workerData`, and is ended meanwhile.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')

const pwp = require('../../index.js')

const ID = Buffer.alloc(20, 1)
const { port, length } = workerData

const wire = pwp.connect({ host: '127.0.0.1', port })
wire.handshake(ID, ID)
wire.on('download', () => parentPort.postMessage('download')) // oxlint-disable-line unicorn/require-post-message-target-origin -- a thread has none
globalThis.into = pwp.allocate(length)
wire.fetchPiece(1, { length, into: globalThis.into })
