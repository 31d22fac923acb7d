// Measures one library under one hostile peer, in a process of its own that may run out of memory.
import path from 'node:path'
import { ROOT, capture } from '../../testkit/processes/command.mjs'

const CHILD = path.join(ROOT, 'checks', 'hostile-memory', 'child.mjs')

/** Maximum size of the heap, in MiB. */
const MOST_HEAP = 1024

const TIMEOUT = 120_000 // ms

/**
 * @typedef {object} Figures
 * @property {{rss: number, native: number, external: number}} peak growth in bytes: in total, outside of
 *   V8's heap, and of Buffers
 * @property {number} held growth of heap and external memory at the end, in bytes
 * @property {{median: number, max: number}} stall in ms, per chunk
 * @property {boolean} isStopped whether it was stopped before the end of the input because of what it held
 */

/**
 * @param {string} name of a case
 * @param {string} side a library of the benchmarks
 * @returns {Promise<Figures | {death: string}>}
 */
export async function measure(name, side) {
  const flags = ['--expose-gc', `--max-old-space-size=${MOST_HEAP}`]
  const args = [...flags, CHILD, name, side]
  const { code, signal, output } = await capture(process.execPath, args, { timeout: TIMEOUT })
  return code === 0 ? JSON.parse(output) : { death: explain(signal, output) }
}

function explain(signal, output) {
  if (signal === 'SIGTERM') return `not done in ${TIMEOUT / 1000} s`
  if (output.includes('heap out of memory')) return `died, heap above ${MOST_HEAP}`
  return `died: ${/^\w*Error.*/m.exec(output)?.[0] ?? signal}`
}
