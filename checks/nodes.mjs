// Runs the JavaScript tests on other releases of Node: the oldest supported, the current LTS and the
// newest, or those named.
//
//   node checks/nodes.mjs [MAJOR...]
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { ROOT, capture, inOrder, start } from '../testkit/processes/command.mjs'
import { installRuntimes, nodeOf } from '../testkit/processes/runtimes.mjs'

const MAJORS = [20, 24, 26]

const AVA = path.join(ROOT, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')
const FOLDER = path.join(ROOT, '__test__')

async function testOn(major) {
  const node = nodeOf(major)
  const begin = performance.now()
  // So that tests which start `node` by name get this release.
  const PATH = [path.dirname(node), process.env.PATH].join(path.delimiter)
  const env = { ...process.env, PATH }
  const { code, output } = await capture(node, [AVA, '--tap'], { cwd: ROOT, env })
  const lines = output.split('\n')
  if (code !== 0) throw new Error(`Node ${major}:\n${lines.filter(isOfFailure).join('\n')}`)
  checkFiles(lines)
  const counts = ['pass', 'skip'].map((what) => `${what} ${countOf(lines, what)}`)
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(`Node ${major}: ${counts.join(', ')} in ${seconds} s`)
}

/** Checks that ava ran every file in the folder. */
function checkFiles(lines) {
  const ran = new Set(lines.map((line) => /^ok \d+ - (\S+) › /.exec(line)?.[1]))
  const files = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isFile())
  const missing = files.filter(({ name }) => !ran.has(name.replace(/\.spec\.mjs$/, '')))
  if (missing.length > 0) {
    throw new Error(`ava has not run: ${missing.map(({ name }) => name).join(', ')}`)
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
  const named = process.argv.slice(2).map(Number)
  const majors = named.length > 0 ? named : MAJORS.filter((major) => major !== own)
  await installRuntimes()
  await inOrder(majors, testOn)
})
