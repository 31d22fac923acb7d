// Runs the rounds of a row: in each, every side takes one sample, in rotating order, so that a
// disturbance of the machine affects all sides alike.
import { inTurn } from './drive.mjs'
import { libraryNames } from './libraries.mjs'
import { measurers } from './processes.mjs'
import { entriesOf } from './report.mjs'

const NORMAL = { rounds: 9, warmups: 2 }
const QUICK = { rounds: 3, warmups: 1 }

/**
 * Runs all rounds of one row. A side with a wrong result is left out of the remaining rounds.
 * @param {import('./workloads/index.mjs').Row} row
 * @param {string[]} sides those of the run; the row may support fewer
 * @param {import('./processes.mjs').Settings & { quick: boolean, rounds?: number }} settings
 * @returns {Promise<object[]>} an entry for each metric, see `entriesOf`
 */
export async function measure(row, sides, settings) {
  const { rounds, warmups } = roundsOf(row, settings)
  const ways = waysOf(row, sides)
  const taking = Object.keys(ways)
  const samples = Object.fromEntries(taking.map((way) => [way, []]))
  const failures = {}
  const runtimeArgs = [...settings.runtimeArgs, ...(row.runtimeArgs ?? [])]
  const { fresh = false, isSpread = false } = row
  const processes = measurers(fresh, { ...settings, runtimeArgs, isSpread })
  await inTurn(Array(warmups + rounds).keys(), (round) =>
    inTurn(rotated(taking, round), async (way) => {
      if (failures[way]) return
      const warmup = round < warmups
      try {
        const task = { rowName: row.name, way, quick: settings.quick, warmup }
        const values = await processes.sample(ways[way], task)
        if (!warmup) samples[way].push(values)
      } catch (error) {
        failures[way] = error.message
        delete samples[way]
      }
    })
  )
  processes.stop()
  return entriesOf(row, samples, failures)
}

/** What takes part: names of samples, and of the side that loads the library for each. */
function waysOf(row, sides) {
  if (row.ways) {
    return Object.fromEntries(Object.entries(row.ways).filter(([, side]) => sides.includes(side)))
  }
  const own = row.sides ?? libraryNames
  return Object.fromEntries(sides.filter((side) => own.includes(side)).map((side) => [side, side]))
}

function roundsOf(row, { quick, rounds }) {
  const usual = quick ? QUICK : NORMAL
  const own = quick ? (row.quickWarmups ?? row.warmups) : row.warmups
  return {
    rounds: rounds ?? Math.min(row.rounds ?? usual.rounds, usual.rounds),
    warmups: Math.min(own ?? usual.warmups, usual.warmups)
  }
}

function rotated(items, by) {
  const from = by % items.length
  return [...items.slice(from), ...items.slice(0, from)]
}
