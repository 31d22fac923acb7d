// Shows where the CPU time of rows goes, with perf on Linux: node benches/node/profile.mjs [SIDE ...]
//
// Of the TCP rows in ms/GB: cold is a short run minus one of a few blocks, warm the difference of two long ones, which excludes what
// a process does before the first block. Of the others as shares of whole samples, the first ones included.
// The far end is a process of its own and not counted.
import path from 'node:path'
import { ROOT, run, start } from '../../testkit/processes/command.mjs'
import { withFolder } from '../../testkit/processes/folder.mjs'
import { markdownTable } from '../../testkit/processes/markdown.mjs'
import { inTurn } from './drive.mjs'
import { BLOCK_LEN } from '../../testkit/frames.mjs'
import { programsOf } from './nodes.mjs'
import { placed } from './place.mjs'
import { libraryNames } from './libraries.mjs'
import { rows as allRows } from './workloads/index.mjs'
import { rows } from './workloads/tcp.mjs'

const SAMPLE = path.join(ROOT, 'benches', 'node', 'sample.mjs')

/** Samples per second. */
const FREQUENCY = 2_000
/** Blocks in the runs whose difference is shown. */
const PARTS = { cold: [64, 16_384], warm: [65_536, 131_072] }

/** Samples of the other rows, for a few seconds of each. */
const TIMES = {
  'short connections': 1,
  'wire life': 4,
  'have flood': 60,
  'have in its own chunk': 30,
  '64-byte answers in memory': 20,
  '16 KiB answers in memory': 30,
  '16 KiB block download, 64 KiB chunks': 20,
  '16 KiB block download, 1,448-byte chunks': 8,
  '16 KiB block download, 500 open': 20
}

const MAIN_THREAD = /^(?:node|MainThread)$/
/** Where in the main thread a sample was taken: the first match counts. */
const PLACES = {
  kernel: /^\[(?!JIT)/,
  JavaScript: /^\[JIT|perf-\d+\.map/,
  core: /peer-wire-native/,
  'Node and V8': /./
}
const OTHER_THREADS = 'V8, other threads'

/** @returns {Promise<Map<string, number>>} CPU time in ms, by place */
async function measure(row, side, amount, folder) {
  const data = path.join(folder, 'perf.data')
  const [program] = await programsOf(['24'])
  const { execPath, execArgv } = placed(program, 'measured')
  const sample = [SAMPLE, row.name, side, String(amount)]
  const node = [execPath, ...execArgv, '--perf-basic-prof']
  const record = ['record', '-q', '-e', 'cpu-clock', '-F', String(FREQUENCY), '-o', data, '--']
  // V8 leaves a log where it runs.
  const printed = await run('perf', [...record, ...node, ...sample], { cwd: folder })
  const [, pid] = printed.match(/^pid: (\d+)$/m)
  const report = ['report', '-i', data, '--stdio', '-n', '--pid', pid, '--sort', 'comm,dso']
  const times = new Map()
  for (const line of (await run('perf', report, { cwd: ROOT })).split('\n')) {
    const [, samples, thread, place] = line.match(/^ *[\d.]+% +(\d+) +(\S+) +(.+?) *$/) ?? []
    if (samples === undefined) continue
    const key = MAIN_THREAD.test(thread) ? placeOf(place) : OTHER_THREADS
    times.set(key, (times.get(key) ?? 0) + (Number(samples) * 1000) / FREQUENCY)
  }
  return times
}

function placeOf(name) {
  return Object.keys(PLACES).find((place) => PLACES[place].test(name))
}

/** In ms per GB. */
async function profile(row, side, [few, many], folder) {
  const [before, after] = [
    await measure(row, side, few, folder),
    await measure(row, side, many, folder)
  ]
  const gigabytes = ((many - few) * BLOCK_LEN) / 1e9
  const places = [...Object.keys(PLACES), OTHER_THREADS]
  const costs = places.map((place) => (after.get(place) ?? 0) - (before.get(place) ?? 0))
  return [...costs, costs.reduce((sum, cost) => sum + cost)].map((cost) => cost / gigabytes)
}

/** As shares of all. */
async function share(row, side, folder) {
  const times = await measure(row, side, `${TIMES[row.name]}x`, folder)
  const costs = [...Object.keys(PLACES), OTHER_THREADS].map((place) => times.get(place) ?? 0)
  const sum = costs.reduce((total, cost) => total + cost)
  return costs.map((cost) => cost / sum)
}

async function main(chosen) {
  const isChosen = (side) => chosen.length === 0 || chosen.includes(side)
  await withFolder(async (folder) => {
    const cases = rows.flatMap((row) =>
      Object.entries(PARTS).flatMap(([part, blocks]) =>
        row.sides.filter(isChosen).map((side) => ({ row, part, blocks, side }))
      )
    )
    const places = [...Object.keys(PLACES), OTHER_THREADS]
    const lines = await inTurn(cases, async ({ row, part, blocks, side }) => {
      const costs = await profile(row, side, blocks, folder)
      const numbers = costs.map((cost) => Math.max(0, cost).toFixed(0))
      return [`${row.name}, ${part}`, side, ...numbers]
    })
    console.log(markdownTable(['row, ms/GB', 'side', ...places, 'all'], lines, 2))

    const others = allRows.filter(({ name }) => Object.hasOwn(TIMES, name))
    const pairs = others.flatMap((row) =>
      (row.sides ?? libraryNames).filter(isChosen).map((side) => ({ row, side }))
    )
    const shares = await inTurn(pairs, async ({ row, side }) => {
      const costs = await share(row, side, folder)
      return [row.name, side, ...costs.map((cost) => `${Math.round(cost * 100)} %`)]
    })
    console.log(`\n${markdownTable(['row, shares', 'side', ...places], shares, 2)}`)
  })
}

await start(() => main(process.argv.slice(2)))
