// Checks that the top-level folders import downwards only: node checks/imports.mjs [FOLDER]
//
// A folder may import from itself and from those below it. So the package never depends on its tests, nor
// the test kit on the tests that use it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT, start } from '../testkit/processes/command.mjs'

/** From bottom to top; the package's own files are in no folder. */
const ORDER = [
  'lib',
  '.',
  'bin',
  'testkit',
  'examples',
  'demo',
  'benches',
  'scripts',
  'checks',
  '__test__'
]

/** The addon and its loader are below everything. */
const BOTTOM = new Set(['native.js', 'package.json'])

/** Matches an imported module: a quoted relative path after a keyword or a bracket that imports. */
const IMPORTS =
  /(?:\bfrom|\bimport|require|resolve|fork|URL)\s*\(?\s*(['"])(\.{1,2}(?:\/[^'"]*)?)\1/g

/**
 * @param {string} root - folder of a project
 * @returns {string[]} a message per upward import
 */
export function findUpwards(root) {
  return ORDER.flatMap((folder) => modulesIn(root, folder)).flatMap((file) => upwardsIn(root, file))
}

function modulesIn(root, folder) {
  const whole = path.join(root, folder)
  if (!existsSync(whole)) return []
  return readdirSync(whole, { recursive: folder !== '.' })
    .map((name) => path.join(folder, name))
    .filter((file) => /\.(?:js|mjs|cjs|ts)$/.test(file) && !BOTTOM.has(file))
}

function upwardsIn(root, file) {
  const text = readFileSync(path.join(root, file), 'utf8')
  return [...text.matchAll(IMPORTS)]
    .map(([, , name]) => path.normalize(path.join(path.dirname(file), name)))
    .filter((target) => !BOTTOM.has(target) && rank(target) > rank(file))
    .map((target) => `${file} imports ${target}`)
}

/** Unlisted folders hold data. */
function rank(file) {
  const [first] = file.split(path.sep)
  return ORDER.indexOf(first === file ? '.' : first)
}

if (process.argv[1] === import.meta.filename) {
  await start(() => {
    const upwards = findUpwards(process.argv[2] ?? ROOT)
    if (upwards.length > 0) throw new Error(upwards.join('\n'))
  })
}
