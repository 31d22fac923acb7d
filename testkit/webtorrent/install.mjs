// Two projects with webtorrent, one of which has this package in place of bittorrent-protocol, in a cache.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, npm } from '../processes/command.mjs'
import { packAlias, packAll, readManifest } from '../processes/packages.mjs'

const PROJECT = path.join(ROOT, 'testkit', 'webtorrent', 'project')
const CACHE = path.join(ROOT, 'node_modules', '.cache', 'webtorrent')

/**
 * Installs what is missing or has changed.
 *
 * @returns {Promise<{original: string, ours: string}>} folders of the projects
 */
export async function installWebtorrent() {
  const original = path.join(CACHE, 'original')
  await install(original, await readManifest(PROJECT), [])
  const ours = path.join(CACHE, 'ours')
  const packed = path.join(CACHE, 'packed')
  await rm(packed, { recursive: true, force: true })
  await mkdir(packed, { recursive: true })
  const { main, platforms } = await packAll(packed)
  const alias = await packAlias(packed)
  await install(ours, await overridden({ main, platforms, alias }), [
    main,
    alias,
    ...Object.values(platforms)
  ])
  return { original, ours }
}

/** By overrides alone, which reach the packages that depend on bittorrent-protocol. */
async function overridden({ main, platforms, alias }) {
  const manifest = await readManifest(PROJECT)
  const inPlace = { 'bittorrent-protocol': alias, 'peer-wire-native': main, ...platforms }
  for (const [name, tarball] of Object.entries(inPlace)) {
    manifest.overrides[name] = `file:${tarball}`
  }
  // A dependency of the project itself needs the same word.
  manifest.dependencies['bittorrent-protocol'] = `file:${alias}`
  return manifest
}

async function install(folder, manifest, tarballs) {
  const key = keyOf(manifest, tarballs)
  const stamp = path.join(folder, 'installed')
  const isCurrent = existsSync(stamp) && readFileSync(stamp, 'utf8') === key
  if (!isCurrent) await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await copyPrograms(folder)
  if (isCurrent) return
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest, null, 2))
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  await npm(['install', ...flags], { cwd: folder })
  await writeFile(stamp, key)
}

/** The programs, as they are now. */
async function copyPrograms(folder) {
  const names = (await readdir(PROJECT)).filter((name) => name !== 'package.json')
  await Promise.all(
    names.map((name) => cp(path.join(PROJECT, name), path.join(folder, name), { recursive: true }))
  )
}

function keyOf(manifest, tarballs) {
  const hash = createHash('sha256').update(JSON.stringify(manifest))
  for (const tarball of tarballs) hash.update(readFileSync(tarball))
  return hash.digest('hex')
}
