// Runs transmission-daemon, and controls it over its RPC.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ask, startProgram, whenListening } from './program.mjs'
import { clientOf, prepare } from './start.mjs'

export const transmission = clientOf({
  packages: ['transmission-daemon'],
  // It has no command to connect to an address, and ignores loopback addresses from trackers and peers.
  can: { magnet: true, pex: true, encryption: ['prefer', 'require'] },
  isIdle: true, // it decides whom to unchoke every 10 s
  version: () => /daemon (\S+)/.exec(ask('transmission-daemon', ['--version']) ?? '')?.[1],
  // Not probed: after a connection that only looks whether it listens, it closes the next one.
  whenSeeding: () => {},
  whenLeeching: ({ program, rpc }) =>
    program.until('downloads', () => hasReached(rpc, DOWNLOADING)),
  start
})

const DOWNLOADING = 4
const SEEDING = 6

async function start(t, { folder, pex, encryption, ...transfer }) {
  const { state, port, rpcPort, source } = await prepare(t, transfer)
  await mkdir(folder, { recursive: true })
  await writeFile(
    path.join(state, 'settings.json'),
    settings({ folder, rpcPort, port, pex, encryption })
  )
  const args = ['--foreground', '--config-dir', state]
  const program = startProgram(t, 'transmission-daemon', args)
  const rpc = new Rpc(rpcPort)
  await program.until('answers', () => whenListening(() => rpc.call('session-get', {})))

  // Data already in the folder is checked and then seeded.
  await rpc.call('torrent-add', { filename: source, 'download-dir': folder })
  return { program, port, rpc, isComplete: () => hasReached(rpc, SEEDING) }
}

async function hasReached(rpc, wanted) {
  const fields = ['status', 'leftUntilDone', 'errorString']
  const { torrents } = await rpc.call('torrent-get', { fields })
  const [{ status, leftUntilDone, errorString }] = torrents
  if (errorString) throw new Error(`transmission: ${errorString}`)
  // "Seeding" is reported a moment before the last piece is on disk.
  return status === wanted && (status !== SEEDING || leftUntilDone === 0)
}

const SESSION = 'X-Transmission-Session-Id'

class Rpc {
  #url
  #sessionId = ''

  constructor(port) {
    this.#url = `http://127.0.0.1:${port}/transmission/rpc`
  }

  async call(method, args) {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { [SESSION]: this.#sessionId },
      body: JSON.stringify({ method, arguments: args })
    })
    if (response.status === 409) {
      this.#sessionId = response.headers.get(SESSION)
      return this.call(method, args)
    }
    const { result, arguments: answer } = await response.json()
    if (result !== 'success') throw new Error(`transmission: ${method}: ${result}`)
    return answer
  }
}

/** Prefers clear text, prefers encryption, requires it. */
const ENCRYPTION = { off: 0, prefer: 1, require: 2 }

/** Only TCP on loopback: no DHT, no local discovery, no uTP, no port mapping. */
function settings({ folder, rpcPort, port, pex = false, encryption = 'off' }) {
  return JSON.stringify({
    'bind-address-ipv4': '127.0.0.1',
    'bind-address-ipv6': '::1',
    'blocklist-enabled': false,
    'dht-enabled': false,
    'download-dir': folder,
    'lpd-enabled': false,
    'peer-port': port,
    'peer-port-random-on-start': false,
    'pex-enabled': pex,
    'port-forwarding-enabled': false,
    'rpc-authentication-required': false,
    'rpc-bind-address': '127.0.0.1',
    'rpc-enabled': true,
    'rpc-port': rpcPort,
    'rpc-whitelist-enabled': false,
    'rpc-host-whitelist-enabled': false,
    'utp-enabled': false,
    encryption: ENCRYPTION[encryption]
  })
}
