// The chart of the benchmarks: a file that stands alone, with each side and figure in words.
import test from 'ava'
import { chart } from '../benches/chart.mjs'

const COSTS = { ours: 50, original: 200, 'bittorrent-protocol': 400, limit: 25 }

test('the chart names machine, workloads, sides, medians and ratios', async (t) => {
  const texts = textsOf(await chart(result([entry('blocks & <pieces>')])))
  t.true(texts.some((text) => text.includes('Chip, 2 cores, linux x64, Node v20.0.0')))
  for (const text of [
    'blocks &amp; &lt;pieces&gt;',
    'peer-wire-native 0.1.0',
    'peer-wire-protocol 0.7.1',
    'bittorrent-protocol 5.0.9',
    'bare socket, no protocol',
    '50.0 µs/block',
    '200 µs/block',
    '400 µs/block',
    '25.0 µs/block',
    '4×',
    '0.5×',
    '8×'
  ]) {
    t.true(texts.includes(text), text)
  }
})

test('the chart is one well-formed element without scripts or outer references', async (t) => {
  const svg = await chart(result([entry('blocks')]))
  t.true(isWellFormed(svg))
  t.notRegex(svg, /<script|<image|<foreignObject|href=|url\(|@import/i)
})

test('the chart is the same for the same result', async (t) => {
  const content = result([entry('blocks')])
  t.is(await chart(content), await chart(content))
})

test('the chart leaves out what cannot be compared with the original', async (t) => {
  const alone = { ...entry('alone'), sides: { ours: side(1) } }
  const rate = { ...entry('rate'), better: 'higher' }
  const texts = textsOf(await chart(result([alone, rate, entry('blocks')])))
  t.true(texts.includes('blocks'))
  t.false(texts.includes('alone'))
  t.false(texts.includes('rate'))
  await t.throwsAsync(chart(result([alone])), { message: /no workload/ })
})

function result(entries) {
  return {
    machine: { cpu: 'Chip', cores: 2, memoryGiB: 4, node: 'v20.0.0', platform: 'linux x64' },
    versions: { ours: '0.1.0', original: '0.7.1', 'bittorrent-protocol': '5.0.9' },
    options: {},
    entries
  }
}

function entry(row) {
  const sides = Object.entries(COSTS).map(([name, cost]) => [name, side(cost)])
  return { row, unit: 'us/block', better: 'lower', sides: Object.fromEntries(sides) }
}

function side(median) {
  return { median, samples: [median, median] }
}

function textsOf(svg) {
  return [...svg.matchAll(/>([^<]+)<\/text>/g)].map(([, text]) => text)
}

/** Whether each tag is closed in its turn. */
function isWellFormed(svg) {
  const open = []
  for (const [, end, name, empty] of svg.matchAll(/<(\/?)([\w:-]+)[^>]*?(\/?)>/g)) {
    if (end && open.pop() !== name) return false
    if (!end && !empty) open.push(name)
  }
  return open.length === 0
}
