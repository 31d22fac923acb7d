// Checks the dependencies: licences, duplicate crates, known vulnerabilities.
// Needs the sources of all crates (cargo fetch). Without a network the last check is skipped.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import satisfies from 'spdx-satisfies'
import { ROOT, capture, run, start } from '../testkit/processes/command.mjs'

/** Licences that require only attribution. */
const LICENCES = ['Apache-2.0', 'ISC', 'MIT', 'Unicode-3.0']

const METADATA = ['metadata', '--locked', '--offline', '--format-version', '1', '--all-features']
const AUDIT = ['audit', '--omit=dev', '--json', '--silent', '--fetch-retries=0']

/**
 * Checks all crates, including those of tests, and the npm packages that are installed with ours.
 *
 * @returns {string[]} those with another licence
 */
function findForeign(crates, packages) {
  return [...crates, ...packages]
    .filter(({ license }) => !isAllowed(String(license)))
    .map(({ name, version, license }) => `${name} ${version} is under ${license}`)
}

/** Older crates separate alternatives with a slash. Anything that is not a licence is refused. */
function isAllowed(licence) {
  try {
    return satisfies(licence.replaceAll('/', ' OR '), LICENCES)
  } catch {
    return false
  }
}

/** @returns {string[]} crates that occur in two versions in our binary or its build */
function findDoubles(crates, { root, nodes }) {
  const shipped = new Set()
  const visit = (id) => {
    if (shipped.has(id)) return
    shipped.add(id)
    const { deps } = nodes.find((node) => node.id === id)
    deps.filter(isShipped).forEach(({ pkg }) => visit(pkg))
  }
  visit(root)
  const names = crates.filter(({ id }) => shipped.has(id)).map(({ name }) => name)
  const doubles = names.filter((name, at) => names.indexOf(name) !== at)
  return doubles.map((name) => `${name} is there in several versions`)
}

function isShipped({ dep_kinds: kinds }) {
  return kinds.some(({ kind }) => kind !== 'dev')
}

/** The packages that our users install. */
async function readPackages() {
  const lock = JSON.parse(await readFile(path.join(ROOT, 'package-lock.json'), 'utf8'))
  const prefix = 'node_modules/'
  return Object.entries(lock.packages)
    .filter(([place, { dev }]) => place.startsWith(prefix) && !dev)
    .map(([place, { version, license }]) => ({
      name: place.slice(prefix.length),
      version,
      license
    }))
}

/** @returns {Promise<string[]>} packages that have a known vulnerability */
async function findVulnerable() {
  const { output } = await capture('npm', AUDIT, { cwd: ROOT })
  const { vulnerabilities, error, message } = JSON.parse(output)
  if (vulnerabilities === undefined) {
    console.log(`npm audit has no answer: ${message ?? error?.summary}`)
    return []
  }
  return Object.values(vulnerabilities).map(
    ({ name, severity }) => `${name} is vulnerable: ${severity}`
  )
}

await start(async () => {
  const { packages: crates, resolve } = JSON.parse(await run('cargo', METADATA, { cwd: ROOT }))
  const packages = await readPackages()
  const problems = [
    ...findForeign(crates, packages),
    ...findDoubles(crates, resolve),
    ...(await findVulnerable())
  ]
  if (problems.length > 0) throw new Error(problems.join('\n'))
  console.log(`dependencies: ${crates.length - 1} crates and ${packages.length} packages ok`)
})
