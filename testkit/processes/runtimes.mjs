// The supported runtimes, installed from npm into a cache. The packages are for Linux x64 with glibc only.
import { existsSync, readFileSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, npm } from './command.mjs'

const MANIFEST = path.join(ROOT, 'testkit', 'runtimes', 'package.json')
const CACHE = path.join(ROOT, 'node_modules', '.cache', 'runtimes')

/** Paths of the programs, valid once {@link installRuntimes} has settled. */
export const BUN = installed('@oven', 'bun-linux-x64', 'bin', 'bun')
export const DENO = installed('@deno', 'linux-x64-glibc', 'deno')

/**
 * @param {number} major one that the manifest names
 * @returns {string} path of the program
 */
export function nodeOf(major) {
  return installed(`node-${major}`, 'bin', 'node')
}

/** Installs what the manifest names, unless already installed. */
export async function installRuntimes() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The runtimes are available for Linux x64 only')
  }
  const copy = path.join(CACHE, 'package.json')
  const isCurrent = existsSync(copy) && readFileSync(copy).equals(readFileSync(MANIFEST))
  if (isCurrent && existsSync(installed('.package-lock.json'))) return
  await rm(CACHE, { recursive: true, force: true })
  await cp(MANIFEST, copy)
  await npm(['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: CACHE })
}

function installed(...names) {
  return path.join(CACHE, 'node_modules', ...names)
}
