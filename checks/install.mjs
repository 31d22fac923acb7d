// Installs the package where no binary fits: with Rust, without Rust, and from git.
import assert from 'node:assert'
import { copyFile, cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, capture, inOrder, npm, run, start } from '../testkit/processes/command.mjs'
import { withFolder } from '../testkit/processes/folder.mjs'
import { packMain } from '../testkit/processes/packages.mjs'

const TRANSFER = path.join(ROOT, 'testkit', 'transfer.cjs')

/** Builds share the compiled crates of the project's own (with cargo 1.91 or newer). */
const CARGO_BUILD_BUILD_DIR = path.join(ROOT, 'target')

const STEPS = {
  'a tarball without a binary builds one': async (folder) => {
    const project = await makeProject(folder, await packMain(folder))
    await npm(INSTALL, { cwd: project, env: { ...process.env, CARGO_BUILD_BUILD_DIR } })
    await checkBuilt(project)
  },
  'without Rust, require says what to do, and that helps': async (folder) => {
    const project = await makeProject(folder, await packMain(folder))
    await npm(INSTALL, { cwd: project, env: { ...process.env, PATH: await barePath(folder) } })
    const { code, output } = await load(project)
    assert.notStrictEqual(code, 0)
    const [message] = /^Error: .*$/m.exec(output)
    assert.match(message, /has no binary for .+: install Rust \(\S+\) and run "npm rebuild"$/)
    await npm(['rebuild'], { cwd: project, env: { ...process.env, CARGO_BUILD_BUILD_DIR } })
    await checkBuilt(project)
  },
  'a git repository builds one, once': async (folder) => {
    const project = await makeProject(folder, `git+file://${await makeRepository(folder)}`)
    const { PATH, builds } = await countingPath(folder)
    await npm(INSTALL, { cwd: project, env: { ...process.env, PATH, CARGO_BUILD_BUILD_DIR } })
    await checkBuilt(project)
    assert.strictEqual(await builds(), 1)
  }
}

/** Installs without the packages of the platforms: they are optional. */
const INSTALL = ['install', '--omit=optional', '--no-audit', '--no-fund', '--prefer-offline']

async function makeProject(folder, source) {
  const project = path.join(folder, 'project')
  await mkdir(project)
  await copyFile(TRANSFER, path.join(project, 'transfer.cjs'))
  const manifest = { private: true, dependencies: { 'peer-wire-protocol': source } }
  await writeFile(path.join(project, 'package.json'), JSON.stringify(manifest))
  return project
}

/** Checks that the package has a binary, no leftovers of the build, and works. */
async function checkBuilt(project) {
  const files = await readdir(path.join(project, 'node_modules', 'peer-wire-protocol'))
  assert.strictEqual(files.filter((file) => file.endsWith('.node')).length, 1, files.join())
  assert(!files.includes('target'), files.join())
  const { code, output } = await load(project)
  assert.strictEqual(code, 0, output)
}

function load(project) {
  const program = "require('./transfer.cjs').transfer(require('peer-wire-protocol'))"
  return capture(process.execPath, ['-e', program], { cwd: project })
}

/** A PATH with only what npm itself needs. */
async function barePath(folder) {
  const bin = path.join(folder, 'bin')
  await mkdir(bin)
  await inOrder(['node', 'npm', 'sh'], async (name) =>
    symlink(await which(name), path.join(bin, name))
  )
  return bin
}

/** A PATH whose cargo records each build. */
async function countingPath(folder) {
  const bin = path.join(folder, 'bin')
  const log = path.join(folder, 'builds')
  await mkdir(bin)
  const lines = [
    '#!/bin/sh',
    `[ "$1" = build ] && echo >> '${log}'`,
    `exec '${await which('cargo')}' "$@"`
  ]
  await writeFile(path.join(bin, 'cargo'), lines.join('\n'), { mode: 0o755 })
  const builds = async () => (await readFile(log, 'utf8')).length
  return { PATH: `${bin}:${process.env.PATH}`, builds }
}

async function which(name) {
  return (await run('which', [name])).trim()
}

/** A repository with one commit: the project as it is now, without ignored files. */
async function makeRepository(folder) {
  const repository = path.join(folder, 'repository')
  const listed = await run('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: ROOT })
  await inOrder(listed.split('\0').filter(Boolean), (file) =>
    cp(path.join(ROOT, file), path.join(repository, file))
  )
  await run('git', ['init', '--quiet'], { cwd: repository })
  await run('git', ['add', '.'], { cwd: repository })
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@localhost']
  await run('git', [...author, 'commit', '--quiet', '-m', 'All'], { cwd: repository })
  return repository
}

await start(() =>
  inOrder(Object.entries(STEPS), ([title, step]) =>
    withFolder(async (folder) => {
      await step(folder)
      console.log(`install: ${title}: ok`)
    })
  )
)
