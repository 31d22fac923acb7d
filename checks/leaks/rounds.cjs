// Runs one measurement of checks/leaks.mjs in this process: repeats the same work in rounds, and prints
// what the process holds after each. Needs --expose-gc.
'use strict'

const { once } = require('node:events')
const { setImmediate: turn, setTimeout: pause } = require('node:timers/promises')
const { Worker } = require('node:worker_threads')

const [, , name, library, rounds, count] = process.argv
const pwp = require(library)

/** Wires between two turns of the event loop. */
const BATCH = 500

const BUSY_WORKER = require.resolve('../../testkit/workers/busy-worker.cjs')
const BUSY_WIRES = 50

const ID = Buffer.alloc(20, 1)
const REQUEST = [0, 0, 16 * 1024]
const PEER_BYTES = greet(pwp())

/** Kinds of work; each returns the peak memory of the process in bytes, where that matters. */
const WORK = {
  async destroyed() {
    await inBatches(() => use().destroy())
  },
  async dropped() {
    await inBatches(use)
  },
  async alive() {
    await collect()
    const before = process.memoryUsage.rss()
    const wires = []
    await inBatches(() => wires.push(use()))
    await collect()
    const held = process.memoryUsage.rss() - before
    for (const wire of wires) wire.destroy()
    return held
  },
  async workers() {
    await Promise.all(Array.from({ length: count }, endWorker))
  }
}

/** The first messages of a peer: handshake, unchoke, some pieces. */
function greet(peer) {
  peer.handshake(ID, ID)
  peer.unchoke()
  for (let piece = 0; piece < 3; piece++) peer.have(piece)
  const chunks = []
  for (let chunk = peer.read(); chunk !== null; chunk = peer.read()) chunks.push(chunk)
  peer.destroy()
  return Buffer.concat(chunks)
}

/** A wire that has received all of these and has a request open. */
function use() {
  const wire = pwp()
  wire.handshake(ID, ID)
  wire.interested()
  wire.write(PEER_BYTES)
  wire.request(...REQUEST, () => {})
  wire.resume()
  return wire
}

async function inBatches(step) {
  for (let done = 0; done < count; done++) {
    step()
    // oxlint-disable-next-line no-await-in-loop
    if (done % BATCH === 0) await turn()
  }
}

async function endWorker() {
  const worker = new Worker(BUSY_WORKER, { workerData: { wires: BUSY_WIRES, ending: 'terminate' } })
  await once(worker, 'message')
  await worker.terminate()
}

/** Finalizers run after a collection and release objects that only the next one can collect. */
async function collect() {
  for (let i = 0; i < 3; i++) {
    // oxlint-disable-next-line no-await-in-loop
    await pause(5)
    global.gc()
  }
}

async function main() {
  const samples = []
  for (let round = 0; round < rounds; round++) {
    // oxlint-disable no-await-in-loop
    const held = await WORK[name]()
    await collect()
    // oxlint-enable no-await-in-loop
    const { rss, heapUsed, external } = process.memoryUsage()
    samples.push({ rss, heap: heapUsed + external, held })
  }
  console.log(JSON.stringify(samples))
}

main()
