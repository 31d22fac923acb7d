// Runs the tests of peer-wire-protocol itself, unchanged, on this package.
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { temporaryFolder } from '../testkit/files.mjs'

const require = createRequire(import.meta.url)
const OURS = fileURLToPath(new URL('..', import.meta.url))
const THEIRS = path.join(path.dirname(require.resolve('peer-wire-protocol')), 'tests')
const NAMES = readdirSync(THEIRS).filter((name) => name.startsWith('test-'))

test('finds all tests of peer-wire-protocol', (t) => t.is(NAMES.length, 4))

for (const name of NAMES) {
  test(`passes ${name}`, async (t) => {
    const folder = await temporaryFolder(t)
    await layOut(folder, name)
    await t.notThrowsAsync(run(process.execPath, [path.join(folder, 'tests', name)]))
  })
}

/** Their test requires `../index` and `buffer-from`. */
async function layOut(folder, name) {
  await mkdir(path.join(folder, 'tests'))
  await mkdir(path.join(folder, 'node_modules'))
  const bufferFrom = path.dirname(require.resolve('buffer-from'))
  await Promise.all([
    copyFile(path.join(THEIRS, name), path.join(folder, 'tests', name)),
    writeFile(path.join(folder, 'index.js'), `module.exports = require(${JSON.stringify(OURS)})\n`),
    symlink(bufferFrom, path.join(folder, 'node_modules', 'buffer-from'), 'junction')
  ])
}

const run = promisify(execFile)
