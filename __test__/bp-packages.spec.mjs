// The packages for overrides: they are what they stand for, in both module systems, and of the version of this one.
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, readdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

import { temporaryFolder } from '../testkit/files.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PACKAGES = path.join(ROOT, 'packages')

const manifestOf = async (folder) =>
  JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))

/** By the package that each is in the place of: what it exports. */
const EXPORTED = {
  'bittorrent-protocol': "require('peer-wire-native/bittorrent-protocol')",
  lt_donthave: "require('peer-wire-native').extensions.ltDonthave",
  ut_metadata: "require('peer-wire-native').extensions.utMetadata",
  ut_pex: "require('peer-wire-native').extensions.utPex"
}

test('there is a package for each', async (t) => {
  t.deepEqual((await readdir(PACKAGES)).toSorted(), Object.keys(EXPORTED))
})

for (const [name, exported] of Object.entries(EXPORTED)) {
  test(`the package in the place of ${name} exports what it should`, async (t) => {
    const project = await temporaryFolder(t)
    const modules = path.join(project, 'node_modules')
    await mkdir(modules)
    await symlink(ROOT, path.join(modules, 'peer-wire-native'), 'junction')
    await cp(path.join(PACKAGES, name), path.join(modules, name), { recursive: true })
    const run = async (...args) => {
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: project })
      return stdout.trim()
    }
    t.is(await run('-p', `require('${name}') === ${exported}`), 'true')
    const script = `
      import given, * as all from '${name}'
      import { createRequire } from 'node:module'
      const require = createRequire(process.cwd() + '/x.js')
      const Wire = ${name === 'bittorrent-protocol' ? 'all.Wire' : 'given'}
      console.log(given === ${exported} && Wire === given)`
    t.is(await run('--input-type=module', '-e', script), 'true')
  })

  test(`the package in the place of ${name} has the version of this one`, async (t) => {
    const folder = path.join(PACKAGES, name)
    const [own, main] = await Promise.all([manifestOf(folder), manifestOf(ROOT)])
    t.is(own.version, main.version)
    t.deepEqual(own.dependencies, { 'peer-wire-native': main.version })
    t.deepEqual(own.engines, main.engines)
    const files = (await readdir(folder)).toSorted()
    t.deepEqual(files, ['README.md', ...own.files, 'package.json'].toSorted())
  })
}
