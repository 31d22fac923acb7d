// Runs a batch of random cases in a process of its own, which may crash, hang or refuse to end.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))

/** Longest time for one case, and for the process to exit after the last one, in ms. */
const WATCHDOG = 60_000

/** How much of the end of a process's output is kept, in characters. */
const SHOWN_OUTPUT = 4000

/**
 * @typedef {object} Finding
 * @property {number} seed of the case
 * @property {string} text what was found
 */

/**
 * @param {string} mode
 * @param {number} seed of the first case; the others follow
 * @param {number} count
 * @returns {Promise<{cases: number, finding: Finding | null}>}
 */
export function runBatch(mode, seed, count) {
  return new Promise((resolve) => {
    const args = [mode, seed, count].map(String)
    const child = fork(CHILD, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    const batch = { next: seed, isDone: false, finding: null, output: '' }
    const watchdog = setTimeout(() => child.kill('SIGKILL'), WATCHDOG)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (batch.output += text))
    }
    child.on('message', (message) => {
      watchdog.refresh()
      Object.assign(batch, message)
    })
    child.on('close', (code, signal) => {
      clearTimeout(watchdog)
      resolve({ cases: batch.next - seed, finding: batch.finding ?? judge(batch, signal ?? code) })
    })
  })
}

/** What the exit of the process means. */
function judge({ next, isDone, output }, ending) {
  if (isDone && ending === 0) return null
  const where = isDone ? 'after the last case' : 'in this case'
  const how = ending === 'SIGKILL' ? 'hung' : `ended with ${ending}`
  const text = `the process ${how} ${where}:\n${output.slice(-SHOWN_OUTPUT)}`
  return { seed: isDone ? next - 1 : next, text }
}
