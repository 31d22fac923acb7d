// Installs the packed packages into an empty project and uses them as a consumer does.
// Arguments select steps: cjs, esm, types, ava, jest. Default: all.
import { copyFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT, inOrder, run, start } from '../testkit/processes/command.mjs'
import { withFolder } from '../testkit/processes/folder.mjs'
import { makeProject } from '../testkit/processes/project.mjs'

const FIXTURES = ['checks/consumer', 'testkit/transfer.cjs'].map((name) => path.join(ROOT, name))

const STEPS = {
  cjs: (project) => run(process.execPath, ['cjs.cjs'], { cwd: project }),
  esm: (project) => run(process.execPath, ['esm.mjs'], { cwd: project }),
  types: compileAndRun,
  ava: (project) => bin(project, 'ava'),
  jest: (project) => bin(project, 'jest')
}

/** The same file as CommonJS and as an ES module. */
async function compileAndRun(project) {
  const source = path.join(project, 'every-use.ts')
  await copyFile(source, path.join(project, 'every-use.cts'))
  await copyFile(source, path.join(project, 'every-use.mts'))
  await bin(project, 'tsc', '--project', 'tsconfig.json')
  await run(process.execPath, [path.join('built', 'every-use.cjs')], { cwd: project })
  await run(process.execPath, [path.join('built', 'every-use.mjs')], { cwd: project })
}

function bin(project, name, ...args) {
  return run(path.join(project, 'node_modules', '.bin', name), args, { cwd: project })
}

await start(() =>
  withFolder(async (folder) => {
    const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(STEPS)
    const project = await makeProject(folder, FIXTURES)
    await inOrder(names, async (name) => {
      await STEPS[name](project)
      console.log(`consumer ${name}: ok`)
    })
  })
)
