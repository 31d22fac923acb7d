// Runs when npm installs the package: builds the addon from source if no binary fits the platform.
'use strict'

const { spawnSync } = require('node:child_process')
const { copyFileSync, existsSync, rmSync } = require('node:fs')
const path = require('node:path')
const { load } = require('../lib/load.js')

const ROOT = path.join(__dirname, '..')

/** A clone keeps its target folder for the next build; an installed package does not need it. */
const IS_CLONE = existsSync(path.join(ROOT, 'scripts', 'setup.mjs'))

function main() {
  // npm first installs a git dependency in a clone, only to pack it: that needs no binary.
  if (process.env._PACOTE_NO_PREPARE_) return
  const error = tryLoad()
  if (error === null) return
  const addon = lookedFor(error)
  if (addon === undefined || !hasCargo()) {
    // `require` will throw the same error, so the rest of the installation need not fail.
    console.warn(error.message)
    return
  }
  build(addon)
}

/** @returns {Error | null} why the addon cannot be loaded */
function tryLoad() {
  try {
    load()
    return null
  } catch (error) {
    return error
  }
}

/**
 * The file that the generated loader looked for in this package. The loader chains one error per place
 * tried; the last file named is the exact one. Where addons are disabled it names none.
 *
 * @param {Error} error - of `load`
 * @returns {string | undefined}
 */
function lookedFor(error) {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const [file] = /peer-wire-native\.[\w-]+\.node/.exec(cause.message) ?? []
    if (file) return file
  }
}

function hasCargo() {
  return spawnSync('cargo', ['--version'], { stdio: 'ignore' }).error === undefined
}

function build(addon) {
  const target = IS_CLONE ? null : path.join(ROOT, 'target')
  try {
    copyFileSync(compile(addon, target), path.join(ROOT, addon))
  } finally {
    if (target !== null) rmSync(target, { recursive: true, force: true })
  }
  load()
}

/** Compiles the crate; cargo reports the path of the library, whatever its settings are. */
function compile(addon, target) {
  const args = ['build', '--release', '--lib', '--locked', '--features', 'binding']
  args.push('--message-format=json-render-diagnostics')
  if (target !== null) args.push('--target-dir', target)
  const { status, stdout } = spawnSync('cargo', args, {
    cwd: ROOT,
    env: addon.includes('musl') ? withDynamicLibc(process.env) : process.env,
    encoding: 'utf8',
    maxBuffer: Infinity,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  if (status !== 0) throw new Error('peer-wire-native could not be built from source: see above')
  return findLibrary(stdout)
}

/** By default Rust links musl statically, which an addon cannot do. */
function withDynamicLibc(env) {
  return { ...env, RUSTFLAGS: `${env.RUSTFLAGS ?? ''} -C target-feature=-crt-static`.trim() }
}

function findLibrary(messages) {
  const artifacts = messages
    .split('\n')
    .filter((line) => line.includes('"compiler-artifact"'))
    .map((line) => JSON.parse(line))
  const { filenames } = artifacts.find(({ target }) => target.crate_types.includes('cdylib'))
  return filenames.find((file) => /\.(?:so|dylib|dll)$/.test(file))
}

try {
  main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
