// Checks that wires and workers do not leak: repeats the same work in rounds, each kind of work in a
// process of its own, and fails when the memory of the process keeps growing. Prints a table. Growth
// counts if a second measurement of twice as many rounds shows it too: that of a process which has only
// not settled yet ends there.
//
//   node checks/leaks.mjs            100,000 wires, 320 workers
//   node checks/leaks.mjs --quick    about half of that
//   node checks/leaks.mjs destroyed --rounds 50 --count 10000
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT, inOrder, run, start } from '../testkit/processes/command.mjs'

const PROGRAM = path.join(ROOT, 'checks', 'leaks', 'rounds.cjs')

/**
 * Most that one wire may leak, in bytes: a leaked wire has hundreds, while the RSS of a process without
 * leaks varies by up to 3 MiB between two rounds, so ten rounds are needed.
 */
const WIRE = { rss: 128, heap: 8 }

/**
 * The same for a worker, whose 50 wires have ten times as much. With threads that come and go the RSS
 * varies by up to 10 MiB, so fifty rounds of few workers are needed.
 */
const WORKER = { rss: 32 * 1024, heap: 8 * 1024 }

/** The same for a native connection, of which two wires are made and the system keeps traces for a while. */
const CONNECTION = { rss: 512, heap: 32 }

/** A worker whose native wires are in the middle of traffic, with slabs. A leaked one holds a MiB at least. */
const NATIVE_WORKERS = { rss: 128 * 1024, heap: 8 * 1024 }

/** The same for a key exchange. There are eight kinds, so one kind that leaks counts for an eighth. */
const EXCHANGE = { rss: 128, heap: 16 }

/** `settling`: first rounds, in which a process grows to its working size; they do not count. */
const WORK = {
  destroyed: { limit: WIRE, full: [20, 5000], quick: [20, 5000], settling: 6 },
  dropped: { limit: WIRE, full: [20, 5000], quick: [20, 5000], settling: 6 },
  alive: { limit: WIRE, full: [5, 50_000], quick: [12, 10_000], settling: 2 },
  exchanges: { limit: EXCHANGE, full: [30, 4000], quick: [16, 1000], settling: 6 },
  workers: { limit: WORKER, full: [80, 4], quick: [60, 3], settling: 10 },
  native: { limit: CONNECTION, full: [30, 1000], quick: [20, 500], settling: 8 },
  'native-workers': { limit: NATIVE_WORKERS, full: [80, 4], quick: [60, 3], settling: 10 }
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    count: { type: 'string' }
  }
})

/** Returns its line of the table. */
async function check(name) {
  const { full, quick } = WORK[name]
  const usual = options.quick ? quick : full
  const rounds = Number(options.rounds ?? usual[0])
  const count = Number(options.count ?? usual[1])
  const line = await look(name, rounds, count)
  return line.result === 'ok' ? line : look(name, 2 * rounds, count)
}

async function look(name, rounds, count) {
  const { limit, settling } = WORK[name]
  const samples = await measure(name, ROOT, rounds, count)
  const settled = samples.slice(settling)
  const growth = (key) => slope(settled.map((sample) => sample[key])) / count
  const [rss, heap] = [growth('rss'), growth('heap')]
  return {
    work: name,
    rounds: `${rounds} x ${count}`,
    'RSS, MiB': [samples[0], settled[0], settled.at(-1)].map(inMebibytes).join(' '),
    'RSS, bytes each': `${rss.toFixed(1)} < ${limit.rss}`,
    'heap, bytes each': `${heap.toFixed(1)} < ${limit.heap}`,
    'held, KiB each': name === 'alive' ? await heldEach(samples, count) : '',
    result: rss < limit.rss && heap < limit.heap ? 'ok' : 'GROWS'
  }
}

/** Memory of a live wire, and of one of the original. */
async function heldEach(samples, count) {
  const original = await measure('alive', 'peer-wire-protocol', 1, count)
  const [ours, theirs] = [samples, original].map(([{ held }]) => (held / 1024 / count).toFixed(2))
  return `${ours}, original ${theirs}`
}

async function measure(name, library, rounds, count) {
  const args = ['--expose-gc', PROGRAM, name, library, rounds, count]
  return JSON.parse(await run(process.execPath, args))
}

/** Slope of the least-squares line, in units per round. */
function slope(values) {
  const middle = (values.length - 1) / 2
  const sum = (term) => values.map(term).reduce((total, part) => total + part, 0)
  return sum((value, x) => (x - middle) * value) / sum((_, x) => (x - middle) ** 2)
}

const inMebibytes = ({ rss }) => (rss / 1024 / 1024).toFixed(1)

await start(async () => {
  const rows = []
  const names = positionals.length > 0 ? positionals : Object.keys(WORK)
  await inOrder(names, async (name) => rows.push(await check(name)))
  console.table(rows)
  const growing = rows.filter(({ result }) => result !== 'ok').map(({ work }) => work)
  if (growing.length > 0) throw new Error(`Memory grows: ${growing.join(', ')}`)
})
