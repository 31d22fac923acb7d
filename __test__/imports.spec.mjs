// The check of the import rule itself: it finds what goes upwards, and nothing else.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

import test from 'ava'

import { findUpwards } from '../checks/imports.mjs'
import { temporaryFolder } from '../testkit/files.mjs'

/** A project of these files. */
const projectOf = async (t, files) => {
  const root = await temporaryFolder(t)
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name)
    // oxlint-disable-next-line no-await-in-loop -- a folder may be made twice
    await mkdir(path.dirname(file), { recursive: true })
    // oxlint-disable-next-line no-await-in-loop -- as above
    await writeFile(file, text)
  }
  return root
}

for (const [file, text, target] of [
  ['lib/wire.js', "const kit = require('../testkit/wires.mjs')", 'testkit/wires.mjs'],
  ['lib/session/session.js', "const api = require('../../index.js')", 'index.js'],
  ['testkit/wires.mjs', "import { rows } from '../benches/node/rows.mjs'", 'benches/node/rows.mjs'],
  [
    'testkit/deep/a.cjs',
    "fork(new URL('../../__test__/a.mjs', import.meta.url))",
    '__test__/a.mjs'
  ],
  ['benches/node/a.mjs', "export * from '../../checks/soak.mjs'", 'checks/soak.mjs'],
  ['checks/a.mjs', "await import('../__test__/helpers/a.mjs')", '__test__/helpers/a.mjs'],
  ['index.js', "module.exports = require('./bin/install.js')", 'bin/install.js']
]) {
  test(`finds that ${file} imports ${target}`, async (t) => {
    const root = await projectOf(t, { [file]: `${text}\n` })
    t.deepEqual(findUpwards(root), [`${file} imports ${target}`])
  })
}

test('accepts imports downwards, within a folder, of packages, and of the addon', async (t) => {
  const root = await projectOf(t, {
    'index.js': "module.exports = require('./lib/wire.js')",
    'lib/wire.js': "require('./session.js'); require('../native.js'); require('node:net')",
    'checks/soak.mjs': "import a from '../testkit/a.mjs'\nimport b from 'ava'",
    '__test__/a.spec.mjs': "import a from '../checks/soak.mjs'\nimport b from '../index.js'"
  })
  t.deepEqual(findUpwards(root), [])
})
