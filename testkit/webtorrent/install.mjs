// Projects with packages that use bittorrent-protocol, as it is or with this package in its place, in a cache.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, inOrder, npm } from '../processes/command.mjs'
import { withFolder } from '../processes/folder.mjs'
import { packAlias, packAll, readManifest } from '../processes/packages.mjs'

const PROJECT = path.join(ROOT, 'testkit', 'webtorrent', 'project')
const CACHE = path.join(ROOT, 'node_modules', '.cache', 'webtorrent')

/** Stands for a package that is large to install, and that no test uses. */
const STAND_IN = path.join(PROJECT, 'webrtc-polyfill')

/** What is ours in a project, by its name. */
const REPLACED = {
  original: [],
  ours: ['bittorrent-protocol'],
  'all ours': ['bittorrent-protocol', 'lt_donthave', 'ut_metadata', 'ut_pex']
}

/**
 * Installs what is missing or has changed: webtorrent, and programs that use it.
 *
 * @returns {Promise<Record<keyof REPLACED, string>>} folders of the projects
 */
export async function installWebtorrent() {
  const folders = {}
  await inOrder(Object.keys(REPLACED), async (name) => {
    folders[name] = await installProject(PROJECT, name)
  })
  return folders
}

/**
 * @param {string} source - folder with a manifest and files
 * @param {keyof REPLACED} name - what stands under the name bittorrent-protocol, and others
 * @returns {Promise<string>} folder of the project
 */
export async function installProject(source, name) {
  const folder = path.join(CACHE, `${path.basename(source)}-${name.replace(' ', '-')}`)
  const manifest = await readManifest(source)
  const replaced = REPLACED[name]
  if (replaced.length === 0) await install(folder, source, manifest, [])
  else await withFolder((packed) => installOurs(folder, source, manifest, { replaced, packed }))
  return folder
}

/** By overrides alone, which reach the packages that depend on others. */
async function installOurs(folder, source, manifest, { replaced, packed }) {
  const { main, platforms } = await packAll(packed)
  const inPlace = { 'peer-wire-native': main, ...platforms }
  await inOrder(replaced, async (name) => {
    inPlace[name] = await packAlias(packed, name)
  })
  for (const [name, tarball] of Object.entries(inPlace)) {
    const place = `file:./tarballs/${path.basename(tarball)}`
    manifest.overrides[name] = place
    // A dependency of the project itself needs the same word.
    if (name in manifest.dependencies) manifest.dependencies[name] = place
  }
  await install(folder, source, manifest, Object.values(inPlace))
}

async function install(folder, source, manifest, tarballs) {
  const key = keyOf(manifest, tarballs)
  const stamp = path.join(folder, 'installed')
  const isCurrent = existsSync(stamp) && readFileSync(stamp, 'utf8') === key
  if (!isCurrent) await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await copyAll(source, folder)
  if (isCurrent) return
  await cp(STAND_IN, path.join(folder, path.basename(STAND_IN)), { recursive: true })
  await Promise.all(
    tarballs.map((file) => cp(file, path.join(folder, 'tarballs', path.basename(file))))
  )
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest, null, 2))
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  await npm(['install', ...flags], { cwd: folder })
  await writeFile(stamp, key)
}

/** The programs, as they are now. */
async function copyAll(source, folder) {
  const names = (await readdir(source)).filter((name) => name !== 'package.json')
  await Promise.all(
    names.map((name) => cp(path.join(source, name), path.join(folder, name), { recursive: true }))
  )
}

function keyOf(manifest, tarballs) {
  const hash = createHash('sha256').update(JSON.stringify(manifest))
  for (const tarball of tarballs) hash.update(readFileSync(tarball))
  return hash.digest('hex')
}
