// Runs aria2c, and queries its progress over JSON-RPC. Its first connection to a peer is always encrypted,
// whatever the settings; if that fails, it connects in plain text.
import { ask, startProgram, whenListening } from './program.mjs'
import { clientOf, prepare } from './start.mjs'

export const aria2 = clientOf({
  packages: ['aria2'],
  can: { dial: true, magnet: true, encryption: ['prefer', 'require'] },
  version: () => /version (\S+)/.exec(ask('aria2c', ['--version']) ?? '')?.[1],
  start
})

async function start(t, transfer) {
  const { port, rpcPort, source } = await prepare(t, transfer)
  const program = startProgram(t, 'aria2c', [
    ...FLAGS,
    ...ENCRYPTION[transfer.encryption ?? 'off'],
    `--dir=${transfer.folder}`,
    `--listen-port=${port}`,
    `--rpc-listen-port=${rpcPort}`,
    source
  ])
  const isComplete = () => whenListening(async () => (await active(rpcPort))[0]?.seeder === 'true')
  return { program, port, isComplete }
}

const FLAGS = [
  '--no-conf',
  '--interface=127.0.0.1',
  '--disable-ipv6',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--bt-enable-lpd=false',
  '--enable-peer-exchange=false',
  // Existing data is checked, then seeded without end.
  '--check-integrity=true',
  '--seed-ratio=0.0',
  '--file-allocation=none',
  '--enable-rpc',
  '--rpc-listen-all=false'
]

const WITH_PLAIN = ['--bt-require-crypto=false', '--bt-min-crypto-level=plain']

const ENCRYPTION = {
  off: WITH_PLAIN,
  prefer: WITH_PLAIN,
  // Requires the exchange, and RC4 after it.
  require: ['--bt-require-crypto=true', '--bt-min-crypto-level=arc4']
}

async function active(rpcPort) {
  const response = await fetch(`http://127.0.0.1:${rpcPort}/jsonrpc`, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'aria2.tellActive', params: [] })
  })
  const { result, error } = await response.json()
  if (error) throw new Error(`aria2: ${error.message}`)
  return result
}
