// Lays the results out: an aligned table for the terminal, and an object for --json.
import { cpus, totalmem } from 'node:os'
import { libraryNames } from './libraries.mjs'
import { advantage, summary } from './statistics.mjs'

const COLUMNS = [...libraryNames, 'limit']
const PEERS = libraryNames.filter((name) => name !== 'ours')

/** @returns {{ cpu: string, cores: number, memoryGiB: number, node: string, platform: string }} */
export function machine() {
  const processors = cpus()
  return {
    cpu: processors[0].model.trim(),
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`
  }
}

/**
 * @param {import('./workloads/index.mjs').Row} row
 * @param {Record<string, Record<string, number>[]>} samples per side, one entry to a round
 * @param {Record<string, string>} failures per side that gave a wrong result
 * @returns {object[]} an entry for each metric: what --json holds and the table shows
 */
export function entriesOf(row, samples, failures) {
  return row.metrics.map(({ key, unit, better, relative = false }) => {
    const series = Object.entries(samples).map(([side, rounds]) => [
      side,
      rounds.map((values) => values[key])
    ])
    const sides = Object.fromEntries(
      series.map(([side, values]) => [side, { ...summary(values), samples: values }])
    )
    const ratios = relative ? {} : ratiosOf(sides, better)
    return { row: row.name, metric: key, unit, better, note: row.note, sides, ratios, failures }
  })
}

function ratiosOf(sides, better) {
  if (!sides.ours) return {}
  const peers = PEERS.filter((name) => sides[name])
  const ratios = Object.fromEntries(
    peers.map((name) => [name, advantage(sides.ours.samples, sides[name].samples, better)])
  )
  if (peers.length > 0) ratios.best = Math.min(...peers.map((name) => ratios[name]))
  return ratios
}

/** The lines above the table. */
export function header({ cpu, cores, memoryGiB, node, platform }, versions, clock) {
  const libraries = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, node ${node}`,
    `${libraries.join(', ')}; times in memory: ${clock} clock`,
    'Cells: median ± half of the interquartile range. "vs": how many times better ours is, the median',
    'over the rounds of the ratio within a round; "best": against the better of the two peers.'
  ].join('\n')
}

/** @param {object[]} entries from `entriesOf` */
export function table(entries) {
  const titles = ['row', 'unit', ...COLUMNS, ...PEERS.map((name) => `vs ${name}`), 'vs best']
  const lines = entries.map((entry) => [
    entry.row,
    entry.unit,
    ...COLUMNS.map((side) => cell(entry, side)),
    ...[...PEERS, 'best'].map((name) => times(entry.ratios[name]))
  ])
  return align([titles, ...lines])
}

/** The notes of the rows, one line each. */
export function notes(entries) {
  const noted = new Map(entries.filter(({ note }) => note).map(({ row, note }) => [row, note]))
  return [...noted].map(([row, note]) => `${row}: ${note}`).join('\n')
}

function cell({ sides, failures }, side) {
  if (failures[side]) return 'WRONG'
  const result = sides[side]
  if (!result) return '-'
  const spread = (100 * (result.q3 - result.q1)) / 2 / result.median
  return `${figures(result.median)} ±${Math.round(Math.abs(spread))}%`
}

function times(ratio) {
  return ratio === undefined ? '-' : `${ratio.toFixed(2)}x`
}

/** Three digits that count, thousands apart. */
export function figures(value) {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value.toLocaleString('en', {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3)
  })
}

function align(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  const pad = (text, column) =>
    column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column])
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}
