// Formats the results of a run: as objects for --json, and as a table for the terminal.
import { cpus, totalmem } from 'node:os'
import { BARE, libraryNames } from './libraries.mjs'
import { advantage, summary } from './statistics.mjs'

export const SIDES = [...libraryNames, BARE]
const PEERS = libraryNames.filter((name) => name !== 'ours')
/** What each way of a row with ways may be compared with. */
const REFERENCES = ['original', 'bittorrent-protocol', BARE]

/**
 * @param {object[]} entries of rows with ways
 * @returns {string[]} those that one of them has
 */
export const referencesOf = (entries) =>
  REFERENCES.filter((name) => entries.some(({ sides }) => sides[name]))

const RATIOS = [...PEERS, 'best', BARE]

/** @returns {{ cpu: string, cores: number, memoryGiB: number, platform: string }} */
export function machine() {
  const processors = cpus()
  return {
    cpu: processors[0].model.trim(),
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`
  }
}

/**
 * @param {import('./workloads/index.mjs').Row} row
 * @param {Record<string, Record<string, number>[]>} samples per side, one entry per round
 * @param {Record<string, string>} failures per side that gave a wrong result
 * @returns {object[]} an entry for each metric: what --json holds and the table shows
 */
export function entriesOf(row, samples, failures) {
  return row.metrics.map(({ key, part, unit, relative = false, isRate = false }) => {
    const series = Object.entries(samples).map(([side, rounds]) => [
      side,
      rounds.map((values) => values[key])
    ])
    const sides = Object.fromEntries(
      series.map(([side, values]) => [side, { ...summary(values), samples: values }])
    )
    const name = [row.name, part].filter(Boolean).join(', ')
    const entry = { row: name, unit, sides, failures }
    if (row.ways) return { ...entry, group: row.group, ratios: {}, shares: sharesOf(sides) }
    return { ...entry, ratios: relative ? {} : ratiosOf(sides, isRate) }
  })
}

/** How many times the figures of each reference, of each way: above 1 it is more, whether that is good or bad. */
function sharesOf(sides) {
  const references = REFERENCES.filter((name) => sides[name])
  const shareOf = ({ samples }) =>
    references.map((name) => [name, advantage(sides[name].samples, samples)])
  return Object.fromEntries(
    Object.entries(sides).map(([way, side]) => [way, Object.fromEntries(shareOf(side))])
  )
}

/** How many times better than the other libraries, and how many times the cost of the bare socket. */
function ratiosOf(sides, isRate) {
  if (!sides.ours) return {}
  const better = (ours, theirs) => (isRate ? advantage(theirs, ours) : advantage(ours, theirs))
  const ratios = PEERS.filter((name) => sides[name]).map((name) => [
    name,
    better(sides.ours.samples, sides[name].samples)
  ])
  const [best] = ratios.map(([, ratio]) => ratio).toSorted((a, b) => a.median - b.median)
  if (best) ratios.push(['best', best])
  if (sides[BARE]) ratios.push([BARE, better(sides[BARE].samples, sides.ours.samples)])
  return Object.fromEntries(ratios)
}

/** Lines printed above the tables. */
export function header({ cpu, cores, memoryGiB, platform }, versions, clock) {
  const libraries = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}`,
    `${libraries.join(', ')}; times: ${clock} clock of the measured process`,
    'Medians over the rounds ± half of the interquartile range. "vs": how many times less ours costs, or more',
    'it does in a second, by the ratio within a round; "best": than the better of the two peers; "of bare": ours to the bare socket.'
  ].join('\n')
}

/** @param {object[]} entries from `entriesOf` */
export function table(entries) {
  const [ways, sides] = [true, false].map((isWays) =>
    entries.filter(({ shares }) => Boolean(shares) === isWays)
  )
  const tables = [sides.length > 0 && tableOfSides(sides), ways.length > 0 && tableOfWays(ways)]
  return tables.filter(Boolean).join('\n\n')
}

/** A line for each way. */
function tableOfWays(entries) {
  const references = referencesOf(entries)
  const titles = ['row', 'way', 'unit', 'figure', ...references.map((name) => `of ${name}`)]
  const lines = entries.flatMap((entry) =>
    Object.keys({ ...entry.sides, ...entry.failures }).map((way) => {
      const ofReferences = references.map((name) => times(entry.shares[way]?.[name]))
      return [entry.row, way, entry.unit, cell(entry, way)].concat(ofReferences)
    })
  )
  return align([titles, ...lines], 3)
}

function tableOfSides(entries) {
  const titles = ['row', 'unit', ...SIDES, ...PEERS.map((name) => `vs ${name}`)]
  const lines = entries.map((entry) => [
    entry.row,
    entry.unit,
    ...SIDES.map((side) => cell(entry, side)),
    ...RATIOS.map((name) => times(entry.ratios[name]))
  ])
  return align([[...titles, 'vs best', 'of bare'], ...lines])
}

function cell({ sides, failures }, side) {
  if (failures[side]) return 'WRONG'
  return sides[side] ? `${figures(sides[side].median)} ${spread(sides[side])}` : '-'
}

function times(ratio) {
  return ratio ? `${ratio.median.toFixed(2)}x ${spread(ratio)}` : '-'
}

/** Half the interquartile range, in percent of the median. */
export function spread({ median, q1, q3 }) {
  return `±${Math.round(Math.abs((100 * (q3 - q1)) / 2 / median))}%`
}

/** Three significant digits, with thousands separated. */
export function figures(value) {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value.toLocaleString('en', {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3)
  })
}

/** @param {number} [texts] columns of text, before those of numbers */
function align(lines, texts = 2) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  const pad = (text, column) =>
    column < texts ? text.padEnd(widths[column]) : text.padStart(widths[column])
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}
