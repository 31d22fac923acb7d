// Exceptions that nobody catches, which would end a process.
import { settled } from './wires.mjs'

/**
 * Collects exceptions that nobody catches, for tests that run alone in their file.
 *
 * @param {() => unknown} run
 * @returns {Promise<string[]>} their messages
 */
export const surviving = async (run) => {
  const thrown = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const keep = (error) => thrown.push(error.message)
  process.on('uncaughtException', keep)
  try {
    await run()
    await settled()
  } finally {
    process.off('uncaughtException', keep)
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  return thrown
}
