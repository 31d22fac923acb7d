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
  const taking = sides.filter((side) => (row.sides ?? libraryNames).includes(side))
  const samples = Object.fromEntries(taking.map((side) => [side, []]))
  const failures = {}
  const runtimeArgs = [...settings.runtimeArgs, ...(row.runtimeArgs ?? [])]
  const processes = measurers(row.fresh ?? false, { ...settings, runtimeArgs })
  await inTurn(Array(warmups + rounds).keys(), (round) =>
    inTurn(rotated(taking, round), async (side) => {
      if (failures[side]) return
      const warmup = round < warmups
      try {
        const task = { rowName: row.name, quick: settings.quick, warmup }
        const values = await processes.sample(side, task)
        if (!warmup) samples[side].push(values)
      } catch (error) {
        failures[side] = error.message
        delete samples[side]
      }
    })
  )
  processes.stop()
  return entriesOf(row, samples, failures)
}

function roundsOf(row, { quick, rounds }) {
  const usual = quick ? QUICK : NORMAL
  return {
    rounds: rounds ?? Math.min(row.rounds ?? usual.rounds, usual.rounds),
    warmups: Math.min(row.warmups ?? usual.warmups, usual.warmups)
  }
}

function rotated(items, by) {
  const from = by % items.length
  return [...items.slice(from), ...items.slice(0, from)]
}
