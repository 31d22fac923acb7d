// Measures this library, the original and bittorrent-protocol side by side, and prints a table.
//
//   node benches/index.mjs [--quick] [--only REGEX] [--json FILE] [--svg FILE] [--rounds N]
//                          [--libraries LIST] [--clock wall|cpu] [--runtime-args=ARG ...]
//
// Each library has processes of its own. In every round all sides take one sample of the row, in
// an order that rotates, so that what disturbs the machine disturbs all of them alike. Being slow
// is no failure; a wrong result is, and so is a library that is missing. On a busy machine
// `--clock cpu` makes the rows in memory steadier: CPU time of all threads of the process.
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { inTurn } from './drive.mjs'
import { libraryNames } from './libraries.mjs'
import { measurers, startMeasurer } from './processes.mjs'
import { entriesOf, header, machine, notes, table } from './report.mjs'
import { rows } from './workloads/index.mjs'

const NORMAL = { rounds: 9, warmups: 2 }
const QUICK = { rounds: 3, warmups: 2 }

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    svg: { type: 'string' },
    rounds: { type: 'string' },
    clock: { type: 'string', default: 'wall' },
    libraries: { type: 'string', default: libraryNames.join() },
    'runtime-args': { type: 'string', multiple: true, default: [] }
  }
})

const settings = { clock: options.clock, runtimeArgs: options['runtime-args'] }
process.exitCode = await main()

async function main() {
  const sides = [...options.libraries.split(','), 'limit']
  const only = new RegExp(options.only, 'i')
  const chosen = rows.filter(({ name }) => only.test(name))
  const versions = await versionsOf(sides).catch((error) => console.error(error.message))
  if (chosen.length === 0) console.error(`no row matches ${only}`)
  const outputs = await openOutputs(sides).catch((error) => console.error(error.message))
  if (!versions || chosen.length === 0 || !outputs) return 2
  const processes = measurers(settings)
  const entries = []
  try {
    await inTurn(chosen, async (row) => entries.push(...(await measure(row, sides, processes))))
  } finally {
    processes.stop()
  }
  return report(entries, versions, outputs)
}

/** Finds out before the measuring what would fail after it. */
async function openOutputs(sides) {
  if (options.svg && !sides.includes('original')) {
    throw new Error('--svg compares with the original: it must be among --libraries')
  }
  for (const file of [options.json, options.svg]) if (file) closeSync(openSync(file, 'a'))
  const { chart } = options.svg ? await import('./chart.mjs') : {}
  return { chart }
}

async function versionsOf(sides) {
  const libraries = sides.filter((side) => side !== 'limit')
  const versions = await inTurn(libraries, async (side) => {
    const measurer = await startMeasurer(side, settings)
    measurer.stop()
    return [side, measurer.version]
  })
  return Object.fromEntries(versions)
}

/** All rounds of one row. A side that gives a wrong result takes no further part in it. */
async function measure(row, sides, processes) {
  const { rounds, warmups } = roundsOf(row)
  const taking = sides.filter((side) => (row.sides ?? libraryNames).includes(side))
  const samples = Object.fromEntries(taking.map((side) => [side, []]))
  const failures = {}
  progress(row.name)
  await inTurn(Array(warmups + rounds).keys(), (round) =>
    inTurn(rotated(taking, round), async (side) => {
      if (failures[side]) return
      const warmup = round < warmups
      const task = { rowName: row.name, quick: options.quick, warmup }
      try {
        const values = await processes.sample(row, side, task)
        if (!warmup) samples[side].push(values)
      } catch (error) {
        failures[side] = error.message
        delete samples[side]
      }
    })
  )
  processes.endRow(Object.keys(failures).length > 0)
  return entriesOf(row, samples, failures)
}

function roundsOf(row) {
  const usual = options.quick ? QUICK : NORMAL
  // A process for each sample takes its time, and memory hardly differs from one to the next.
  const most = options.quick && row.process === 'fresh' ? 1 : usual.rounds
  const rounds = Math.min(row.rounds ?? most, most)
  const warmups = Math.min(row.warmups ?? usual.warmups, usual.warmups)
  return { rounds: options.rounds ? Number(options.rounds) : rounds, warmups }
}

function rotated(items, by) {
  const from = by % items.length
  return [...items.slice(from), ...items.slice(0, from)]
}

async function report(entries, versions, { chart }) {
  progress('')
  const about = machine()
  console.log(
    [header(about, versions, options.clock), table(entries), notes(entries)].join('\n\n').trimEnd()
  )
  const result = { machine: about, versions, options, entries }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
  if (options.svg) writeFileSync(options.svg, await chart(result))
  const wrong = new Map(entries.map(({ row, failures }) => [row, failures]))
  let exitCode = 0
  for (const [row, failures] of wrong) {
    for (const [side, reason] of Object.entries(failures)) {
      console.error(`\nwrong result of ${side} in "${row}": ${reason}`)
      exitCode = 1
    }
  }
  return exitCode
}

/** Shows on a terminal what is being measured. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
}
