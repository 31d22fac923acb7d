// Turns samples into medians, spreads and ratios.

/**
 * @param {number[]} samples
 * @returns {{ median: number, min: number, max: number, q1: number, q3: number }}
 */
export function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    median: quantile(sorted, 0.5),
    min: sorted[0],
    max: sorted.at(-1),
    q1: quantile(sorted, 0.25),
    q3: quantile(sorted, 0.75)
  }
}

/**
 * How many times better `ours` is than `theirs`: the median over the rounds of the ratio within a
 * round, because the two samples of a round saw the same disturbances.
 * @param {number[]} ours
 * @param {number[]} theirs in the same rounds
 * @param {'lower' | 'higher'} better
 */
export function advantage(ours, theirs, better) {
  const ratios = ours.map((value, round) =>
    better === 'lower' ? theirs[round] / value : value / theirs[round]
  )
  return summary(ratios).median
}

function quantile(sorted, part) {
  const at = (sorted.length - 1) * part
  const below = Math.floor(at)
  const above = Math.ceil(at)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}
