// Folders for a while: made for one script or one of its steps, removed at its end.
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

/**
 * @template T
 * @param {(folder: string) => Promise<T>} use - gets an empty folder, removed once it settles
 * @returns {Promise<T>} what `use` gives
 */
export async function withFolder(use) {
  const folder = await mkdtemp(path.join(await realpath(os.tmpdir()), 'peer-wire-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
