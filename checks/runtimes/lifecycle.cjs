// Checks the life and the end of wires on the current runtime: streams, errors, timers, worker threads.
'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { PassThrough, Writable, finished, pipeline } = require('node:stream')
const { promisify } = require('node:util')
const { Worker } = require('node:worker_threads')
const pwp = require('peer-wire-protocol')
const { makeUnchoked } = require('./transfer.cjs')

const CASES = {
  async 'stream.pipeline and stream.finished settle'() {
    const wire = pwp()
    const sink = new Writable({ write: (chunk, encoding, callback) => callback() })
    const source = new PassThrough()
    const done = Promise.all([promisify(pipeline)(source, wire, sink), promisify(finished)(wire)])
    source.end()
    await done
  },
  async 'Symbol.asyncDispose destroys'() {
    const wire = pwp()
    await wire[Symbol.asyncDispose]()
    assert.strictEqual(wire.destroyed, true)
  },
  async 'a hostile peer closes its wire and nothing else'() {
    const [quiet, heard] = [makeUnchoked(pwp), makeUnchoked(pwp)]
    const errors = []
    heard.on('error', (error) => errors.push(error))
    await Promise.all([quiet, heard].map(sendTooMuch))
    assert.deepStrictEqual(errors, [heard.error])
  },
  async 'a request times out'() {
    const wire = makeUnchoked(pwp)
    wire.setTimeout(20)
    const failed = new Promise((resolve) => wire.request(0, 0, 1, resolve))
    await once(wire, 'timeout')
    assert.strictEqual((await failed).message, 'request has timed out')
  },
  async 'a block arrives in any cut'() {
    const wire = makeUnchoked(pwp)
    const arrived = new Promise((resolve) =>
      wire.request(0, 0, 5, (_error, block) => resolve(block))
    )
    for (const byte of Buffer.from('0000000e0700000000000000000102030405', 'hex')) {
      wire.write(Buffer.of(byte))
    }
    assert.deepStrictEqual([...(await arrived)], [1, 2, 3, 4, 5])
  },
  async 'workers with live wires can be terminated'() {
    await Promise.all([endWorker(), endWorker(), endWorker()])
  }
}

async function sendTooMuch(wire) {
  const closed = new Promise((resolve) => wire.on('close', resolve))
  wire.write(Buffer.from('ffffffff', 'hex'))
  await closed
  assert.strictEqual(wire.error.code, 'ERR_PWP_MESSAGE_TOO_LONG')
  assert(wire.error instanceof pwp.ProtocolError)
}

async function endWorker() {
  const worker = new Worker(require.resolve('./worker.cjs'))
  await once(worker, 'message')
  await worker.terminate()
}

async function main() {
  for (const [title, run] of Object.entries(CASES)) {
    console.log(title)
    // oxlint-disable-next-line no-await-in-loop
    await run()
  }
}

main().then(() => process.exit())
