// Runs deluged, and controls it through deluge-console.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { capture } from '../processes/command.mjs'
import { ask, startProgram } from './program.mjs'
import { clientOf, prepare } from './start.mjs'

export const deluge = clientOf({
  packages: ['deluged', 'deluge-console'],
  can: { dial: true, magnet: true, encryption: ['off', 'prefer', 'require'] },

  version() {
    if (!ask('deluge-console', ['--version'])) return undefined
    return /deluged (\S+)/.exec(ask('deluged', ['--version']) ?? '')?.[1]
  },
  start
})

async function start(t, { folder, encryption, ...transfer }) {
  const { state, port, rpcPort, source } = await prepare(t, transfer)
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(state, 'core.conf'), settings({ folder, port, rpcPort, encryption }))
  await writeFile(path.join(state, 'auth'), `${USER}:${PASSWORD}:10\n`)
  const options = ['--config', state, '--loglevel', 'info', '--ui-interface', '127.0.0.1']
  const program = startProgram(t, 'deluged', [
    '--do-not-daemonize',
    ...options,
    '--port',
    String(rpcPort)
  ])
  await program.listens(rpcPort)
  // Without its daemon deluge-console may wait for ever.
  const end = new AbortController()
  t.teardown(() => end.abort())
  const send = (command) => talk({ state, rpcPort, signal: end.signal }, command)
  await program.until('has the torrent', async () => {
    return /added/i.test(await send(`add --path ${folder} ${source}`))
  })
  return { program, port, isComplete: async () => /State: Seeding/.test(await send('info -v')) }
}

const USER = 'localclient'
const PASSWORD = 'of-test'

async function talk({ state, rpcPort, signal }, command) {
  const login = ['--daemon', '127.0.0.1', '--port', String(rpcPort)]
  const account = ['--username', USER, '--password', PASSWORD]
  const args = ['--config', state, ...login, ...account, command]
  const { output } = await capture('deluge-console', args, { signal, killSignal: 'SIGKILL' })
  return output
}

const POLICY = { off: 2, prefer: 1, require: 0 }
const FULL_STREAM = 1 // RC4, not only the exchange

/** The file has two objects; the first gives the version of the format. */
function settings({ folder, port, rpcPort, encryption = 'off' }) {
  return (
    JSON.stringify({ file: 1, format: 1 }) +
    JSON.stringify({
      allow_remote: false,
      daemon_port: rpcPort,
      dht: false,
      download_location: folder,
      enc_in_policy: POLICY[encryption],
      enc_out_policy: POLICY[encryption],
      enc_level: FULL_STREAM,
      listen_interface: '127.0.0.1',
      listen_ports: [port, port],
      listen_use_sys_port: false,
      lsd: false,
      natpmp: false,
      new_release_check: false,
      outgoing_interface: '127.0.0.1',
      random_port: false,
      send_info: false,
      upnp: false,
      utpex: false
    })
  )
}
