// A process of the soak test: peer.mjs --seed S [--port P] [--native]. Without a port it listens, with one it connects;
// on every connection it requests and serves blocks until either side ends it.
import { once } from 'node:events'
import net from 'node:net'
import { parseArgs } from 'node:util'

import { randomFrom } from '../../testkit/random.mjs'
import { pwp } from '../../testkit/wires.mjs'
import { Connection, NativeConnection } from './connection.mjs'

/** Concurrent connections. */
const WIDTH = 8

const { values } = parseArgs({
  options: { seed: { type: 'string' }, port: { type: 'string' }, native: { type: 'boolean' } }
})
const random = randomFrom(Number(values.seed), values.port ? 'client' : 'server')
const open = new Set()
const counts = { connections: 0 }
let isStopping = false

function add(connection) {
  counts.connections++
  open.add(connection)
  connection.onclose(() => setImmediate(forget, connection))
}

const addSocket = (socket) => add(new Connection(socket, random))
const addWire = (wire) => add(new NativeConnection(wire, random))

/** By now the callbacks of its requests have been called, or never will be. */
function forget(connection) {
  open.delete(connection)
  for (const [name, count] of Object.entries(connection.counts)) {
    counts[name] = (counts[name] ?? 0) + count
  }
  if (values.port && !isStopping) dial()
  if (isStopping && open.size === 0) finish()
}

function dial() {
  const address = { host: '127.0.0.1', port: Number(values.port) }
  if (values.native) addWire(pwp.connect(address))
  else addSocket(net.connect(address))
}

function listen() {
  const server = values.native ? pwp.createServer(addWire) : net.createServer(addSocket)
  server.listen(0, '127.0.0.1')
  once(server, 'listening').then(() => process.send({ port: server.address().port }))
  return server
}

function finish() {
  process.send({ counts })
  process.disconnect()
}

const server = values.port ? null : listen()
const requests = {
  sample() {
    globalThis.gc()
    const { rss, heapUsed } = process.memoryUsage()
    process.send({ counts, memory: { rss, heapUsed } })
  },
  stop() {
    isStopping = true
    server?.close()
    for (const connection of open) connection.stop()
    if (open.size === 0) finish()
  }
}
process.on('message', (name) => requests[name]())

if (values.port) {
  for (let count = 0; count < WIDTH; count++) dial()
  process.send({ port: 0 })
}
