// Temporary folders: made for a script or one of its steps, removed at its end.
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

/**
 * @template T
 * @param {(folder: string) => Promise<T>} use - receives an empty folder, which is removed once it settles
 * @returns {Promise<T>} the result of `use`
 */
export async function withFolder(use) {
  const folder = await mkdtemp(path.join(await realpath(os.tmpdir()), 'peer-wire-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
