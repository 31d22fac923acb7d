// Runs the JavaScript tests on other releases of Node: the oldest supported, the current LTS and the
// newest, or those named.
//
//   node checks/nodes.mjs [--quick] [MAJOR...]
//
// Quick: without real clients, and without the long tests of the core's rules, which no Node changes.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT, capture, inOrder, start } from '../testkit/processes/command.mjs'
import { installRuntimes, nodeOf } from '../testkit/processes/runtimes.mjs'

const MAJORS = [20, 24, 26]

const AVA = path.join(ROOT, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')
const FOLDER = path.join(ROOT, '__test__')

/** Files that a quick run leaves out, besides those of real clients. */
const LONG = new Set(['captures', 'floods', 'fuzz', 'hostile'].map((name) => `${name}.spec.mjs`))

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } }
})

const isRun = ({ name }) =>
  name.endsWith('.spec.mjs') && !(options.quick && (LONG.has(name) || name.startsWith('clients')))

const FILES = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isFile() && isRun(entry))
  .map(({ name }) => name)

async function testOn(major) {
  const node = nodeOf(major)
  const begin = performance.now()
  // So that tests which start `node` by name get this release.
  const PATH = [path.dirname(node), process.env.PATH].join(path.delimiter)
  const env = { ...process.env, PATH }
  const files = FILES.map((name) => `__test__/${name}`)
  const { code, output } = await capture(node, [AVA, '--tap', ...files], { cwd: ROOT, env })
  const lines = output.split('\n')
  if (code !== 0) throw new Error(`Node ${major}:\n${lines.filter(isOfFailure).join('\n')}`)
  checkFiles(lines)
  const counts = ['pass', 'skip'].map((what) => `${what} ${countOf(lines, what)}`)
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(`Node ${major}: ${counts.join(', ')} in ${seconds} s`)
}

/** Checks that ava ran every file. */
function checkFiles(lines) {
  const ran = new Set(lines.map((line) => /^ok \d+ - (\S+) › /.exec(line)?.[1]))
  const missing = FILES.filter((name) => !ran.has(name.replace(/\.spec\.mjs$/, '')))
  if (missing.length > 0) {
    throw new Error(`ava has not run: ${missing.join(', ')}`)
  }
}

function countOf(lines, what) {
  return lines.find((line) => line.startsWith(`# ${what} `))?.split(' ')[2] ?? 0
}

function isOfFailure(line) {
  return !line.startsWith('ok ')
}

await start(async () => {
  const own = Number(process.versions.node.split('.')[0])
  const named = positionals.map(Number)
  const majors = named.length > 0 ? named : MAJORS.filter((major) => major !== own)
  await installRuntimes()
  await inOrder(majors, testOn)
})
