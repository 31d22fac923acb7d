// Measures this library, the original, bittorrent-protocol and a bare socket side by side, on two
// releases of Node, and prints a table for each.
//
//   node benches/node/index.mjs [--quick] [--only REGEX] [--rounds N] [--json FILE] [--svg FILE]
//                          [--node LIST] [--libraries LIST] [--clock cpu|wall]
//                          [--runtime-args=ARG ...]
//
// A slow result is not a failure; a wrong result or a missing library is. `--quick` uses small inputs
// and the first release only. `--clock wall` is for an otherwise idle machine.
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { inTurn } from './drive.mjs'
import { BARE, CLASS, libraryNames } from './libraries.mjs'
import { measure } from './measure.mjs'
import { programsOf, RELEASES } from './nodes.mjs'
import { canPlace } from './place.mjs'
import { startMeasurer } from './processes.mjs'
import { header, machine, table } from './report.mjs'
import { rows } from './workloads/index.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    svg: { type: 'string' },
    rounds: { type: 'string' },
    node: { type: 'string' },
    clock: { type: 'string', default: 'cpu' },
    libraries: { type: 'string', default: libraryNames.join() },
    'runtime-args': { type: 'string', multiple: true, default: [] }
  }
})

process.exitCode = await main()

async function main() {
  const sides = [...options.libraries.split(','), CLASS, BARE]
  let plan
  try {
    plan = await prepare(sides)
  } catch (error) {
    console.error(error.message)
    return 2
  }
  const about = machine()
  console.log(header(about, plan.versions, options.clock))
  if (!canPlace) console.log('Processes share processors: rows with connections vary (no taskset)')
  const runs = await inTurn(plan.releases, (release) => run(release, plan.chosen, sides))
  const result = { machine: about, versions: plan.versions, options, runs }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
  if (options.svg) writeFileSync(options.svg, await plan.chart(result))
  return reportFailures(runs)
}

/** Fails before the measurements on what would otherwise fail after them. */
async function prepare(sides) {
  const only = new RegExp(options.only, 'i')
  const chosen = rows.filter(({ name }) => only.test(name))
  if (chosen.length === 0) {
    const names = rows.map(({ name }) => `  ${name}`).join('\n')
    throw new Error(`no row matches ${only}; there are:\n${names}`)
  }
  if (options.svg && !sides.includes('original')) {
    throw new Error('--svg compares with the original: it must be among --libraries')
  }
  const { chart } = options.svg ? await import('./chart.mjs') : {}
  const names = options.node?.split(',') ?? (options.quick ? RELEASES.slice(0, 1) : RELEASES)
  const programs = await programsOf(names)
  const releases = await inTurn(programs, (program) => tryRelease(program, sides))
  for (const file of [options.json, options.svg]) if (file) closeSync(openSync(file, 'a'))
  return { chosen, chart, releases, versions: releases[0].versions }
}

/** Loads every library once. */
async function tryRelease(program, sides) {
  const settings = settingsOf(program)
  const measurers = await inTurn(sides, async (side) => {
    const measurer = await startMeasurer(side, settings)
    measurer.stop()
    return measurer
  })
  const versions = sides.map((side, index) => [side, measurers[index].version])
  return {
    node: measurers[0].node,
    settings,
    versions: Object.fromEntries(versions.filter(([side]) => side !== BARE && side !== CLASS))
  }
}

function settingsOf(program) {
  const { clock, quick } = options
  const rounds = options.rounds && Number(options.rounds)
  return { program, clock, quick, rounds, runtimeArgs: options['runtime-args'] }
}

/** All rows on one release of Node. */
async function run({ node, settings }, chosen, sides) {
  const possible = chosen.filter((row) => row.canRun?.(settings.program) ?? true)
  const entries = await inTurn(possible, (row) => {
    progress(`Node ${node}: ${row.name}`)
    return measure(row, sides, settings)
  })
  progress('')
  console.log(`\nNode ${node}\n\n${table(entries.flat())}`)
  return { node, entries: entries.flat() }
}

/** @returns {number} the exit code */
function reportFailures(runs) {
  const failed = runs.flatMap(({ node, entries }) =>
    entries.flatMap(({ row, failures }) =>
      Object.entries(failures).map(([side, reason]) => ({ node, row, side, reason }))
    )
  )
  for (const { node, row, side, reason } of failed) {
    console.error(`\nwrong result of ${side} in "${row}" on Node ${node}: ${reason}`)
  }
  return failed.length > 0 ? 1 : 0
}

/** On a terminal, shows what is being measured. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
}
