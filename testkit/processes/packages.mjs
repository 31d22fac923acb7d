// Packs the main package and the platform packages as they are published.
import { copyFile, cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { ROOT, npm, run } from './command.mjs'

const PLATFORMS = path.join(ROOT, 'npm')
const ALIASES = path.join(ROOT, 'packages')

/**
 * @typedef {object} Tarballs
 * @property {string} main - path of the main package
 * @property {Record<string, string>} platforms - paths by package name; only those whose binary
 *   was built here hold one
 */

/**
 * Packs everything.
 *
 * @param {string} folder - for the tarballs
 * @returns {Promise<Tarballs>}
 */
export async function packAll(folder) {
  const platforms = await Promise.all(
    (await readdir(PLATFORMS)).map((target) => packPlatform(target, folder))
  )
  return { main: await packMain(folder), platforms: Object.fromEntries(platforms) }
}

/**
 * Packs the main package, with the platform packages added to its manifest as publishing does.
 *
 * @param {string} folder - for the tarball
 * @returns {Promise<string>} its path
 */
export async function packMain(folder) {
  const stage = await stageFolder(folder, 'main')
  const packed = await pack(ROOT, stage)
  await run('tar', ['-xzf', packed, '-C', stage])
  const root = path.join(stage, 'package')
  const manifest = await readManifest(root)
  manifest.optionalDependencies = await platformVersions()
  await writeFile(path.join(root, 'package.json'), JSON.stringify(manifest, null, 2))
  return pack(root, folder)
}

/**
 * Packs a package that stands for another one, as npm overrides name it.
 *
 * @param {string} folder - for the tarball
 * @param {string} name - of the other one
 * @returns {Promise<string>} its path
 */
export function packAlias(folder, name) {
  return pack(path.join(ALIASES, name), folder)
}

async function packPlatform(target, folder) {
  const stage = await stageFolder(folder, target)
  await cp(path.join(PLATFORMS, target), stage, { recursive: true })
  const { name, main } = await readManifest(stage)
  const addon = path.join(ROOT, main)
  if (existsSync(addon)) await copyFile(addon, path.join(stage, main))
  return [name, await pack(stage, folder)]
}

async function platformVersions() {
  const targets = await readdir(PLATFORMS)
  const manifests = await Promise.all(
    targets.map((target) => readManifest(path.join(PLATFORMS, target)))
  )
  return Object.fromEntries(manifests.map(({ name, version }) => [name, version]))
}

/**
 * @param {string} folder
 * @returns {Promise<object>} its package.json
 */
export async function readManifest(folder) {
  return JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
}

async function stageFolder(folder, name) {
  const stage = path.join(folder, 'stage', name)
  await mkdir(stage, { recursive: true })
  return stage
}

/** Packs without running scripts: they would prepare a release. */
async function pack(source, folder) {
  const args = ['pack', source, '--pack-destination', folder, '--ignore-scripts', '--silent']
  const output = await npm(args)
  return path.join(folder, output.trim().split('\n').pop())
}
