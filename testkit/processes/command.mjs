// Runs commands for the scripts, each with a time limit, and shows the output of a failed one.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const TIMEOUT = 10 * 60 * 1000 // ms

/**
 * Runs a command and keeps what it prints.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<{code: number | null, signal: string | null, output: string}>} `output`: of
 *   both streams, in the order received
 */
export function capture(command, args, options) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', 'pipe', 'pipe']
    const child = spawn(command, args, { timeout: TIMEOUT, ...options, stdio })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output += text))
    }
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, output }))
  })
}

/**
 * Runs a command that must succeed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<string>} what it printed
 * @throws {Error} with what it printed
 */
export async function run(command, args, options) {
  const { code, signal, output } = await capture(command, args, options)
  if (code === 0) return output
  const line = [path.basename(command), ...args].join(' ')
  throw new Error(`${line} ended with ${signal ?? code}:\n${output}`)
}

/**
 * Runs npm.
 *
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<string>} what it printed
 */
export function npm(args, options) {
  return run('npm', args, { shell: process.platform === 'win32', ...options })
}

/**
 * Processes items one by one.
 *
 * @template T
 * @param {Iterable<T>} items
 * @param {(item: T) => Promise<unknown>} use
 */
export async function inOrder(items, use) {
  // oxlint-disable-next-line no-await-in-loop
  for (const item of items) await use(item)
}

/**
 * Runs the main function of a script; its error becomes one message and an exit code.
 *
 * @param {() => Promise<void> | void} main
 */
export async function start(main) {
  try {
    await main()
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
