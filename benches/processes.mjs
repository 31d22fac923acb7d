// The measuring processes as their parent sees them: start, ask for a sample, stop.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))

/**
 * @typedef {object} Settings
 * @property {'wall' | 'cpu'} clock of the rows in memory
 * @property {string[]} runtimeArgs for node, besides its own
 *
 * @typedef {object} Measurer
 * @property {string} version of the library
 * @property {(task: object) => Promise<Record<string, number>>} sample rejects on a wrong result
 * @property {() => void} stop
 */

/**
 * Starts a process that measures one side.
 * @param {string} side
 * @param {Settings} settings
 * @returns {Promise<Measurer>}
 * @throws when the library cannot be loaded
 */
export async function startMeasurer(side, settings) {
  const { clock, runtimeArgs } = settings
  const child = fork(CHILD, [side, clock], { execArgv: ['--expose-gc', ...runtimeArgs] })
  const stop = () => child.kill()
  try {
    const { version } = await reply(child)
    return { version, stop, sample }
  } catch (error) {
    stop()
    throw error
  }

  async function sample(task) {
    child.send(task)
    const { values } = await reply(child)
    return values
  }
}

async function reply(child) {
  if (child.exitCode !== null || child.signalCode) throw new Error('the process is gone')
  const waiting = new AbortController()
  const { signal } = waiting
  const [answer] = await Promise.race([
    once(child, 'message', { signal }),
    once(child, 'exit', { signal }).then(([code, name]) => [
      { error: `the process ended (${name ?? code})` }
    ])
  ])
  waiting.abort()
  if (answer.error) throw new Error(answer.error)
  return answer
}

/**
 * Keeps the processes of a run: the shared one of each side stays, others live for a row.
 * @param {Settings} settings
 */
export function measurers(settings) {
  const shared = new Map()
  const own = new Map()
  const take = async (pool, side) => {
    if (!pool.has(side)) pool.set(side, await startMeasurer(side, settings))
    return pool.get(side)
  }
  return {
    /** Takes one sample in the kind of process that the row asks for. */
    async sample(row, side, task) {
      if (row.process !== 'fresh') {
        const measurer = await take(row.process === 'own' ? own : shared, side)
        return measurer.sample(task)
      }
      const measurer = await startMeasurer(side, settings)
      try {
        return await measurer.sample(task)
      } finally {
        measurer.stop()
      }
    },
    /** Ends the processes of a row; after a failure also the shared ones, which may be stuck. */
    endRow(failed) {
      drop(own)
      if (failed) drop(shared)
    },
    stop() {
      drop(own)
      drop(shared)
    }
  }
}

function drop(pool) {
  for (const measurer of pool.values()) measurer.stop()
  pool.clear()
}
