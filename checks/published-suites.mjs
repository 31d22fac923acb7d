// Runs the published tests of bittorrent-protocol, of its extension packages and of webtorrent on this package:
// node checks/published-suites.mjs FOLDER [--original] [--slow] [--only PATTERN] [NAME...]
//
// FOLDER holds a folder with the sources of each, by the name of the package; those that are missing are left out.
// --original runs them on bittorrent-protocol itself, --slow also those that wait for long,
// --only the files of that name.
import { existsSync } from 'node:fs'
import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT, capture, inOrder, start } from '../testkit/processes/command.mjs'
import { installProject } from '../testkit/webtorrent/install.mjs'

const PROJECT = path.join(ROOT, 'checks', 'published-suites')

const SUITES = ['bittorrent-protocol', 'ut_metadata', 'ut_pex', 'lt_donthave', 'webtorrent']

/** Tests for browsers, and those that need WebRTC or other machines. */
const NEVER = /^browser\/|download-tracker-|\/server\.js$|common\.js$/

/** They wait, most of the time. */
const SLOW = /conn-pool|limit-|reconnect|timeout|dht|lsd|blocklist/

/** Time limit of a file, in ms. */
const LIMIT = 120_000

await start(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      original: { type: 'boolean' },
      slow: { type: 'boolean' },
      only: { type: 'string', default: '' }
    }
  })
  const [folder, ...names] = positionals
  if (!folder) throw new Error('usage: node checks/published-suites.mjs FOLDER [NAME...]')
  const given = (names.length > 0 ? names : SUITES).filter((name) =>
    existsSync(path.join(folder, name))
  )
  if (given.length === 0) throw new Error(`none of ${SUITES.join(', ')} is in ${folder}`)
  const project = await installProject(PROJECT, values.original ? 'original' : 'ours')
  const rows = []
  const failures = []
  await inOrder(given, async (name) => {
    const suite = await place(project, folder, name)
    const files = await testsIn(suite, values)
    await inOrder(files, async (file) => {
      const result = await runFile(suite, file)
      rows.push({ suite: name, file, ...result.row })
      if (result.failure) failures.push(result.failure)
    })
  })
  console.table(rows)
  const total = rows.reduce((sum, { passed }) => sum + passed, 0)
  console.log(`${total} assertions passed, ${failures.length} of ${rows.length} files failed`)
  if (total === 0) throw new Error('no assertion was made')
  if (failures.length > 0) throw new Error(failures.join('\n'))
})

/** Copies the sources into the project, so that they find the packages there. */
async function place(project, folder, name) {
  const suite = path.join(project, 'suites', name)
  await rm(suite, { recursive: true, force: true })
  await cp(path.join(folder, name), suite, { recursive: true })
  if (name === 'bittorrent-protocol') await replaceClass(suite)
  return suite
}

/** Its tests load the class from the source. Under another name, as a package finds itself under its own. */
async function replaceClass(suite) {
  await writeFile(path.join(suite, 'package.json'), JSON.stringify({ type: 'module' }))
  await writeFile(path.join(suite, 'index.js'), "export { default } from 'bittorrent-protocol'\n")
}

async function testsIn(suite, { slow, only }) {
  const names = await readdir(path.join(suite, 'test'), { recursive: true })
  const isWebtorrent = path.basename(suite) === 'webtorrent'
  return names
    .map((name) => name.replaceAll(path.sep, '/'))
    .filter((name) => name.endsWith('.js') && !NEVER.test(name))
    .filter((name) => slow || !isWebtorrent || !SLOW.test(name))
    .filter((name) => name.includes(only))
    .toSorted()
}

async function runFile(suite, file) {
  const begin = Date.now()
  const limits = { timeout: LIMIT, killSignal: 'SIGKILL' }
  const args = [path.join('test', file)]
  const { code, signal, output } = await capture(process.execPath, args, { cwd: suite, ...limits })
  const passed = countOf(output, 'pass')
  const failed = countOf(output, 'fail')
  // Some files have no test.
  const isOk = code === 0 && failed === 0
  const seconds = Math.round((Date.now() - begin) / 1000)
  const failure = `${path.basename(suite)} ${file} ended with ${signal ?? code}:\n${shorten(output)}`
  return { row: { passed, failed, seconds, end: signal ?? code }, failure: isOk ? null : failure }
}

function countOf(output, what) {
  return Number(new RegExp(`^# ${what} +(\\d+)`, 'm').exec(output)?.[1] ?? 0)
}

/** The failed assertions, or the end where there are none. */
function shorten(output) {
  const failed = output.match(/^not ok[^]*?\n {2}\.\.\./gm)
  return failed ? failed.join('\n') : output.slice(-2000)
}
