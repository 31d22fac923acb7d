// Runs as the "version" script of npm: writes the new version to every manifest and the loader.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, inOrder, npm, run, start } from '../testkit/processes/command.mjs'
import { readManifest } from '../testkit/processes/packages.mjs'

const CHANGED = ['Cargo.toml', 'Cargo.lock', 'native.js', 'native.d.ts', 'npm', 'packages']

const PACKAGES = path.join(ROOT, 'packages')

/** A package for overrides goes with the version of the main one. */
async function setVersion(folder, version) {
  const manifest = { ...(await readManifest(folder)), version }
  manifest.dependencies = { 'peer-wire-native': version }
  await writeFile(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

await start(async () => {
  const { version } = await readManifest(ROOT)
  const manifest = path.join(ROOT, 'Cargo.toml')
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace(/^version = ".+"$/m, `version = "${version}"`))
  await inOrder(await readdir(PACKAGES), (name) => setVersion(path.join(PACKAGES, name), version))
  await npm(['run', 'build'], { cwd: ROOT })
  await run(path.join(ROOT, 'node_modules', '.bin', 'napi'), ['version'], { cwd: ROOT })
  await run('git', ['add', ...CHANGED], { cwd: ROOT })
})
