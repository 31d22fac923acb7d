// The figures of benchmarks in the documents: tables of one run, between marks.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { between, CHOSEN, fullTables, shortTable } from '../benches/node/document.mjs'
import { CLASS_GOALS, classTables, GOALS, nativeTables } from '../benches/node/goals.mjs'
import { entriesOf } from '../benches/node/report.mjs'
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

test('the goals name rows of the benchmarks, and ways of these', (t) => {
  const ways = new Map(
    rows.flatMap(({ name, metrics, ways: own }) =>
      metrics.map(({ part }) => [[name, part].filter(Boolean).join(', '), own])
    )
  )
  for (const { row, way, of, most, least } of [...GOALS, ...CLASS_GOALS]) {
    // Builds without the method have no such way.
    for (const one of [way, of]) t.true(one in ways.get(row) || one === 'native, serve', row)
    t.true((most ?? least) > 0)
  }
})

test('the tables of native sockets contain goals with what was reached, and each way', (t) => {
  const row = {
    name: 'native download',
    metrics: [{ key: 'loop', part: 'warm, event loop', unit: 'ms/GB' }],
    ways: { original: 'original', native: 'ours', 'bare socket': 'bare socket' }
  }
  const samples = {
    original: [{ loop: 400 }, { loop: 800 }],
    native: [{ loop: 100 }, { loop: 200 }],
    'bare socket': [{ loop: 200 }, { loop: 400 }]
  }
  const [entry] = entriesOf(row, samples, {})
  const tables = nativeTables(benchResult([entry]))
  const goal = '| download by block, event loop | original | at most 0.25 | 0.250 ±0% |'
  t.true(tables.includes(goal), tables)
  const own = '| native download, warm, event loop | native | ms/GB | 150 | 0.250 ±0% | 0.500 ±0% |'
  t.true(tables.includes(own), tables)
  t.true(tables.includes('| idle connection, RSS | original | at most 0.6 | – |'), tables)
})

test('the tables of the class contain goals with what was reached, and each way', (t) => {
  const row = {
    name: 'webtorrent, encrypted upload',
    group: 'class',
    metrics: [{ key: 'cpu', part: 'CPU', unit: 'ms/GB' }],
    ways: { 'bittorrent-protocol': 'bittorrent-protocol', ours: 'our class' }
  }
  const samples = {
    'bittorrent-protocol': [{ cpu: 400 }, { cpu: 800 }],
    ours: [{ cpu: 100 }, { cpu: 200 }]
  }
  const [entry] = entriesOf(row, samples, {})
  const tables = classTables(benchResult([entry]))
  const goal =
    '| encrypted upload by webtorrent, CPU | bittorrent-protocol | at most 0.75 | 0.250 ±0% |'
  t.true(tables.includes(goal), tables)
  t.true(tables.includes('| webtorrent, encrypted upload, CPU | ours | ms/GB | 150 | 0.250 ±0% |'))
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
