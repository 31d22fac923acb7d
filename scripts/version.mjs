// Runs as the "version" script of npm: writes the new version to every manifest and the loader.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, npm, run, start } from '../testkit/processes/command.mjs'
import { readManifest } from '../testkit/processes/packages.mjs'

const CHANGED = ['Cargo.toml', 'Cargo.lock', 'native.js', 'native.d.ts', 'npm']

await start(async () => {
  const { version } = await readManifest(ROOT)
  const manifest = path.join(ROOT, 'Cargo.toml')
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace(/^version = ".+"$/m, `version = "${version}"`))
  await npm(['run', 'build'], { cwd: ROOT })
  await run(path.join(ROOT, 'node_modules', '.bin', 'napi'), ['version'], { cwd: ROOT })
  await run('git', ['add', ...CHANGED], { cwd: ROOT })
})
