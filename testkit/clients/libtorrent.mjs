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
  dials: true,
  version: () => findPython()?.version,
  start
})

function findPython() {
  return PYTHONS.map((python) => ({ python, version: ask(python, VERSION)?.trim() })).find(
    ({ version }) => version
  )
}

async function start(t, { torrent, folder, peer, pex }) {
  const { port, torrentPath } = await prepare(t, { torrent })
  const address = peer ? [`${peer.host}:${peer.port}`] : []
  const options = pex ? ['--pex'] : []
  const args = [SCRIPT, torrentPath, folder, String(port), ...address, ...options]
  const program = startProgram(t, findPython().python, args)
  return { program, port, isComplete: () => /^complete$/m.test(program.output) }
}
