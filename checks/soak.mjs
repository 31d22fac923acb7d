// Soak test: two processes exchange blocks over TCP for a long time, on connections that open and end in
// every way. Reports wrong bytes, lost callbacks and leaked memory.
//
//   node checks/soak.mjs [--seconds N] [--seed S] [--native]
//
// With --native the wires have native sockets. Each process requests and answers. Every ten seconds both collect garbage and report what they hold.
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'

import { inOrder, start } from '../testkit/processes/command.mjs'
import { startPeer } from './soak/process.mjs'
import { checkMemory, checkTransfers, describe } from './soak/verdict.mjs'

const INTERVAL = 10 // s

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '1800' },
      seed: { type: 'string', default: '1' },
      native: { type: 'boolean', default: false }
    }
  })
  const { seconds, seed, native } = values
  return { seconds: Number(seconds), seed: Number(seed), flags: native ? ['--native'] : [] }
}

async function main() {
  const { seconds, seed, flags } = readOptions()
  const server = await startPeer('server', ['--seed', seed, ...flags])
  const client = await startPeer('client', ['--seed', seed, '--port', server.port, ...flags])
  const peers = [server, client]
  const begin = performance.now()
  const count = Math.max(2, Math.floor(seconds / INTERVAL))
  await inOrder(Array(count).keys(), async (index) => {
    await sleep(begin + ((index + 1) / count) * seconds * 1000 - performance.now())
    await Promise.all(peers.map((peer) => peer.sample()))
    for (const peer of peers) console.log(peer.describeSample())
  })
  await inOrder([client, server], (peer) => peer.stop())
  for (const peer of peers) console.log(describe(peer))
  const problems = [...peers.flatMap(checkTransfers), ...peers.flatMap(checkMemory)]
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

await start(main)
