// A worker that keeps live wires until its parent terminates it.
'use strict'

const { parentPort } = require('node:worker_threads')
const pwp = require('peer-wire-protocol')
const { transfer } = require('./transfer.cjs')

async function main() {
  const wires = Array.from({ length: 50 }, () => pwp())
  for (const wire of wires) wire.setKeepAlive()
  await transfer(pwp)
  parentPort.postMessage(wires.length) // oxlint-disable-line unicorn/require-post-message-target-origin
}

main()
