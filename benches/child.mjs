// A measuring process: holds one library and takes samples of the rows that its parent names.
import { useCpuClock } from './drive.mjs'
import { loadLibrary } from './libraries.mjs'
import { rows } from './workloads/index.mjs'

/** In ms; the longest sample takes a few seconds. */
const TIME_LIMIT = 60_000

main(process.argv[2], process.argv[3])

async function main(side, clock) {
  if (clock === 'cpu') useCpuClock()
  process.on('disconnect', () => process.exit())
  try {
    const library = await loadLibrary(side)
    process.on('message', answer(library))
    process.send({ version: library.version })
  } catch (error) {
    process.send({ error: error.message })
  }
}

/** Inputs are kept while the same row is asked for again. */
function answer(library) {
  let held = null
  return async ({ rowName, quick, warmup }) => {
    try {
      const context = { library, quick, warmup }
      if (held?.row.name !== rowName) {
        held?.row.release?.(held.state)
        held = null
        const row = rows.find((candidate) => candidate.name === rowName)
        held = { row, state: await row.prepare(context) }
        // Not before each sample: that would give memory back which a busy process keeps.
        global.gc()
      }
      process.send({ values: await sample(context, held) })
    } catch (error) {
      process.send({ error: error.stack })
    }
  }
}

async function sample(context, { row, state }) {
  const outcome = await within(TIME_LIMIT, row.run(context, state))
  row.check(outcome, state)
  return outcome.values
}

/** A wire that swallows a message leaves its row waiting for ever: that is a wrong result too. */
async function within(milliseconds, promise) {
  let timer
  const late = new Promise((_, reject) => {
    const error = new Error(`no complete result within ${milliseconds / 1000} s`)
    timer = setTimeout(() => reject(error), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
