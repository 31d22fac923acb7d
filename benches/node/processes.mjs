// The measuring processes as seen by their parent: start, take a sample, stop.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { placed } from './place.mjs'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))

/**
 * @typedef {object} Settings
 * @property {string} program path of the Node that measures
 * @property {'wall' | 'cpu'} clock
 * @property {string[]} runtimeArgs for node, in addition to its own
 * @property {boolean} [isSpread] over all processors
 *
 * @typedef {object} Task
 * @property {string} rowName the same throughout a process
 * @property {string} way of the row
 * @property {boolean} quick
 * @property {boolean} warmup
 *
 * @typedef {object} Measurer
 * @property {string} version of the library
 * @property {string} node version of Node
 * @property {(task: Task) => Promise<Record<string, number>>} sample rejects on a wrong result
 * @property {() => void} stop
 */

/**
 * Starts a process that measures one side.
 * @param {string} side
 * @param {Settings} settings
 * @returns {Promise<Measurer>}
 * @throws when the library cannot be loaded
 */
export async function startMeasurer(side, { program, clock, runtimeArgs, isSpread = false }) {
  const free = { execPath: program, execArgv: [] }
  const { execPath, execArgv } = isSpread ? free : placed(program, 'measured')
  const args = [...execArgv, '--expose-gc', ...runtimeArgs]
  const child = fork(CHILD, [side, clock], { execPath, execArgv: args })
  const stop = () => child.kill()
  try {
    const { version, node } = await reply(child)
    return { version, node, stop, sample }
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
 * Holds the processes of a row: one for each way, or one per sample.
 * @param {boolean} fresh one per sample
 * @param {Settings} settings
 */
export function measurers(fresh, settings) {
  const kept = new Map()
  return {
    /** @type {(side: string, task: Task) => Promise<Record<string, number>>} */
    async sample(side, task) {
      const { way } = task
      if (!kept.has(way)) kept.set(way, await startMeasurer(side, settings))
      try {
        return await kept.get(way).sample(task)
      } finally {
        if (fresh) stop(way)
      }
    },
    stop: () => [...kept.keys()].forEach(stop)
  }

  function stop(way) {
    kept.get(way).stop()
    kept.delete(way)
  }
}
