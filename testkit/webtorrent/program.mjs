// A program in a process of its own, which tells what it does in lines of JSON.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Time limit of a program, in ms. */
const LIMIT = 120_000

/**
 * @param {(string | number)[]} args of node: the program and its arguments
 * @param {{cwd: string, execPath?: string, execArgv?: string[]}} where
 * @returns {{line: () => Promise<object>, end: () => void, stop: () => Promise<void>}} `line` gives the next line,
 *   `end` ends the input of the program
 */
export function startProgram(args, { cwd, execPath = process.execPath, execArgv = [] }) {
  const options = { cwd, timeout: LIMIT, killSignal: 'SIGKILL' }
  const child = spawn(execPath, [...execArgv, ...args].map(String), options)
  let warnings = ''
  child.stderr.on('data', (text) => (warnings += text))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async line() {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${args[0]} ended early, in ${cwd}:\n${warnings}`)
      return JSON.parse(value)
    },
    end: () => child.stdin.end(),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}
