// A worker whose native wires exchange blocks until its parent terminates it.
'use strict'

const { parentPort } = require('node:worker_threads')
const pwp = require('../..')
const { join, listen, requestAll } = require('../native-transfer.cjs')

const WIRES = 3

async function request(wire) {
  // oxlint-disable-next-line no-await-in-loop
  while (!wire.destroyed) await requestAll(wire)
}

async function main() {
  const { options } = await listen(pwp)
  for (let count = 0; count < WIRES; count++) {
    // oxlint-disable-next-line no-await-in-loop
    request(await join(pwp, options))
  }
  parentPort.postMessage(WIRES) // oxlint-disable-line unicorn/require-post-message-target-origin
}

main()
