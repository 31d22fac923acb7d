// Fuzzes wires with random input and random users, and reports whatever they do wrong.
//
//   node checks/fuzz-stream.mjs [--mode stream|socket|native] [--seconds N] [--seed S] [--cases N]
//
// In memory (`stream`): any bytes, any calls at any moment, listeners that throw; the result is compared
// with a model, and some sessions with peer-wire-protocol. Over TCP (`socket`): resets, half-open ends,
// peers that trickle, stall or vanish; with native wires (`native`) the same. The seed of a finding with `--cases 1` repeats it.
import { parseArgs } from 'node:util'
import { inTurn } from '../testkit/in-turn.mjs'
import { start } from '../testkit/processes/command.mjs'
import { runBatch } from './fuzz-stream/batch.mjs'

/** Cases per process. */
const BATCH = { stream: 500, socket: 20, native: 20 }

function readOptions() {
  const { values } = parseArgs({
    options: {
      mode: { type: 'string', default: 'stream' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
      cases: { type: 'string', default: 'Infinity' }
    }
  })
  const [seconds, seed, cases] = [values.seconds, values.seed, values.cases].map(Number)
  if (!(values.mode in BATCH)) throw new Error(`there is no mode ${values.mode}`)
  return { mode: values.mode, seconds, seed, cases }
}

function* seedsOfBatches({ mode, seconds, seed, cases }) {
  const end = performance.now() + seconds * 1000
  for (let done = 0; done < cases && performance.now() < end; done += BATCH[mode]) {
    yield { first: seed + done, count: Math.min(BATCH[mode], cases - done) }
  }
}

async function main() {
  const options = readOptions()
  const { mode, seed } = options
  let total = 0
  const found = await inTurn(seedsOfBatches(options), async ({ first, count }) => {
    const { cases, finding } = await runBatch(mode, first, count)
    total += cases
    return finding
  })
  console.log(`${total} cases of mode ${mode} from seed ${seed}`)
  if (!found) return
  const again = `node checks/fuzz-stream.mjs --mode ${mode} --seed ${found.seed} --cases 1`
  throw new Error(`${found.text}\n\nfound by: ${again}`)
}

await start(main)
