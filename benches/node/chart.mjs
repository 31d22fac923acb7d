// Draws the results that --json saved as an SVG: node benches/node/chart.mjs FILE.json FILE.svg
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { None, parse, View } from 'vega'
import { chartSpec } from './chart-spec.mjs'
import { figures } from './report.mjs'
import { advantage } from './statistics.mjs'

/** Follows the color scheme of the viewer; without styles the chart is black on transparent. */
const STYLE = `<style>
svg { color: #1f2328; background: #ffffff }
@media (prefers-color-scheme: dark) { svg { color: #e6edf3; background: #0d1117 } }
</style>`

const TITLES = {
  ours: 'peer-wire-native',
  original: 'peer-wire-protocol',
  'bittorrent-protocol': 'bittorrent-protocol',
  'bare socket': 'bare socket, no protocol'
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))

async function main([source, target]) {
  try {
    if (!target) throw new Error('usage: node benches/node/chart.mjs FILE.json FILE.svg')
    writeFileSync(target, await chart(JSON.parse(readFileSync(source, 'utf8'))))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 2
  }
}

/**
 * Draws one bar per side and row, from the first release of Node: how many times better it is than
 * the original.
 * @param {object} result what `--json` writes
 * @returns {Promise<string>} the SVG, the same for the same result
 * @throws when no workload has figures of the original to compare with
 */
export async function chart({ machine, versions, options, runs: [{ node, entries }] }) {
  const groups = groupsOf(entries)
  if (groups.length === 0) throw new Error('no workload has figures of the original to draw')
  const shown = new Set(groups.flatMap(({ bars }) => bars.map(({ side }) => side)))
  const legend = Object.keys(TITLES)
    .filter((side) => shown.has(side))
    .map((side) => ({ side, title: [TITLES[side], versions[side]].filter(Boolean).join(' ') }))
  const about = [machine.cpu, `${machine.cores} cores`, machine.platform, `Node ${node}`]
  if (options.quick) about.push('quick run')
  const spec = chartSpec({ groups, legend, about: about.join(', ') })
  const svg = await new View(parse(spec), { renderer: 'none', logLevel: None }).toSVG()
  return `${svg.replace('>', `>${STYLE}`)}\n`
}

/** One group per row: its first metric, if the original has it too. Rows of ways have no bars. */
function groupsOf(entries) {
  const compared = entries.filter(({ sides, shares }) => sides.original && !shares)
  const first = new Map(compared.toReversed().map((entry) => [entry.row, entry]))
  return compared
    .filter((entry) => first.get(entry.row) === entry)
    .map((entry) => ({ name: entry.row, bars: barsOf(entry) }))
}

function barsOf({ sides, unit }) {
  return Object.keys(TITLES)
    .filter((side) => sides[side])
    .map((side) => ({
      side,
      ratio: advantage(sides[side].samples, sides.original.samples).median,
      value: `${figures(sides[side].median)} ${unit.replace(/^us\b/, 'µs')}`
    }))
}
