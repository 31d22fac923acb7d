// Turns samples into medians, spreads and ratios.

/**
 * @typedef {{ median: number, min: number, max: number, q1: number, q3: number }} Summary
 *
 * @param {number[]} samples
 * @returns {Summary}
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
 * How many times more `theirs` costs than `ours`: the ratio is taken within each round, because both
 * samples of a round saw the same disturbances.
 * @param {number[]} ours
 * @param {number[]} theirs in the same rounds
 * @returns {Summary}
 */
export function advantage(ours, theirs) {
  return summary(ours.map((value, round) => theirs[round] / value))
}

function quantile(sorted, part) {
  const at = (sorted.length - 1) * part
  const below = Math.floor(at)
  const above = Math.ceil(at)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}
