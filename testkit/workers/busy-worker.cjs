// A worker whose wires are busy until it ends in the way that its workerData selects.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const pwp = require('../..')
const { keepBusy } = require('./busy-wires.cjs')

const ENDINGS = {
  // The parent terminates it.
  terminate: () => parentPort.postMessage('busy'), // oxlint-disable-line unicorn/require-post-message-target-origin
  exit: () => process.exit(),
  throw: () => {
    throw new Error('thrown in a worker')
  }
}

keepBusy(pwp, workerData.wires, () => {
  setTimeout(ENDINGS[workerData.ending], Math.random() * 10)
})
