// Writes the figures of one run into the documents: node benches/node/document.mjs FILE.json
//
// The full tables go between the marks of docs/performance.md, the rows that users look for first between
// those of README.md; docs/performance.svg is redrawn. The rows on native sockets, and on the class of
// bittorrent-protocol, have marks of their own. A run of these alone leaves the rest as it is, and the other way round.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format } from 'prettier'
import { markdownTable } from '../../testkit/processes/markdown.mjs'
import { chart } from './chart.mjs'
import { classTables, nativeTables } from './goals.mjs'
import { figures, SIDES, spread } from './report.mjs'
import { BARE } from './libraries.mjs'

/** The rows of README.md. */
export const CHOSEN = [
  'TCP download over loopback, cold',
  'TCP download over loopback, warm',
  'TCP upload over loopback, cold',
  'TCP upload over loopback, warm',
  '200 connections, 100 MB each way, warm',
  'short connections, warm',
  'wire life, cold',
  'wire life, warm',
  'idle wire',
  'connection with both pipes and a bitfield of 1,024 pieces',
  '64-byte answers in memory',
  '16 KiB answers in memory',
  '16 KiB block download, 64 KiB chunks',
  '16 KiB block download, 1,448-byte chunks',
  'have flood',
  'have in its own chunk'
]

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2])

async function main(source) {
  try {
    if (!source) throw new Error('usage: node benches/node/document.mjs FILE.json')
    const result = JSON.parse(readFileSync(source, 'utf8'))
    const native = only(result, ({ shares, group }) => shares && group === undefined)
    const classes = only(result, ({ group }) => group === 'class')
    const other = only(result, ({ shares }) => !shares)
    if (classes) await fill('../../docs/performance.md', classTables(classes), 'class figures')
    if (native) await fill('../../docs/performance.md', nativeTables(native), 'native figures')
    if (!other) return
    await fill('../../docs/performance.md', fullTables(other))
    await fill('../../README.md', shortTable(other))
    writeFileSync(beside('../../docs/performance.svg'), await chart(other))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}

/** The result with some of its entries; null if there are none. */
function only(result, isWanted) {
  const runs = result.runs.map(({ node, entries }) => ({
    node,
    entries: entries.filter(isWanted)
  }))
  return runs.some(({ entries }) => entries.length > 0) ? { ...result, runs } : null
}

/** Replaces what is between the marks of a document with `text`. */
async function fill(name, text, what) {
  const document = readFileSync(beside(name), 'utf8')
  const filled = await format(between(document, text, what), {
    parser: 'markdown',
    ...JSON.parse(readFileSync(beside('../../package.json'), 'utf8')).prettier
  })
  writeFileSync(beside(name), filled)
}

/**
 * @param {string} document with both marks
 * @param {string} text
 * @param {string} [what] name of the marks
 * @throws when a mark is missing
 */
export function between(document, text, what = 'figures') {
  const [start, end] = [`<!-- ${what}: benches/node/document.mjs -->`, `<!-- end of ${what} -->`]
  const from = document.indexOf(start)
  const to = document.indexOf(end)
  if (from < 0 || to < from) throw new Error(`a document lacks the marks ${start} and ${end}`)
  return `${document.slice(0, from + start.length)}\n\n${text}\n\n${document.slice(to)}`
}

/**
 * @param {object} result what `--json` writes
 * @returns {string} a table for each release of Node, with all rows
 */
export function fullTables({ machine, runs }) {
  const about = `${machine.cpu}, ${machine.cores} cores, ${machine.platform}.`
  return runs
    .map(({ node, entries }) => {
      const titles = ['row', 'unit', ...SIDES, 'vs original', 'vs best', 'of bare']
      const lines = entries.map((entry) => [
        entry.row,
        entry.unit,
        ...SIDES.map((side) => cell(entry.sides[side])),
        ...['original', 'best', BARE].map((name) => ratioWithSpread(entry.ratios[name]))
      ])
      return [`### Node ${node.slice(1)}`, about, markdownTable(titles, lines, 2)].join('\n\n')
    })
    .join('\n\n')
}

/**
 * @param {object} result what `--json` writes
 * @returns {string} a table of the chosen rows: how many times better than the better peer
 * @throws when a row was not measured
 */
export function shortTable({ runs }) {
  const lines = CHOSEN.map((row) =>
    [row].concat(runs.map(({ entries }) => ratio(entryOf(entries, row).ratios.best)))
  )
  return markdownTable(['row', ...runs.map(({ node }) => `Node ${node.slice(1)}`)], lines, 1)
}

function entryOf(entries, row) {
  const entry = entries.find((candidate) => candidate.row === row)
  if (!entry) throw new Error(`the run lacks the row "${row}"`)
  return entry
}

function cell(side) {
  return side ? figures(side.median) : '–'
}

function ratioWithSpread(value) {
  return value ? `${ratio(value)} ${spread(value)}` : '–'
}

function ratio(value) {
  return value ? value.median.toFixed(2) : '–'
}

function beside(name) {
  return fileURLToPath(new URL(name, import.meta.url))
}
