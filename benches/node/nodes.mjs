// The releases of Node that the benchmarks run on: installed from npm, or this one.
import { installRuntimes, nodeOf } from '../../testkit/processes/runtimes.mjs'

/** The current LTS, which most users run, and the oldest that is supported. */
export const RELEASES = ['24', '20']

/**
 * @param {string[]} names major versions that npm ships for the tests, or 'own' for this process's
 * @returns {Promise<string[]>} paths of the programs
 * @throws when one is missing
 */
export async function programsOf(names) {
  if (names.some((name) => name !== 'own')) await install()
  return names.map((name) => (name === 'own' ? process.execPath : nodeOf(Number(name))))
}

async function install() {
  try {
    await installRuntimes()
  } catch (error) {
    throw new Error(`${error.message}; --node own measures on this one`, { cause: error })
  }
}
