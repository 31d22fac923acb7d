// Shows where the CPU time of the TCP rows goes, with perf on Linux: node benches/node/profile.mjs [SIDE ...]
//
// Cold is a short run minus one of a few blocks, warm the difference of two long ones, which excludes what
// a process does before the first block. The far end is a process of its own and not counted.
import path from 'node:path'
import { ROOT, run, start } from '../../testkit/processes/command.mjs'
import { withFolder } from '../../testkit/processes/folder.mjs'
import { markdownTable } from '../../testkit/processes/markdown.mjs'
import { inTurn } from './drive.mjs'
import { BLOCK_LEN } from '../../testkit/frames.mjs'
import { programsOf } from './nodes.mjs'
import { placed } from './place.mjs'
import { rows } from './workloads/tcp.mjs'

/** Samples per second. */
const FREQUENCY = 2_000
/** Blocks in the runs whose difference is shown. */
const PARTS = { cold: [64, 16_384], warm: [65_536, 131_072] }

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
async function measure(row, side, blocks, folder) {
  const data = path.join(folder, 'perf.data')
  const [program] = await programsOf(['24'])
  const { execPath, execArgv } = placed(program, 'measured')
  const sample = ['benches/node/sample.mjs', row.name, side, String(blocks)]
  const node = [execPath, ...execArgv, '--perf-basic-prof']
  const record = ['record', '-q', '-e', 'cpu-clock', '-F', String(FREQUENCY), '-o', data, '--']
  const printed = await run('perf', [...record, ...node, ...sample], { cwd: ROOT })
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

async function main(chosen) {
  await withFolder(async (folder) => {
    const cases = rows.flatMap((row) =>
      Object.entries(PARTS).flatMap(([part, blocks]) =>
        (chosen.length > 0 ? chosen : row.sides).map((side) => ({ row, part, blocks, side }))
      )
    )
    const lines = await inTurn(cases, async ({ row, part, blocks, side }) => {
      const costs = await profile(row, side, blocks, folder)
      const numbers = costs.map((cost) => Math.max(0, cost).toFixed(0))
      return [`${row.name}, ${part}`, side, ...numbers]
    })
    const titles = ['row, ms/GB', 'side', ...Object.keys(PLACES), OTHER_THREADS, 'all']
    console.log(markdownTable(titles, lines, 2))
  })
}

await start(() => main(process.argv.slice(2)))
