// Runs an example as a process: arguments, exit code, stopping, messages to whoever started it.
'use strict'

const { constants } = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

/**
 * Reads the arguments and runs `main`; a failure becomes a message and exit code 1.
 *
 * @param {object} script
 * @param {string} script.help the text of --help
 * @param {object} script.options for parseArgs of node:util
 * @param {[number, number]} script.positionals least and greatest number of other arguments
 * @param {(values: object, positionals: string[], signal: AbortSignal) => Promise<void>} main
 *   `signal` is aborted by Ctrl-C, by SIGTERM, when a parent process connected over IPC is gone,
 *   and when `main` fails
 */
async function run({ help, options, positionals: [least, most] }, main) {
  const controller = createStop()
  const { signal } = controller
  try {
    const { values, positionals } = parse(options)
    if (values.help) return console.log(help)
    if (positionals.length < least || positionals.length > most) throw new Error(help)
    await main(values, positionals, signal)
  } catch (error) {
    // What cannot be aborted, such as hashing, ends with the process.
    if (signal.aborted) process.exit()
    console.error(`${path.basename(require.main.filename)}: ${error.message}`)
    process.exitCode = 1
    controller.abort()
  }
}

function parse(options) {
  const help = { type: 'boolean', short: 'h' }
  return parseArgs({ options: { ...options, help }, allowPositionals: true })
}

function createStop() {
  const controller = new AbortController()
  // Listened to until the end: under npm Ctrl-C arrives twice and must not cut the cleaning short.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      process.exitCode ??= 128 + constants.signals[name]
      controller.abort()
    })
  }
  process.on('disconnect', () => controller.abort())
  process.channel?.unref()
  return controller
}

/**
 * Tells the parent process if it listens, or else the user.
 *
 * @param {string} type
 * @param {object} fields for the parent
 * @param {string} text for the user
 */
function report(type, fields, text) {
  if (process.send) process.send({ type, ...fields }, ignoreGoneParent)
  else console.log(text)
}

function ignoreGoneParent() {}

/**
 * @param {NodeJS.CpuUsage} start from process.cpuUsage()
 * @returns {number} seconds of CPU time that this process used since
 */
function cpuSince(start) {
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

module.exports = { cpuSince, report, run }
