// The process that runs a batch of random cases: child.mjs MODE SEED COUNT. It tells its parent of
// each case that is over, and of the first that has found something; then it must end by itself.
import { inTurn } from '../../testkit/in-turn.mjs'
import { modes } from './modes.mjs'

/** The end of what happened in a case, in lines. */
const SHOWN_LINES = 200

const [mode, seed, count] = process.argv.slice(2)

async function main() {
  const seeds = Array.from({ length: Number(count) }, (_, index) => Number(seed) + index)
  const finding = await inTurn(seeds, async (next) => {
    const { problems, trace } = await modes[mode](next)
    process.send({ next: next + 1 })
    const lines = [...trace.slice(-SHOWN_LINES), ...new Set(problems)]
    return problems.length > 0 && { seed: next, text: lines.join('\n') }
  })
  process.send({ isDone: true, finding })
  process.disconnect()
}

await main()
