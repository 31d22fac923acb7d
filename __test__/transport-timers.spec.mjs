// Timers of native wires after the event loop was busy: what has been received by then comes first.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'

import { HOST, dial, ending, listenRaw } from '../testkit/native.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

const { native } = createRequire(import.meta.url)('../lib/transport/native.js')

const WORKER = fileURLToPath(new URL('../testkit/workers/answering-peer.cjs', import.meta.url))
const ID = Buffer.alloc(20, 1)
const LIMIT = 30

/** The port of a peer that answers while this thread is busy. */
const startPeer = async (t) => {
  const worker = new Worker(WORKER)
  t.teardown(() => worker.terminate())
  const [port] = await once(worker, 'message')
  return port
}

/**
 * Keeps the event loop busy until timers are due, and the I/O thread has something to tell.
 *
 * @param {number} [records] how much at least: that a wire is connected comes before what it has received
 */
const block = (records = 1) => {
  const start = performance.now()
  while (performance.now() - start < LIMIT * 2 || native.recordsLeft() < records);
}

const connect = (t, port, options) => {
  const wire = pwp.connect({ host: HOST, port, ...options })
  t.teardown(() => wire.destroy())
  return wire
}

const unchoked = async (t, port) => {
  const wire = connect(t, port)
  wire.handshake(ID, ID)
  await once(wire, 'unchoke')
  // In the turn of a record the next one would follow before any timer.
  await settled()
  return wire
}

test.serial('a request does not time out when its answer is there', async (t) => {
  const wire = await unchoked(t, await startPeer(t))
  const calls = []
  wire.setTimeout(LIMIT, () => calls.push('timeout'))
  const answered = new Promise((resolve) => {
    wire.request(0, 0, 16_384, (error, bytes) => resolve(error ?? bytes.length))
  })
  block()
  t.is(await answered, 16_384)
  t.deepEqual(calls, [])
})

test.serial('nor does one with a time limit of its own', async (t) => {
  const wire = await unchoked(t, await startPeer(t))
  const answered = wire.requestBlock(0, 0, 16_384, { timeout: LIMIT })
  block()
  t.is((await answered).length, 16_384)
})

test.serial('a handshake is in time when it is there', async (t) => {
  const port = await startPeer(t)
  const wire = connect(t, port, { handshakeTimeout: LIMIT })
  const heard = Promise.race([once(wire, 'handshake'), ending(wire)])
  block(2)
  t.true(Array.isArray(await heard))
})

test.serial('a peer is not silent when something of it is there', async (t) => {
  const port = await startPeer(t)
  const wire = connect(t, port, { inactivityTimeout: LIMIT })
  const heard = Promise.race([once(wire, 'handshake'), ending(wire)])
  block(2)
  t.true(Array.isArray(await heard))
})

test.serial('time limits hold where nothing comes', async (t) => {
  const server = await listenRaw(t)
  const [silent, idle] = [{ handshakeTimeout: LIMIT }, { inactivityTimeout: LIMIT }]
  t.like(await ending(dial(t, server, silent)), { code: 'ERR_PWP_HANDSHAKE_TIMEOUT', limit: LIMIT })
  t.like(await ending(dial(t, server, idle)), { code: 'ERR_PWP_INACTIVITY_TIMEOUT' })
})
