// Checks what would be published: files, manifest and types, and that versions agree.
import assert from 'node:assert'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, inOrder, run, start } from '../testkit/processes/command.mjs'
import { withFolder } from '../testkit/processes/folder.mjs'
import { packAll, readManifest } from '../testkit/processes/packages.mjs'

/** Files that the main package may contain, and those that it must. */
const ALLOWED = [
  /^(?:index|bittorrent-protocol|native)\.(?:js|d\.ts)$/,
  /^lib\/(?:[\w-]+\/)*[\w-]+\.js$/,
  /^src\/[\w/]+\.rs$/,
  /^(?:bin\/(?:install|transcript)\.js|build\.rs|Cargo\.(?:toml|lock)|package\.json)$/,
  /^(?:(?:README|CHANGELOG)\.md|LICENSE)$/
]
const REQUIRED = [
  'Cargo.lock',
  'Cargo.toml',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'bittorrent-protocol.d.ts',
  'bittorrent-protocol.js',
  'build.rs',
  'index.d.ts',
  'index.js',
  'lib/wire.js',
  'native.js',
  'package.json',
  'bin/install.js',
  'bin/transcript.js',
  'src/lib.rs'
]

/** Most bytes that an installation may download in addition to the binary. */
const MAX_PACKED = 512 * 1024

async function checkFiles(tarball) {
  const names = await list(tarball)
  assert.deepStrictEqual(
    names.filter((name) => !ALLOWED.some((pattern) => pattern.test(name))),
    [],
    'does not belong'
  )
  assert.deepStrictEqual(
    REQUIRED.filter((name) => !names.includes(name)),
    [],
    'is missing'
  )
  const { length } = await readFile(tarball)
  assert(length <= MAX_PACKED, `${length} bytes are too much`)
}

/** Checks that the package of a platform has its binary, a description, and nothing else. */
async function checkPlatform(name, tarball) {
  const target = name.slice('peer-wire-native-'.length)
  const files = (await list(tarball)).filter((file) => !file.endsWith('.node'))
  assert.deepStrictEqual(files.toSorted(), ['README.md', 'package.json'])
  const { main, files: included } = await readManifest(path.join(ROOT, 'npm', target))
  assert.strictEqual(main, `peer-wire-native.${target}.node`)
  assert.deepStrictEqual(included, [main])
}

async function list(tarball) {
  const output = await run('tar', ['-tzf', tarball])
  const files = output.split('\n').filter((line) => line !== '' && !line.endsWith('/'))
  return files.map((file) => file.slice('package/'.length))
}

async function checkVersions(platforms) {
  const { version } = await readManifest(ROOT)
  const cargo = await readFile(path.join(ROOT, 'Cargo.toml'), 'utf8')
  assert.strictEqual(/^version = "(.+)"$/m.exec(cargo)?.[1], version, 'Cargo.toml')
  const loader = await readFile(path.join(ROOT, 'native.js'), 'utf8')
  assert(loader.includes(`expected ${version} but got`), 'native.js is of another version')
  await inOrder(platforms, async (name) => {
    const folder = path.join(ROOT, 'npm', name.slice('peer-wire-native-'.length))
    assert.strictEqual((await readManifest(folder)).version, version, name)
  })
}

function bin(name, ...args) {
  return run(path.join(ROOT, 'node_modules', '.bin', name), args)
}

await start(() =>
  withFolder(async (folder) => {
    const { main, platforms } = await packAll(folder)
    await checkFiles(main)
    await inOrder(Object.entries(platforms), (entry) => checkPlatform(...entry))
    await checkVersions(Object.keys(platforms))
    await bin('publint', 'run', main, '--strict')
    await bin('attw', main)
    console.log('package: ok')
  })
)
