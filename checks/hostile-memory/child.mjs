// Runs one case of hostile-memory.mjs in this process: writes the input of a hostile peer to the wires of
// one library, and prints what the process held and how long it was blocked. Needs --expose-gc.
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'

import { chunksOf, handshake } from '../../testkit/frames.mjs'
import { loadLibrary } from '../../benches/node/libraries.mjs'
import { summary } from '../../benches/node/statistics.mjs'
import { cases } from './cases.mjs'

/** RSS at which a case is stopped, in bytes. */
const MOST = 2 ** 31

/** Growth of external memory that is worth a collection, in bytes; 10,000 wires would take one each. */
const MARGIN = 128 * 1024

/** The flag of the fast extension in the last reserved byte of a handshake. */
const FAST = 4

const [, , name, side] = process.argv
const { use, input, isFast = false, wires: count = 1, cut } = cases.find((one) => one.name === name)
const { create } = await loadLibrary(side)

const stalls = [] // in ms, from a chunk to the next turn of the event loop
const peak = { rss: 0, native: 0, external: 0 }
await collect()
const before = memory()
const wires = []
for (let made = 0; made < count && peak.rss < MOST; made++) {
  wires.push(open())
  // oxlint-disable-next-line no-await-in-loop -- the memory of one wire after another is the purpose
  await feed(wires.at(-1))
}
await collect()
const held = growth('heapUsed') + growth('external')
const { median, max } = summary(stalls)
const isStopped = peak.rss >= MOST
console.log(JSON.stringify({ wires: wires.length, peak, held, stall: { median, max }, isStopped }))
// Answers may still be pending.
process.exit()

/** A wire whose output is not read, unless the user of the case reads it. */
function open() {
  const wire = create()
  wire.pipe(new Writable({ write() {} }))
  use?.(wire)
  const greeting = handshake()
  if (isFast) greeting[27] |= FAST
  wire.write(greeting)
  return wire
}

async function feed(wire) {
  for (const chunk of input()) {
    const begin = performance.now()
    for (const part of cut ? chunksOf(chunk, cut) : [chunk]) wire.write(part)
    // oxlint-disable-next-line no-await-in-loop -- a socket delivers its chunks in separate turns
    await turn()
    stalls.push(performance.now() - begin)
    sample()
    if (peak.rss >= MOST) return
  }
}

/** Collects released Buffers now; otherwise they would count as held until V8 chooses to collect. */
function sample() {
  if (growth('external') > peak.external + MARGIN) global.gc()
  for (const key of Object.keys(peak)) peak[key] = Math.max(peak[key], growth(key))
}

function growth(key) {
  return memory()[key] - before[key]
}

/**
 * `native` excludes V8's heap: how far that grows before a collection depends on the release of Node, not
 * on the wire.
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
