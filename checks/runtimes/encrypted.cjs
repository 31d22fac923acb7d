// Checks encryption over TCP on the current runtime: verified transfers, of wires that encrypt themselves and of
// wires over encrypted streams, and refusals of peers that do not encrypt.
'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const net = require('node:net')
const pwp = require('peer-wire-protocol')
const { transfer, INFO_HASH, LEECH_ID } = require('./transfer.cjs')

const INITIATOR = { role: 'initiator', infoHash: INFO_HASH }
const RESPONDER = { role: 'responder', infoHashes: INFO_HASH }

async function transferOverWires(method) {
  const wires = []
  const make = (options) => () => {
    const encryption = { ...options, mode: 'require', methods: [method] }
    const wire = pwp({ encryption })
    wires.push(wire)
    return wire
  }
  await transfer(make(RESPONDER), make(INITIATOR))
  assert.deepStrictEqual(wires.map(methodOf), [method, method])
}

async function transferOverStreams(method) {
  const streams = []
  const keep = (stream) => {
    streams.push(stream)
    return stream
  }
  const accept = (socket) =>
    keep(pwp.encryption.wrap(socket, { ...RESPONDER, mode: 'require', methods: [method] }))
  const connect = async (dial) =>
    keep(await pwp.encryption.dial(dial, { ...INITIATOR, methods: [method] }))
  await transfer(pwp, pwp, { accept, connect })
  assert.deepStrictEqual(streams.map(methodOf), [method, method])
}

const methodOf = ({ encryption }) => encryption.method

/** Connects two sockets; settles with those of the client and the server. */
async function connectSockets(listener) {
  const socket = net.connect(listener.address().port, '127.0.0.1')
  const [[accepted]] = await Promise.all([once(listener, 'connection'), once(socket, 'connect')])
  return [socket, accepted]
}

async function refusePlain(listener) {
  const [socket, accepted] = await connectSockets(listener)
  const [plain, strict] = [pwp(), pwp({ encryption: { ...RESPONDER, mode: 'require' } })]
  const refused = once(strict, 'close').catch(() => {})
  socket.pipe(plain).pipe(socket)
  accepted.pipe(strict).pipe(accepted)
  plain.handshake(INFO_HASH, LEECH_ID)
  await refused
  assert.strictEqual(strict.error.code, 'ERR_PWP_ENCRYPTION_PLAIN')
  socket.destroy()
  accepted.destroy()
}

/** The first connection is closed when its key comes, the second is not encrypted. */
async function dialAgain(listener) {
  const attempts = []
  const accepted = []
  listener.on('connection', (socket) => {
    accepted.push(socket)
    socket.on('error', () => {})
    if (accepted.length === 1) socket.once('data', () => socket.end())
  })
  const dial = ({ encrypted }) => {
    attempts.push(encrypted)
    return net.connect(listener.address().port, '127.0.0.1')
  }
  const stream = await pwp.encryption.dial(dial, INITIATOR)
  assert.deepStrictEqual(attempts, [true, false])
  assert.strictEqual(stream.encryption.method, 'none')
  stream.destroy()
  for (const socket of accepted) socket.destroy()
}

async function main() {
  for (const method of ['rc4', 'plaintext']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await transferOverWires(method)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await transferOverStreams(method)
  }
  const listener = net.createServer()
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  await refusePlain(listener)
  await dialAgain(listener)
  listener.close()
  console.log('ok')
}

main()
