// How the chart looks: a Vega specification that holds the data of the bars.

const WIDTH = 800
/** Horizontal extent of the bars; names are to their left, values to their right. */
const BARS = { left: 262, right: 676 }
const BAR_STEP = 13
const BAR_HEIGHT = 9
const GROUP_GAP = 11
/** Top of the first bar, below title, legend and axis. */
const TOP = 136
/** Most characters per line of a workload's name. */
const NAME_LEN = 40
/** Ratios that the axis always spans, so that small differences look small. */
const SPAN = [0.3, 3]
/** Ratios with a grid line, as far as the axis reaches. */
const TICKS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000]

/** Readable on light and dark backgrounds. The bare socket is hollow. */
const COLORS = {
  ours: '#2f81f7',
  original: '#848d97',
  'bittorrent-protocol': '#d29922',
  'bare socket': 'transparent'
}
const IS_OURS = "datum.side === 'ours'"
const IS_ORIGINAL = "datum.side === 'original'"
const IS_BARE = "datum.side === 'bare socket'"

/**
 * @typedef {object} Bar
 * @property {string} side
 * @property {number} ratio how many times better than the original
 * @property {string} value median with its unit
 *
 * @param {object} content
 * @param {{ name: string, bars: Bar[] }[]} content.groups from top to bottom
 * @param {{ side: string, title: string }[]} content.legend
 * @param {string} content.about where it was measured
 * @returns {import('vega').Spec}
 */
export function chartSpec({ groups, legend, about }) {
  const { bars, names, bottom } = layOut(groups)
  return {
    width: WIDTH,
    height: bottom + 10,
    padding: 15,
    autosize: 'none',
    config: { text: { font: 'system-ui, sans-serif', fontSize: 11, fill: 'currentColor' } },
    data: [
      { name: 'bars', values: bars },
      { name: 'names', values: names },
      { name: 'legend', values: legend.map((item, index) => ({ ...item, x: index * 205 })) },
      { name: 'ticks', values: ticksOf(bars) }
    ],
    scales: [
      {
        name: 'x',
        type: 'log',
        domain: { fields: [{ data: 'bars', field: 'ratio' }, SPAN] },
        range: [BARS.left, BARS.right],
        // Room for the figure at the end of a bar.
        padding: 36
      },
      { name: 'color', type: 'ordinal', domain: Object.keys(COLORS), range: Object.values(COLORS) }
    ],
    marks: [...heading(about), ...legendMarks(), ...grid(bottom), ...barMarks(), nameMark()]
  }
}

/** Assigns each bar and each name its vertical position. */
function layOut(groups) {
  const bars = []
  const names = []
  let y = TOP
  for (const { name, bars: own } of groups) {
    names.push({ y, text: linesOf(name) })
    for (const bar of own) {
      const label = bar.side === 'original' ? '' : times(bar.ratio)
      bars.push({ ...bar, label, y: y + BAR_STEP / 2 })
      y += BAR_STEP
    }
    y += GROUP_GAP
  }
  return { bars, names, bottom: y }
}

function linesOf(name) {
  return name.match(new RegExp(`.{1,${NAME_LEN}}(?:\\s|$)`, 'g')).map((line) => line.trim())
}

function ticksOf(bars) {
  const ratios = [...SPAN, ...bars.map(({ ratio }) => ratio)]
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  return TICKS.filter((value) => value >= least && value <= most).map((value) => ({
    value,
    label: times(value)
  }))
}

function times(ratio) {
  return `${ratio.toLocaleString('en', { maximumSignificantDigits: 2 })}×`
}

function heading(about) {
  const line = (y, text) => mark('text', { y, text, opacity: 0.75 })
  const side = { y: TOP - 31, fontSize: 12, fontWeight: 600 }
  const one = { scale: 'x', value: 1 }
  return [
    mark('text', {
      y: 14,
      text: 'How many times better than peer-wire-protocol',
      fontSize: 17,
      fontWeight: 600
    }),
    line(34, 'Bars to the right: less time, CPU or memory. Medians over the rounds, log scale.'),
    line(50, about),
    mark('text', { ...side, x: { ...one, offset: -8 }, text: '◂ worse', align: 'right' }),
    mark('text', { ...side, x: { ...one, offset: 8 }, text: 'better ▸' })
  ]
}

function legendMarks() {
  const x = { field: 'x' }
  return [
    mark('rect', { x, y: 67, width: 16, height: BAR_HEIGHT, ...paint() }, 'legend'),
    mark('text', { x: { ...x, offset: 22 }, y: 75, text: { field: 'title' } }, 'legend')
  ]
}

/** Lines between the groups, and across all of them; the line at 1 is the original. */
function grid(bottom) {
  const x = { scale: 'x', field: 'value' }
  const line = { stroke: 'currentColor', strokeOpacity: 0.15 }
  const strokeOpacity = [{ test: 'datum.value === 1', value: 0.5 }, { value: 0.15 }]
  const label = { x, text: { field: 'label' }, align: 'center', opacity: 0.75 }
  const y = { field: 'y', offset: -GROUP_GAP / 2 }
  return [
    mark('rule', { ...line, y, x2: WIDTH }, 'names'),
    mark('rule', { ...line, x, y: TOP - 9, y2: bottom - 5, strokeOpacity }, 'ticks'),
    mark('text', { ...label, y: TOP - 14 }, 'ticks'),
    mark('text', { ...label, y: bottom + 8 }, 'ticks')
  ]
}

function barMarks() {
  const y = { field: 'y' }
  const end = { scale: 'x', field: 'ratio' }
  const one = { scale: 'x', value: 1 }
  const isWorse = 'datum.ratio < 1'
  const line = {
    y,
    baseline: 'middle',
    fontWeight: [{ test: IS_OURS, value: 600 }, { value: 400 }]
  }
  const label = {
    x: [
      { test: isWorse, ...end, offset: -5 },
      { ...end, offset: 5 }
    ],
    align: [{ test: isWorse, value: 'right' }, { value: 'left' }],
    text: { field: 'label' }
  }
  return [
    mark('rect', { x: end, x2: one, yc: y, height: BAR_HEIGHT, ...paint() }, 'bars'),
    mark('text', { ...line, ...label }, 'bars'),
    mark('text', { ...line, x: WIDTH, align: 'right', text: { field: 'value' } }, 'bars')
  ]
}

/** The bar of the original has no length; only its stroke is visible. */
function paint() {
  return {
    fill: { scale: 'color', field: 'side' },
    stroke: [
      { test: IS_BARE, value: COLORS.original },
      { scale: 'color', field: 'side' }
    ],
    strokeWidth: [{ test: IS_ORIGINAL, value: 4 }, { value: 1 }]
  }
}

function nameMark() {
  return mark(
    'text',
    {
      y: { field: 'y' },
      baseline: 'top',
      lineHeight: BAR_STEP,
      fontSize: 11.5,
      text: { field: 'text' }
    },
    'names'
  )
}

/** A mark for each item of `data`, or a single one; plain values are constants. */
function mark(type, properties, data) {
  const enter = Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name,
      typeof value === 'object' ? value : { value }
    ])
  )
  return { type, ...(data && { from: { data } }), encode: { enter } }
}
