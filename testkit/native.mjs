// Native wires and servers for tests, which all end with their test.
import { once } from 'node:events'
import net from 'node:net'

import { pwp } from './wires.mjs'

export const HOST = '127.0.0.1'

/**
 * A server of native wires that listens.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {object} [options] of the server
 * @param {(wire: object, infoHash: Buffer | null) => void} [listener]
 */
export const serve = async (t, options, listener) => {
  const wires = new Set()
  const server = pwp.createServer(options)
  server.on('wire', (wire) => {
    wires.add(wire)
    wire.once('close', () => wires.delete(wire))
  })
  if (listener !== undefined) server.on('wire', listener)
  t.teardown(() => {
    server.close()
    for (const wire of wires) wire.destroy()
  })
  await once(server.listen(0, HOST), 'listening')
  return server
}

/**
 * A native wire to a server, of either kind.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {{address: () => {port: number}}} server
 * @param {object} [options]
 */
export const dial = (t, server, options) => {
  const wire = pwp.connect({ host: HOST, port: server.address().port, ...options })
  t.teardown(() => wire.destroy())
  return wire
}

/**
 * A native wire and the socket of Node at its other end.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {object} [options] of the wire
 * @returns {Promise<[object, net.Socket]>}
 */
export const wireAndSocket = async (t, options) => {
  const server = await listenRaw(t)
  const wire = dial(t, server, options)
  const [[socket]] = await Promise.all([once(server, 'connection'), once(wire, 'connect')])
  return [wire, socket]
}

/**
 * A server of Node whose sockets end with the test.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {string} [host]
 */
export const listenRaw = async (t, host = HOST) => {
  const server = net.createServer({ allowHalfOpen: true })
  const sockets = new Set()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server.listen(0, host), 'listening')
  return server
}

/**
 * A socket of Node to a server of native wires.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {object} server
 * @param {object} [options] of `net.connect()`
 */
export const connectRaw = async (t, server, options) => {
  const socket = net.connect({ host: HOST, port: server.address().port, ...options })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** A port at which nobody listens. */
export const freePort = async () => {
  const server = net.createServer()
  await once(server.listen(0, HOST), 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Both native wires of a connection, which each other's bytes reach. */
export const nativePair = async (t, dialing, accepting) => {
  const server = await serve(t, accepting)
  const wire = dial(t, server, dialing)
  const [[other]] = await Promise.all([once(server, 'wire'), once(wire, 'connect')])
  return [wire, other]
}

/** The error that closes a wire, or null. */
export const ending = (wire) =>
  new Promise((resolve) => {
    if (wire.destroyed) resolve(wire.error)
    else wire.once('close', () => resolve(wire.error))
  })
