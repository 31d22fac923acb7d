// The chart of the benchmarks: a self-contained file, with each side and figure as text.
import test from 'ava'
import { chart } from '../benches/node/chart.mjs'
import { benchEntry as entry, benchResult as result, benchSide } from './helpers/bench-result.mjs'

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

test('the chart is one well-formed element without scripts or external references', async (t) => {
  const svg = await chart(result([entry('blocks')]))
  t.true(isWellFormed(svg))
  t.notRegex(svg, /<script|<image|<foreignObject|href=|url\(|@import/i)
})

test('the chart is identical for identical results', async (t) => {
  const content = result([entry('blocks')])
  t.is(await chart(content), await chart(content))
})

test('the chart omits rows that cannot be compared with the original', async (t) => {
  const alone = { ...entry('alone'), sides: { ours: benchSide(1) } }
  const texts = textsOf(await chart(result([alone, entry('blocks')])))
  t.true(texts.includes('blocks'))
  t.false(texts.includes('alone'))
  await t.throwsAsync(chart(result([alone])), { message: /no workload/ })
})

test('the chart shows the first metric of a row, and the first release of Node', async (t) => {
  const content = result([entry('wire'), { ...entry('wire'), unit: 'KiB' }])
  content.runs.push({ node: 'v18.0.0', entries: [entry('old')] })
  const texts = textsOf(await chart(content))
  t.is(texts.filter((text) => text === 'wire').length, 1)
  t.true(texts.includes('50.0 µs/block'))
  t.false(texts.includes('50.0 KiB'))
  t.false(texts.includes('old'))
})

function textsOf(svg) {
  return [...svg.matchAll(/>([^<]+)<\/text>/g)].map(([, text]) => text)
}

/** Whether all tags are closed in order. */
function isWellFormed(svg) {
  const open = []
  for (const [, end, name, empty] of svg.matchAll(/<(\/?)([\w:-]+)[^>]*?(\/?)>/g)) {
    if (end && open.pop() !== name) return false
    if (!end && !empty) open.push(name)
  }
  return open.length === 0
}
