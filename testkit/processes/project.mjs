// Creates projects that use the packed package, from fixtures, in a temporary folder.
import assert from 'node:assert'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { inOrder, npm } from './command.mjs'
import { packAll, readManifest } from './packages.mjs'

const NAMES = ['peer-wire-native', 'peer-wire-protocol']

/**
 * Creates a project that has the package under its own name and under an alias.
 *
 * @param {string} folder - where the project and the tarballs are created
 * @param {string[]} fixtures - files, and folders whose contents are copied into the project
 * @returns {Promise<string>} path of the project
 */
export async function makeProject(folder, fixtures) {
  const project = path.join(folder, 'project')
  await mkdir(project)
  await inOrder(fixtures, (fixture) => {
    const isFile = path.extname(fixture) !== ''
    const target = isFile ? path.join(project, path.basename(fixture)) : project
    return cp(fixture, target, { recursive: true })
  })
  const { main, platforms } = await packAll(folder)
  await writeManifest(project, main, platforms)
  await npm(['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: project })
  await checkInstalled(project, Object.keys(platforms))
  return project
}

/** The platform tarballs replace what npm would download. */
async function writeManifest(project, main, platforms) {
  const file = path.join(project, 'package.json')
  const manifest = existsSync(file) ? await readManifest(project) : { private: true }
  manifest.dependencies = Object.fromEntries(NAMES.map((name) => [name, `file:${main}`]))
  manifest.overrides = Object.fromEntries(
    Object.entries(platforms).map(([name, tarball]) => [name, `file:${tarball}`])
  )
  await writeFile(file, JSON.stringify(manifest, null, 2))
}

/** Checks that only the binary of this platform is installed, and that nothing was built. */
async function checkInstalled(project, platforms) {
  const modules = path.join(project, 'node_modules')
  const installed = (await readdir(modules)).filter((name) => platforms.includes(name))
  assert.strictEqual(installed.length, 1, `installed are ${installed}`)
  await inOrder(NAMES, async (name) => {
    const files = await readdir(path.join(modules, name))
    assert(!files.some((file) => file.endsWith('.node') || file === 'target'), files.join())
  })
}
