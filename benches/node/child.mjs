// A measuring process: loads one library and takes samples of the row that its parent names.
import { useCpuClock } from './drive.mjs'
import { loadLibrary } from './libraries.mjs'
import { rows } from './workloads/index.mjs'

/** Per sample, in ms; the longest takes a few seconds. */
const TIME_LIMIT = 120_000

main(process.argv[2], process.argv[3])

async function main(side, clock) {
  if (clock === 'cpu') useCpuClock()
  process.on('disconnect', () => process.exit())
  try {
    const library = await loadLibrary(side)
    process.on('message', answer(library))
    process.send({ version: library.version, node: process.version })
  } catch (error) {
    process.send({ error: error.message })
  }
}

/** Inputs are built for the first sample and reused. */
function answer(library) {
  let held
  return async ({ rowName, way, quick, warmup }) => {
    try {
      const context = { library, way, quick, warmup }
      held ??= await prepare(rowName, context)
      process.send({ values: await sample(context, held) })
    } catch (error) {
      process.send({ error: error.stack })
    }
  }
}

async function prepare(rowName, context) {
  const row = rows.find(({ name }) => name === rowName)
  const state = await row.prepare(context)
  // Not before each sample: that would release memory which a busy process keeps.
  global.gc()
  return { row, state }
}

async function sample(context, { row, state }) {
  const outcome = await within(TIME_LIMIT, row.run(context, state))
  row.check(outcome, state)
  return outcome.values
}

/** A wire that drops a message would stall its row forever; a timeout makes that a wrong result. */
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
