// Runs samples of a row in this process, for tools that observe a process from outside, and prints what
// Linux counted: node benches/node/sample.mjs ROW SIDE BLOCKS, one of a TCP row, or ROW SIDE TIMESx
import { readFileSync } from 'node:fs'
import { loadLibrary } from './libraries.mjs'
import { inTurn } from './drive.mjs'
import { rows } from './workloads/index.mjs'

const [rowName, way, amount] = process.argv.slice(2)
const row = rows.find(({ name }) => name === rowName)
const library = await loadLibrary(row.ways?.[way] ?? way)
const context = { library, way, quick: false, warmup: false }
const prepared = await row.prepare(context)
const times = amount.endsWith('x') ? Number.parseInt(amount, 10) : 1
const state = amount.endsWith('x') ? prepared : { ...prepared, count: Number(amount) }
await inTurn(Array(times), async () => row.check(await row.run(context, state), state))
console.log(`pid: ${process.pid}\n${readFileSync('/proc/self/io', 'utf8')}`)
// The far end exits with this process.
process.exit()
