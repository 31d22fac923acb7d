// The figures of benchmarks in the documents: tables of one run, between marks.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { between, CHOSEN, fullTables, shortTable } from '../benches/node/document.mjs'
import { rows } from '../benches/node/workloads/index.mjs'
import { benchEntry, benchResult } from './helpers/bench-result.mjs'

test('the tables of a run contain each row with its sides and ratios, for each Node', (t) => {
  const result = benchResult([benchEntry('blocks'), benchEntry('haves')])
  result.runs.push({ node: 'v18.1.0', entries: [benchEntry('blocks')] })
  const tables = fullTables(result)
  const line = '| us/block | 50.0 | 200 | 400 | 25.0 | 4.00 ±10% | 4.00 ±10% | 2.00 ±10% |'
  t.is(tables.split(`| blocks ${line}`).length, 3)
  t.is(tables.split(`| haves ${line}`).length, 2)
  t.regex(tables, /### Node 20\.0\.0[^#]+### Node 18\.1\.0/)
})

test('the short table contains the ratio of each chosen row, and requires all of them', (t) => {
  const lines = shortTable(benchResult(CHOSEN.map(benchEntry))).split('\n')
  t.deepEqual(
    lines.slice(2),
    CHOSEN.map((row) => `| ${row} | 4.00 |`)
  )
  const lacking = benchResult(CHOSEN.slice(1).map(benchEntry))
  t.throws(() => shortTable(lacking), { message: `the run lacks the row "${CHOSEN[0]}"` })
})

test('the chosen rows are rows of the benchmarks', (t) => {
  const names = new Set(
    rows.flatMap(({ name, metrics }) =>
      metrics.map(({ part }) => [name, part].filter(Boolean).join(', '))
    )
  )
  for (const row of CHOSEN) t.true(names.has(row), row)
})

test('a text replaces what is between the marks', (t) => {
  for (const name of ['../README.md', '../docs/performance.md']) {
    const document = readFileSync(new URL(name, import.meta.url), 'utf8')
    const once = between(document, '| old |')
    t.is(between(once, '| new |'), once.replace('| old |', '| new |'))
    const [before, after] = document.split(/<!-- figures.*end of figures -->/s)
    t.is(once.replace(/<!-- figures.*end of figures -->/s, ''), before + after)
    t.true(once.includes('\n| old |\n'))
  }
  t.throws(() => between('# no marks', 'text'), { message: /lacks the marks/ })
})
