// Native wires on the current runtime: verified transfers, detached slabs, and the ends of processes and
// workers in the middle of traffic: one program per run. checks/runtimes.mjs knows the exit codes.
'use strict'

const assert = require('node:assert')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const {
  BLOCKS,
  BLOCK_LENGTH,
  join,
  listen,
  requestAll,
  transferNatively
} = require('./native-transfer.cjs')

const pwp = require('peer-wire-protocol')

const ROUNDS = 8

const PROGRAMS = {
  async transfer() {
    await transferNatively(pwp)
    await transferNatively(pwp, { isEncrypted: true })
  },
  /** Whatever a user does with the memory of blocks, blocks that come later and other wires stay right. */
  async detach() {
    for (const detach of [
      (buffer) => buffer.transfer?.(),
      (buffer) => buffer.transfer?.(16),
      clone
    ]) {
      const onblocks = (blocks) => blocks.forEach(({ buffer }) => attempt(() => detach(buffer)))
      // oxlint-disable-next-line no-await-in-loop
      await transferNatively(pwp, { onblocks })
    }
    await detachAsTheyCome()
    await transferNatively(pwp)
  },
  /** Nothing but the wires keeps it alive, and nothing at all once they are closed. */
  async natural() {
    await busy()
    setTimeout(() => {
      for (const { wires, server } of running) {
        server.close()
        for (const wire of wires) wire.destroy()
      }
    }, 20)
  },
  /** Ends by itself with wires that are open, as none of them counts. */
  async unref() {
    const alive = setInterval(() => {}, 1000)
    const { options, server } = await listen(pwp)
    server.unref()
    // As sockets of Node, those that it takes count all the same.
    server.on('wire', (wire) => wire.unref())
    await join(pwp, { ...options, ref: false })
    process.exitCode = 5
    clearInterval(alive)
  },
  async exit() {
    await busy()
    setTimeout(() => process.exit(7), 5)
  },
  async throw() {
    await busy()
    setTimeout(() => {
      throw new Error('thrown on purpose')
    }, 5)
  },
  async signal() {
    await busy()
    setTimeout(() => process.kill(process.pid, 'SIGTERM'), 5)
  },
  terminate: () => endWorkers((worker) => worker.terminate()),
  'end-worker': () => endWorkers(() => {}),
  'throw-worker': () => endWorkers(() => {})
}

const clone = (buffer) => structuredClone(buffer, { transfer: [buffer] })

function attempt(work) {
  try {
    work()
  } catch {
    // Some runtimes refuse.
  }
}

/**
 * Each block of one wire is detached while those of others are read into the same slab. That may end this wire,
 * with an error that says so, but no other.
 */
async function detachAsTheyCome() {
  const { data, options, server } = await listen(pwp)
  const wires = [await join(pwp, options), await join(pwp, options), await join(pwp, options)]
  let count = 0
  for (const wire of wires) {
    wire.on('piece', (piece, offset, block) => {
      const start = piece * BLOCK_LENGTH
      assert(block.equals(data.subarray(start, start + BLOCK_LENGTH)))
      if (wire !== wires[0]) count++
      else attempt(() => block.buffer.transfer?.())
    })
  }
  await Promise.all(
    wires.map((wire) => requestAll(wire).catch(() => assert.strictEqual(wire, wires[0])))
  )
  assert.strictEqual(count, 2 * BLOCKS)
  const [{ error }] = wires
  if (error) assert.strictEqual(error.code, 'ERR_PWP_MEMORY_CHANGED')
  for (const wire of wires) wire.destroy()
  await new Promise((resolve) => server.close(resolve))
}

const running = []

/** Traffic without end, plain and encrypted, and dials that fail. */
async function busy() {
  for (const isEncrypted of [false, true]) {
    // oxlint-disable no-await-in-loop
    const { options, server } = await listen(pwp, { isEncrypted })
    const wires = [await join(pwp, options), await join(pwp, options), await join(pwp, options)]
    // oxlint-enable no-await-in-loop
    for (const wire of wires) loop(wire)
    running.push({ wires, server })
    pwp.connect({ host: '127.0.0.1', port: 1 })
  }
}

async function loop(wire) {
  try {
    // oxlint-disable-next-line no-await-in-loop
    while (!wire.destroyed) await requestAll(wire)
  } catch {
    // The wire was closed.
  }
}

/** The main thread has native wires that outlive them. */
async function endWorkers(end) {
  await transferNatively(pwp)
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(__filename, { workerData: process.argv[2] })
    worker.on('error', (error) => assert.match(error.message, /on purpose/))
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    // oxlint-disable no-await-in-loop
    await new Promise((resolve) => worker.once('message', resolve))
    await end(worker)
    await exited
    // oxlint-enable no-await-in-loop
  }
  await transferNatively(pwp)
}

async function inWorker() {
  await busy()
  parentPort.postMessage('begins') // oxlint-disable-line unicorn/require-post-message-target-origin
  if (workerData === 'end-worker') setTimeout(() => process.exit(), 5)
  if (workerData === 'throw-worker') {
    setTimeout(() => {
      throw new Error('thrown on purpose')
    }, 5)
  }
}

if (isMainThread) PROGRAMS[process.argv[2]]()
else inWorker()
