// Measures how much memory hostile peers make our wire and the original hold, and how long they block the
// event loop; each case runs in a process of its own. Prints a table for docs/testing.md.
//
//   node checks/hostile-memory.mjs [REGEX]   the cases whose names match
import { cases } from './hostile-memory/cases.mjs'
import { measure } from './hostile-memory/measure.mjs'
import { inOrder, start } from '../testkit/processes/command.mjs'
import { markdownTable } from '../testkit/processes/markdown.mjs'

const SIDES = ['ours', 'original']

const TITLES = [
  'hostile peer',
  'library',
  'peak RSS, MiB',
  'peak external, MiB',
  'held after, MiB',
  'stall, median ms',
  'stall, max ms'
]

/** @returns {Promise<string[]>} a line of the table */
async function lineOf(name, side) {
  const { death, peak, held, stall, isStopped } = await measure(name, side)
  if (death) return [name, side, death, '', '', '', '']
  const memory = [peak.rss, peak.external, held].map((bytes) => (bytes / 2 ** 20).toFixed(1))
  if (isStopped) memory[0] += ', stopped'
  return [name, side, ...memory, stall.median.toFixed(2), stall.max.toFixed(2)]
}

await start(async () => {
  const only = new RegExp(process.argv[2] ?? '')
  const lines = []
  await inOrder(
    cases.filter(({ name }) => only.test(name)),
    ({ name }) => inOrder(SIDES, async (side) => lines.push(await lineOf(name, side)))
  )
  console.log(markdownTable(TITLES, lines, 2))
})
