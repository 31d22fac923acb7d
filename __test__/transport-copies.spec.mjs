// Native sockets of several copies of the code, and of several threads.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { createRequire } from 'node:module'
import test from 'ava'

import { loadCopy } from '../testkit/memory/copies.mjs'
import { HOST } from '../testkit/native.mjs'
import { pwp } from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)
const WORKER = fileURLToPath(new URL('../testkit/workers/native-transfer.cjs', import.meta.url))

/** Fetches a block from a server of one copy by a wire of another one. */
const transfer = async (t, Serving, Dialing) => {
  const server = Serving.createServer((wire) => {
    wire.handshake(ID, ID)
    wire.unchoke()
    wire.on('request', (piece, offset, length, respond) =>
      respond(null, Buffer.alloc(length, piece))
    )
  })
  t.teardown(() => server.close())
  await once(server.listen(0, HOST), 'listening')
  const wire = Dialing.connect({ host: HOST, port: server.address().port })
  wire.handshake(ID, ID)
  await once(wire, 'unchoke')
  const block = await wire.requestBlock(7, 0, 16_384)
  t.true(block.equals(Buffer.alloc(16_384, 7)))
  wire.destroy()
  return wire
}

test('wires of several copies connect to each other', async (t) => {
  const [Copy, Other] = [loadCopy(), loadCopy()]
  t.not(Copy, pwp)
  for (const [Serving, Dialing] of [
    [Copy, Other],
    [pwp, Copy],
    [Other, pwp]
  ]) {
    const wire = await transfer(t, Serving, Dialing) // oxlint-disable-line no-await-in-loop
    t.true(wire instanceof Dialing)
  }
})

test('a copy that shares something else is told so', (t) => {
  const addon = createRequire(import.meta.url)('../native.js')
  const shared = Symbol.for('peer-wire-native: records')
  t.is(typeof pwp.createServer, 'function')
  const kept = addon[shared]
  t.is(typeof kept?.version, 'number')
  addon[shared] = { version: kept.version + 1 }
  try {
    t.throws(loadCopy, { code: 'ERR_PWP_COPIES' })
  } finally {
    addon[shared] = kept
  }
})

test('threads have native sockets of their own, side by side', async (t) => {
  const workers = [0, 1, 2].map(() => new Worker(WORKER))
  const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'exit'))[0]))
  t.deepEqual(codes, [0, 0, 0])
})

test('a thread may be terminated with live sockets', async (t) => {
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(WORKER, { workerData: { goesOn: true } })
    await once(worker, 'message') // oxlint-disable-line no-await-in-loop
    await worker.terminate() // oxlint-disable-line no-await-in-loop
  }
  await t.notThrowsAsync(transfer(t, pwp, pwp))
})
