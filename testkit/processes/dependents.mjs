// Installs packages that depend on peer-wire-protocol, with this package in its place.
import { execFile } from 'node:child_process'
import { copyFile, readFile, readdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Creates a project as our README instructs users, from what `npm publish` would publish.
 *
 * @param {string} folder empty
 * @param {string[]} names of packages, at the versions of our devDependencies
 * @returns {Promise<NodeJS.Require>} the `require` of that project
 */
export async function installDependents(folder, names) {
  const { devDependencies } = JSON.parse(await readFile(path.join(ROOT, 'package.json')))
  const tarball = await pack(folder)
  const project = {
    private: true,
    dependencies: Object.fromEntries(names.map((name) => [name, devDependencies[name]])),
    overrides: { 'peer-wire-protocol': `file:${tarball}` }
  }
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(project))
  await npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock')
  await copyBinaries(path.join(folder, 'node_modules', 'peer-wire-protocol'))
  return createRequire(path.join(folder, 'index.js'))
}

async function pack(folder) {
  const { stdout } = await npm(ROOT, 'pack', '--json', '--pack-destination', folder)
  return JSON.parse(stdout)[0].filename
}

/** Uses the binary that was built here; install scripts are off, so none is built or downloaded. */
function npm(cwd, ...args) {
  const isWindows = process.platform === 'win32'
  return run(isWindows ? 'npm.cmd' : 'npm', [...args, '--ignore-scripts'], {
    cwd,
    shell: isWindows
  })
}

async function copyBinaries(folder) {
  const binaries = (await readdir(ROOT)).filter((name) => name.endsWith('.node'))
  await Promise.all(
    binaries.map((name) => copyFile(path.join(ROOT, name), path.join(folder, name)))
  )
}

const run = promisify(execFile)
