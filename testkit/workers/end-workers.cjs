// Starts workers with busy wires and ends them abruptly, round after round. In the first half the
// main thread does not use the package, so each round unloads the addon; in the second half it has
// busy wires of its own, which must keep working.
'use strict'

const { once } = require('node:events')
const { Worker } = require('node:worker_threads')

const ROUNDS = 20
const WIRES = 50
const [, , ending] = process.argv

async function main() {
  await endWorkers(ROUNDS / 2)
  await amongBusyWires(() => endWorkers(ROUNDS / 2))
  console.log(`${ROUNDS} rounds`)
  process.exit()
}

async function endWorkers(rounds) {
  for (let round = 0; round < rounds; round++) {
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all([runWorker(), runWorker(), runWorker()])
  }
}

async function amongBusyWires(use) {
  const pwp = require('../..')
  const { keepBusy } = require('./busy-wires.cjs')
  const { transfer } = require('../transfer.cjs')
  const wires = await new Promise((resolve) => {
    const all = keepBusy(pwp, 10, () => resolve(all))
  })
  await use()
  await Promise.all(wires.map(goesOn))
  await transfer(pwp)
}

/** Settles when the worker is gone; it ends only once its wires are busy. */
function runWorker() {
  const program = require.resolve('./busy-worker.cjs')
  const worker = new Worker(program, { workerData: { wires: WIRES, ending } })
  worker.on('message', () => setTimeout(() => worker.terminate(), Math.random() * 10))
  worker.on('error', checkError)
  return new Promise((resolve) => worker.on('exit', resolve))
}

function checkError(error) {
  if (ending !== 'throw' || error.message !== 'thrown in a worker') throw error
}

async function goesOn(wire) {
  const { downloaded } = wire
  await once(wire, 'download')
  if (wire.destroyed || wire.downloaded <= downloaded) throw new Error('a wire stands still')
}

main()
