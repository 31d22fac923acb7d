// Pins a measured process and the far end of its connections to separate processors. Otherwise they
// sometimes share one and interrupt each other at every write: the same library then costs half as
// much again in one sample as in the next.
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'

const last = cpus().length - 1
const processors = { measured: `0-${last - 1}`, 'far end': `${last}` }

/** Whether processes can be pinned on this machine. */
export const canPlace =
  process.platform === 'linux' && last > 0 && Object.values(processors).every(isThere)

/**
 * @param {string} program path of a Node
 * @param {'measured' | 'far end'} role
 * @returns {{ execPath: string, execArgv: string[] }} options of `fork`
 */
export function placed(program, role) {
  if (!canPlace) return { execPath: program, execArgv: [] }
  return { execPath: 'taskset', execArgv: ['-c', processors[role], program] }
}

function isThere(list) {
  return spawnSync('taskset', ['-c', list, 'true']).status === 0
}
