// Worker threads, several copies of the package, and abrupt ends. Each case has a process of its own,
// because a fault would take the process down.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PROGRAMS = path.join(ROOT, 'testkit', 'workers')

test('wires work in worker threads', async (t) => {
  t.like(await run('worker-transfer.cjs'), { code: 0, signal: null })
})

test('metadata is fetched in worker threads', async (t) => {
  t.like(await run('worker-metadata.cjs'), { code: 0, signal: null })
})

test('two copies of the package work in one process', async (t) => {
  const copy = await copyPackage(t)
  t.like(await run('load-twice.cjs', copy), { code: 0, signal: null })
})

test('the package works again after its require cache is cleared', async (t) => {
  t.like(await run('load-twice.cjs'), { code: 0, signal: null })
})

for (const [ending, title] of [
  ['terminate', 'are terminated'],
  ['exit', 'call process.exit'],
  ['throw', 'throw']
]) {
  test.serial(`workers that ${title} with busy wires leave the process intact`, async (t) => {
    const { code, signal, output } = await run('end-workers.cjs', ending)
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output)
    t.regex(output, /20 rounds/)
  })
}

test('process.exit with busy wires sets the exit code', async (t) => {
  t.like(await run('exit.cjs', 'exit'), { code: 7, signal: null })
})

test('an uncaught error with busy wires ends the process as usual', async (t) => {
  t.like(await run('exit.cjs', 'throw'), { code: 1, signal: null })
})

/** @returns {Promise<{code: number, signal: string | null, output: string}>} */
function run(program, ...args) {
  return new Promise((resolve) => {
    const command = [path.join(PROGRAMS, program), ...args]
    execFile(process.execPath, command, { timeout: 120_000 }, (error, stdout, stderr) => {
      const { code, signal } = error ?? { code: 0, signal: null }
      resolve({ code, signal, output: stdout + stderr })
    })
  })
}

/** Copies the installed package; its dependencies are shared. */
async function copyPackage(t) {
  const folder = await mkdtemp(path.join(await realpath(os.tmpdir()), 'peer-wire-copy-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const addons = readdirSync(ROOT).filter((name) => name.endsWith('.node'))
  const names = ['package.json', 'index.js', 'native.js', 'lib', ...addons]
  const copies = names.map((name) =>
    cp(path.join(ROOT, name), path.join(folder, name), { recursive: true })
  )
  await Promise.all(copies)
  await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
  return folder
}
