// Makes up what a run of the benchmarks keeps, with the same figures for each row.

const COSTS = { ours: 50, original: 200, 'bittorrent-protocol': 400, 'bare socket': 25 }

/** The result of a run on Node 20 alone. */
export function benchResult(entries) {
  return {
    machine: { cpu: 'Chip', cores: 2, memoryGiB: 4, platform: 'linux x64' },
    versions: { ours: '0.1.0', original: '0.7.1', 'bittorrent-protocol': '5.0.9' },
    options: {},
    runs: [{ node: 'v20.0.0', entries }]
  }
}

export function benchEntry(row) {
  const sides = Object.entries(COSTS).map(([name, cost]) => [name, benchSide(cost)])
  const ratios = { original: ratio(4), best: ratio(4), 'bare socket': ratio(2) }
  return { row, unit: 'us/block', sides: Object.fromEntries(sides), ratios }
}

export function benchSide(median) {
  return { median, samples: [median, median] }
}

function ratio(median) {
  return { median, q1: median * 0.9, q3: median * 1.1 }
}
