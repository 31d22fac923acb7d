// Runs one sample of a TCP row in this process, for tools that observe a process from outside, and
// prints what Linux counted: node benches/node/sample.mjs ROW SIDE BLOCKS
import { readFileSync } from 'node:fs'
import { loadLibrary } from './libraries.mjs'
import { rows } from './workloads/tcp.mjs'

const [rowName, side, blocks] = process.argv.slice(2)
const row = rows.find(({ name }) => name === rowName)
const context = { library: await loadLibrary(side), quick: false, warmup: false }
const state = { ...(await row.prepare(context)), count: Number(blocks) }
row.check(await row.run(context, state), state)
console.log(`pid: ${process.pid}\n${readFileSync('/proc/self/io', 'utf8')}`)
// The far end exits with this process.
process.exit()
