// Runs a batch of random cases in this process: child.mjs MODE SEED COUNT. It reports each finished case
// and the first finding to its parent; then it must exit by itself.
import { inTurn } from '../../testkit/in-turn.mjs'
import { modes } from './modes.mjs'

/** How much of the end of a case's trace is reported, in lines. */
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
