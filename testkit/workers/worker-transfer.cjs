// Transfers in two workers and the main thread at the same time.
'use strict'

const { once } = require('node:events')
const { Worker, isMainThread } = require('node:worker_threads')
const pwp = require('../..')
const { transfer } = require('../transfer.cjs')

async function main() {
  const transfers = [transfer(pwp)]
  if (isMainThread) transfers.push(inWorker(), inWorker())
  await Promise.all(transfers)
}

async function inWorker() {
  const [code] = await once(new Worker(__filename), 'exit')
  if (code !== 0) throw new Error(`a worker ended with ${code}`)
}

main()
