// Errors of loading: they name the real cause, and how to get a binary only if there is none. Each case has
// a copy of the package, and a process of its own.
import { execFile } from 'node:child_process'
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile
} from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { ROOT } from '../testkit/processes/command.mjs'

const ADDON = readdirSync(ROOT).find((name) => name.endsWith('.node'))
const PACKAGE = path.basename(ADDON, '.node').replace('.', '-')

const PROGRAM = `
  try {
    require('./index.js')
    console.log('"loaded"')
  } catch (error) {
    console.log(JSON.stringify({ message: error.message, cause: error.cause?.message }))
  }`

/** Its name depends on the release. */
const PERMISSION = ['--permission', '--experimental-permission'].find((flag) =>
  process.allowedNodeEnvironmentFlags.has(flag)
)

/** A copy of the installed package without the binary; its dependency is shared. */
const copyPackage = async (t) => {
  const folder = await mkdtemp(path.join(await realpath(os.tmpdir()), 'peer-wire-load-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const names = ['package.json', 'index.js', 'native.js', 'lib']
  await Promise.all(
    names.map((name) => cp(path.join(ROOT, name), path.join(folder, name), { recursive: true }))
  )
  await mkdir(path.join(folder, 'node_modules'))
  const dependency = path.join('node_modules', 'speedometer')
  await symlink(path.join(ROOT, dependency), path.join(folder, dependency), 'junction')
  await writeFile(path.join(folder, 'main.cjs'), PROGRAM)
  return folder
}

/** Returns 'loaded', or the text of the error. */
const load = async (folder, flags = [], env = {}) => {
  const { NAPI_RS_NATIVE_LIBRARY_PATH: _, ...rest } = process.env
  const options = { env: { ...rest, ...env } }
  const args = [...flags, path.join(folder, 'main.cjs')]
  const { stdout } = await promisify(execFile)(process.execPath, args, options)
  return JSON.parse(stdout)
}

const platform = `${process.platform} ${process.arch}`

const namesCause = (t, { message, cause }, pattern) => {
  t.true(message.startsWith(`peer-wire-native cannot load its binary for ${platform}: `), message)
  t.regex(message, pattern)
  t.notRegex(message, /Rust|npm|Cannot find module '\.|Require stack/)
  t.is(typeof cause, 'string')
}

/** The binary with a change in its first bytes, which say what it is. */
const patched = (binary, at, byte) => {
  const other = Buffer.from(binary)
  other[at] = byte
  return other
}

const FOREIGN = {
  'is for another address size': (binary) => patched(binary, 4, 1),
  'is for another machine': (binary) => patched(binary, 18, 0xf3),
  'has another byte order': (binary) => patched(binary, 5, 2)
}

const BROKEN = {
  'is empty': () => Buffer.alloc(0),
  'is cut off in its header': (binary) => binary.subarray(0, 40),
  'is a text file': () => Buffer.from('version https://git-lfs.github.com/spec/v1\n'.repeat(10)),
  ...(process.platform === 'linux' ? FOREIGN : {})
}

test('loads a complete copy', async (t) => {
  const folder = await copyPackage(t)
  await cp(path.join(ROOT, ADDON), path.join(folder, ADDON))
  t.is(await load(folder), 'loaded')
})

test('says how to get a binary if there is none', async (t) => {
  const { message, cause } = await load(await copyPackage(t))
  const advice = 'install Rust (https://rustup.rs) and run "npm rebuild"'
  t.is(message, `peer-wire-native has no binary for ${platform}: ${advice}`)
  t.regex(cause, /native binding/)
})

for (const [how, change] of Object.entries(BROKEN)) {
  test(`names the cause if the binary ${how}`, async (t) => {
    const folder = await copyPackage(t)
    await writeFile(path.join(folder, ADDON), change(await readFile(path.join(ROOT, ADDON))))
    namesCause(t, await load(folder), /\.node/)
  })
}

test('names the cause if the binary in the package of the platform is broken', async (t) => {
  const folder = await copyPackage(t)
  const home = path.join(folder, 'node_modules', PACKAGE)
  await mkdir(home)
  await writeFile(
    path.join(home, 'package.json'),
    JSON.stringify({ version: '0.1.0', main: ADDON })
  )
  await writeFile(path.join(home, ADDON), 'no binary')
  namesCause(t, await load(folder), /\.node/)
})

test('names each cause if several binaries are broken', async (t) => {
  const folder = await copyPackage(t)
  const home = path.join(folder, 'node_modules', PACKAGE)
  await mkdir(home)
  await writeFile(path.join(home, 'index.js'), 'throw new Error("second cause")')
  await writeFile(path.join(folder, ADDON), 'no binary')
  namesCause(t, await load(folder), /\.node.*; second cause$/)
})

test('names the cause if the binary that the environment names is missing', async (t) => {
  const folder = await copyPackage(t)
  const missing = path.join(folder, 'elsewhere.node')
  const { message } = await load(folder, [], { NAPI_RS_NATIVE_LIBRARY_PATH: missing })
  t.true(message.startsWith(`peer-wire-native cannot load its binary for ${platform}: `), message)
  t.true(message.includes(missing), message)
  t.notRegex(message, /Rust/)
})

test('names the cause if addons are turned off', async (t) => {
  const folder = await copyPackage(t)
  await cp(path.join(ROOT, ADDON), path.join(folder, ADDON))
  namesCause(t, await load(folder, ['--no-addons']), /loading addons is disabled/)
})

test('names the cause if the permission for addons is missing', async (t) => {
  const folder = await copyPackage(t)
  await cp(path.join(ROOT, ADDON), path.join(folder, ADDON))
  namesCause(t, await load(folder, [PERMISSION, '--allow-fs-read=*']), /loading addons is disabled/)
  t.is(await load(folder, [PERMISSION, '--allow-fs-read=*', '--allow-addons']), 'loaded')
})

// The experimental permission model does not check each required file.
const onRealPermissions = PERMISSION === '--permission' ? test : test.skip

onRealPermissions('tells that the permission to read the binary is missing', async (t) => {
  const folder = await copyPackage(t)
  await cp(path.join(ROOT, ADDON), path.join(folder, ADDON))
  const names = (await readdir(folder)).filter((name) => name !== ADDON)
  const readable = [
    path.join(ROOT, 'node_modules'),
    ...names.map((name) => path.join(folder, name))
  ]
  const flags = readable.map((place) => `--allow-fs-read=${place}`)
  const reason = await load(folder, [PERMISSION, '--allow-addons', ...flags])
  namesCause(t, reason, /Access to this API has been restricted/)
})

for (const [how, flags, binary, pattern] of [
  ['there is no binary', [], null, /^peer-wire-native has no binary for .*Rust/],
  [
    'the binary is broken',
    [],
    'no binary',
    /^peer-wire-native cannot load its binary for .*\.node/
  ],
  ['addons are turned off', ['--no-addons'], 'any', /^peer-wire-native cannot load .* is disabled/]
]) {
  test(`an installation without Rust warns and does not fail when ${how}`, async (t) => {
    const folder = await copyPackage(t)
    const script = path.join(folder, 'bin', 'install.js')
    await cp(path.join(ROOT, 'bin', 'install.js'), script)
    if (binary !== null) await writeFile(path.join(folder, ADDON), binary)
    const options = { env: { PATH: '' } }
    const { stderr } = await promisify(execFile)(process.execPath, [...flags, script], options)
    t.regex(stderr, pattern)
  })
}
