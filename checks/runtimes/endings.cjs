// Ends a process, a worker or a loaded copy of the package while wires are at work: one ending per run.
// checks/runtimes.mjs knows the exit codes.
'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { makeUnchoked, transfer, INFO_HASH, LEECH_ID } = require('./transfer.cjs')

const NAME = 'peer-wire-protocol'
const HAVE = Buffer.from('000000050400000007', 'hex')
const ROUNDS = 5

const ENDINGS = {
  exit() {
    busy(() => process.exit(7))
  },
  throw() {
    busy(() => {
      throw new Error('thrown on purpose')
    })
  },
  signal() {
    busy(() => process.kill(process.pid, 'SIGTERM'))
    setTimeout(() => {}, 60_000)
  },
  async reload() {
    for (let round = 0; round < ROUNDS; round++) {
      const before = require(NAME)
      const wire = before()
      for (const file of Object.keys(require.cache)) delete require.cache[file]
      assert.notStrictEqual(require(NAME), before)
      // oxlint-disable-next-line no-await-in-loop
      await transfer(before, require(NAME))
      wire.have(7)
      assert.deepStrictEqual([...wire.read()], [...HAVE])
    }
  },
  /** Exits while input is being written. */
  terminate: () => endWorkers((worker) => worker.terminate()),
  /** Ends by itself. */
  'end-worker': () => endWorkers(() => {})
}

/** Writes to a wire with output and requests queued, until a listener calls `end`, or else forever. */
function busy(end) {
  const wire = makeUnchoked(require(NAME))
  for (let piece = 0; piece < 100; piece++) wire.request(piece, 0, 16 * 1024, () => {})
  wire.handshake(INFO_HASH, LEECH_ID)
  wire.setKeepAlive()
  let count = 0
  wire.on('have', () => {
    wire.interested()
    if (++count === 1000) end?.()
  })
  const chunk = Buffer.concat([HAVE, HAVE, HAVE])
  // oxlint-disable-next-line no-unmodified-loop-condition
  while (end === undefined || count < 1000) wire.write(chunk)
}

/** The main thread has a wire that outlives them. */
async function endWorkers(end) {
  const pwp = require(NAME)
  const wire = makeUnchoked(pwp)
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(__filename, { workerData: process.argv[2] })
    const exited = once(worker, 'exit')
    // oxlint-disable no-await-in-loop
    await once(worker, 'message')
    await end(worker)
    await exited
    // oxlint-enable no-await-in-loop
  }
  wire.write(HAVE)
  assert.strictEqual(wire.peerPieces[7], true)
  await transfer(pwp)
}

function inWorker() {
  parentPort.postMessage('begins') // oxlint-disable-line unicorn/require-post-message-target-origin
  const end = workerData === 'end-worker' ? () => process.exit() : undefined
  setTimeout(busy, 1, end)
}

if (isMainThread) ENDINGS[process.argv[2]]()
else inWorker()
