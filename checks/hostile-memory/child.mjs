// One case of hostile-memory.mjs in a process of its own: gives the wires of one library the input of
// a hostile peer, and prints what the process held and how long it stood still. Needs --expose-gc.
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'

import { chunksOf, handshake } from '../../testkit/frames.mjs'
import { loadLibrary } from '../../benches/node/libraries.mjs'
import { summary } from '../../benches/node/statistics.mjs'
import { cases } from './cases.mjs'

/** Where a case is stopped, in bytes of RSS. */
const MOST = 2 ** 31

const [, , name, side] = process.argv
const { use, input, wires: count = 1, cut } = cases.find((one) => one.name === name)
const { create } = await loadLibrary(side)

const stalls = [] // in ms, from a chunk to the next turn of the event loop
const peak = { rss: 0, native: 0, external: 0 }
await collect()
const before = memory()
const wires = []
for (let made = 0; made < count && peak.rss < MOST; made++) {
  wires.push(open())
  // oxlint-disable-next-line no-await-in-loop -- the memory of one after the other is the purpose
  await feed(wires.at(-1))
}
await collect()
const held = growth('heapUsed') + growth('external')
const { median, max } = summary(stalls)
const isStopped = peak.rss >= MOST
console.log(JSON.stringify({ wires: wires.length, peak, held, stall: { median, max }, isStopped }))
// Answers may still be under way.
process.exit()

/** A wire whose peer takes nothing, unless the user sees to it. */
function open() {
  const wire = create()
  wire.pipe(new Writable({ write() {} }))
  use?.(wire)
  wire.write(handshake())
  return wire
}

async function feed(wire) {
  for (const chunk of input()) {
    const begin = performance.now()
    for (const part of cut ? chunksOf(chunk, cut) : [chunk]) wire.write(part)
    // oxlint-disable-next-line no-await-in-loop -- chunks of a socket come in turns
    await turn()
    stalls.push(performance.now() - begin)
    sample()
    if (peak.rss >= MOST) return
  }
}

/** Buffers that nobody holds any more wait for a collection, which comes when V8 likes: not these. */
function sample() {
  if (growth('external') > peak.external) global.gc()
  for (const key of Object.keys(peak)) peak[key] = Math.max(peak[key], growth(key))
}

function growth(key) {
  return memory()[key] - before[key]
}

/**
 * `native`: what is not V8's. How much that takes before it collects depends on the release of Node,
 * and is no concern of a wire.
 */
function memory() {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
  return { rss, heapUsed, external, native: rss - heapTotal - external }
}

/** Finalizers run between two collections. */
async function collect() {
  for (let n = 0; n < 3; n++) {
    global.gc()
    // oxlint-disable-next-line no-await-in-loop
    await turn()
  }
}
