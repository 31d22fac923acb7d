// Runs the garbage collector, so that objects with only weak references are really gone.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Collects all garbage, even in a process started without --expose-gc. */
export const collectGarbage = () => {
  collect ??= expose()
  collect()
}

let collect = null

const expose = () => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}
