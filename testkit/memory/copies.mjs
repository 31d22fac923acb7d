// Loads copies of the package's JavaScript over one addon, as happens when npm hoists the binary above a
// package and its alias, or when jest resets its modules.
import { createRequire } from 'node:module'
import path from 'node:path'
import { ROOT } from '../processes/command.mjs'

const require = createRequire(import.meta.url)
const ADDON = path.join(ROOT, 'native.js')
const LATE = ['attach', 'connect', 'createServer', 'promises']
const MODULES = path.join(ROOT, path.sep)

/** @returns {import('../../index.js')} the package with its own modules but a shared addon */
export const loadCopy = () => {
  const kept = takeModules()
  try {
    const copy = require('../../index.js')
    // What is loaded when it is first asked for is to be of the copy, too.
    for (const name of LATE) Reflect.get(copy, name)
    return copy
  } finally {
    takeModules()
    for (const [name, module] of kept) require.cache[name] = module
  }
}

/** The modules that are loaded, which are no longer after that. */
const takeModules = () => {
  const taken = new Map()
  for (const name of Object.keys(require.cache)) {
    const isOurs = name.startsWith(MODULES) && !name.includes('node_modules')
    if (!isOurs || name === ADDON || name.endsWith('.node')) continue
    taken.set(name, require.cache[name])
    delete require.cache[name]
  }
  return taken
}
