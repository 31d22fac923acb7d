// Runs the garbage collector, so that what is kept by weak references only is really gone.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Collects all garbage, also in a process that was not started for it. */
export const collectGarbage = () => {
  collect ??= expose()
  collect()
}

let collect = null

const expose = () => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}
