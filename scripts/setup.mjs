// Prepares a clone: installs the dependencies and builds the addon, each only if missing or outdated.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { ROOT, start } from '../testkit/processes/command.mjs'

/** Sources of the addon. */
const SOURCES = ['src', 'build.rs', 'Cargo.toml', 'Cargo.lock']

function main() {
  if (!areDependenciesInstalled()) installDependencies()
  if (!isAddonCurrent()) buildAddon()
}

/** Compares the installed packages with the lock file; optional ones may be missing. */
function areDependenciesInstalled() {
  const installedPath = path.join(ROOT, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return false
  const installed = readPackages(installedPath)
  const wanted = Object.entries(readPackages(path.join(ROOT, 'package-lock.json')))
  return wanted.every(([name, { version, integrity, optional, devOptional }]) => {
    if (name === '') return true
    const found = installed[name]
    if (found === undefined) return optional === true || devOptional === true
    return found.version === version && found.integrity === integrity
  })
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

/** Installs without install scripts: ours would build the addon, which is the next step here. */
function installDependencies() {
  if (!npm('ci', '--ignore-scripts')) throw new Error('The dependencies could not be installed')
}

function isAddonCurrent() {
  const built = addons().map(modified)
  return built.length > 0 && Math.max(...built) > newestSource() && canLoadAddon()
}

function addons() {
  const names = readdirSync(ROOT).filter((name) => name.endsWith('.node'))
  return names.map((name) => path.join(ROOT, name))
}

function newestSource() {
  return Math.max(...SOURCES.flatMap(entries).map((name) => modified(path.join(ROOT, name))))
}

/** A file, or a folder and everything in it (the folder itself changes when a file is removed). */
function entries(name) {
  if (!statSync(path.join(ROOT, name)).isDirectory()) return [name]
  const names = readdirSync(path.join(ROOT, name), { recursive: true })
  return [name].concat(names.map((below) => path.join(name, below)))
}

function modified(file) {
  return statSync(file).mtimeMs
}

/** A newer file may still be that of another platform. */
function canLoadAddon() {
  try {
    createRequire(import.meta.url)('../native.js')
    return true
  } catch {
    return false
  }
}

function buildAddon() {
  if (!isThere('cargo')) {
    throw new Error('Rust is missing: install it (https://rustup.rs) and run this again')
  }
  const begin = new Date()
  if (!npm('run', 'build')) throw new Error(explainFailure())
  // So that a source changed during the build is newer than the addon.
  for (const addon of addons()) {
    if (modified(addon) >= begin.getTime()) utimesSync(addon, begin, begin)
  }
}

function explainFailure() {
  if (process.platform !== 'win32' && !isThere('cc')) {
    return 'A C linker is missing: install gcc or clang (on Debian: gcc and libc6-dev) and run this again'
  }
  return 'The addon could not be built: see above'
}

function isThere(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined
}

function npm(...args) {
  const options = { cwd: ROOT, stdio: 'inherit', shell: process.platform === 'win32' }
  return spawnSync('npm', args, options).status === 0
}

await start(main)
