// Runs the packed package under every supported runtime, and prints a table.
import assert from 'node:assert'
import path from 'node:path'
import { ROOT, capture, inOrder, run, start } from '../testkit/processes/command.mjs'
import { withFolder } from '../testkit/processes/folder.mjs'
import { makeProject } from '../testkit/processes/project.mjs'
import { BUN, DENO, installRuntimes, nodeOf } from '../testkit/processes/runtimes.mjs'

const FIXTURES = [
  'checks/consumer/cjs.cjs',
  'checks/consumer/esm.mjs',
  'checks/runtimes/detached.cjs',
  'checks/runtimes/encrypted.cjs',
  'checks/runtimes/endings.cjs',
  'checks/runtimes/lifecycle.cjs',
  'checks/runtimes/native.cjs',
  'checks/runtimes/worker.cjs',
  'testkit/native-transfer.cjs',
  'testkit/transfer.cjs'
].map((name) => path.join(ROOT, name))

/** Programs with their arguments, and how each process must end. */
const PROGRAMS = [
  ['cjs.cjs', 0],
  ['esm.mjs', 0],
  ['lifecycle.cjs', 0],
  ['detached.cjs', 0],
  ['encrypted.cjs', 0],
  ['endings.cjs exit', 7],
  ['endings.cjs throw', 1],
  ['endings.cjs signal', 'SIGTERM'],
  ['endings.cjs reload', 0],
  ['endings.cjs terminate', 0],
  ['endings.cjs end-worker', 0],
  ['native.cjs transfer', 0],
  ['native.cjs detach', 0],
  ['native.cjs natural', 0],
  ['native.cjs unref', 5],
  ['native.cjs exit', 7],
  ['native.cjs throw', 1],
  ['native.cjs signal', 'SIGTERM'],
  ['native.cjs terminate', 0],
  ['native.cjs end-worker', 0],
  ['native.cjs throw-worker', 0]
]

/** The permissions that Deno needs to load the addon, in addition to those that the programs use. */
const DENO_PERMISSIONS = ['--allow-env', '--allow-ffi', '--allow-read']
const DENO_ARGS = ['run', '--no-prompt', '--node-modules-dir=manual', '--allow-net', '--allow-run']

const node = (major) => ({ name: `Node ${major}`, command: nodeOf(major), args: [] })

const RUNTIMES = [
  node(20),
  node(22),
  node(24),
  node(26),
  { name: 'Bun', command: BUN, args: [] },
  { name: 'Deno', command: DENO, args: [...DENO_ARGS, ...DENO_PERMISSIONS] }
]

/** Time limit per program, in ms. */
const LIMIT = 60_000

/** Returns its line of the table. */
async function tryRuntime(project, { name, command, args }) {
  const version = /\d+\.\d+\.\d+/.exec(await run(command, ['--version']))[0]
  const failures = []
  await inOrder(PROGRAMS, async ([program, end]) => {
    const line = [...args, ...program.split(' ')]
    const limits = { timeout: LIMIT, killSignal: 'SIGKILL' }
    const { code, signal, output } = await capture(command, line, { cwd: project, ...limits })
    if ((signal ?? code) !== end)
      failures.push(`${program} ended with ${signal ?? code}:\n${output}`)
  })
  const result = failures.length === 0 ? 'ok' : 'FAILED'
  return { row: { runtime: name, version, result }, failures }
}

/** Without any one of the permissions Deno loads no addon, and the error names the missing one. */
async function checkDenoPermissions(project) {
  await inOrder(DENO_PERMISSIONS, async (missing) => {
    const allowed = DENO_PERMISSIONS.filter((permission) => permission !== missing)
    const args = [...DENO_ARGS, ...allowed, 'cjs.cjs']
    const { code, output } = await capture(DENO, args, { cwd: project })
    assert.strictEqual(code, 1, missing)
    assert.match(
      output,
      /peer-wire-native cannot load its binary for .+: Requires \w+ access/,
      missing
    )
  })
}

await start(() =>
  withFolder(async (folder) => {
    await installRuntimes()
    const project = await makeProject(folder, FIXTURES)
    const tried = []
    await inOrder(RUNTIMES, async (runtime) => tried.push(await tryRuntime(project, runtime)))
    console.table(tried.map(({ row }) => row))
    const failures = tried.flatMap((one) => one.failures)
    if (failures.length > 0) throw new Error(failures.join('\n'))
    await checkDenoPermissions(project)
  })
)
