// Runs libtorrent through a Python script in this folder, which reports when it has all pieces.
import { fileURLToPath } from 'node:url'
import { ask, startProgram } from './program.mjs'
import { clientOf, prepare } from './start.mjs'

const SCRIPT = fileURLToPath(new URL('libtorrent-peer.py', import.meta.url))

/** Debian installs the package for the system's Python; the first one in PATH may be another. */
const PYTHONS = ['/usr/bin/python3', 'python3']
const VERSION = ['-c', 'import libtorrent; print(libtorrent.__version__)']

export const libtorrent = clientOf({
  packages: ['python3-libtorrent'],
  can: { dial: true, magnet: true, pex: true, v2: true, encryption: ['off', 'prefer', 'require'] },
  version: () => findPython()?.version,
  start
})

let found = null

/** @returns {{python: string, version: string} | undefined} the first Python that has libtorrent */
export function findPython() {
  found ??= PYTHONS.map((python) => ({ python, version: ask(python, VERSION)?.trim() })).find(
    ({ version }) => version
  )
  return found
}

async function start(t, { peer, pex, encryption, ...transfer }) {
  // Connecting is faster than to wait for a tracker.
  const { port, source } = await prepare(t, transfer)
  const args = [SCRIPT, source, transfer.folder, String(port)]
  if (peer) args.push('--peer', `${peer.host}:${peer.port}`)
  if (pex) args.push('--pex')
  if (encryption) args.push('--encryption', encryption)
  const program = startProgram(t, findPython().python, args)
  return { program, port, isComplete: () => /^complete$/m.test(program.output) }
}
