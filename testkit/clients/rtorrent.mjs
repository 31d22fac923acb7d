// Runs rtorrent without a terminal, and queries its progress by XML-RPC over a local socket.
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { infoHashOf } from '../files.mjs'
import { ask, startProgram, whenListening } from './program.mjs'
import { clientOf, prepare } from './start.mjs'

export const rtorrent = clientOf({
  packages: ['rtorrent'],
  can: { dial: true, magnet: true, encryption: ['off', 'prefer', 'require'] },
  version: () => /version (\d[\d.]*\d)/.exec(ask('rtorrent', ['-h']) ?? '')?.[1],
  start
})

async function start(t, transfer) {
  const { state, port, source } = await prepare(t, transfer)
  await mkdir(path.join(state, 'session'))
  await writeFile(path.join(state, 'rc'), settings(state, port, source, transfer))
  const args = ['-n', '-o', `import=${path.join(state, 'rc')}`]
  const program = startProgram(t, 'rtorrent', args, { cwd: state })
  const infoHash = infoHashOf(transfer.torrent).toString('hex').toUpperCase()
  const has = (method) => call(path.join(state, 'rpc'), method, infoHash)
  const isComplete = () =>
    whenListening(async () => (await has('d.complete')) === 1 && (await has('d.is_active')) === 1)
  return { program, port, isComplete }
}

const ENCRYPTION = {
  off: 'none',
  prefer: 'allow_incoming,try_outgoing,enable_retry',
  require: 'allow_incoming,try_outgoing,require,require_rc4'
}

const settings = (state, port, source, { folder, encryption = 'off' }) => `
system.daemon.set = true
network.bind_address.set = 127.0.0.1
network.port_range.set = ${port}-${port}
network.port_random.set = no
dht.mode.set = disable
protocol.pex.set = no
protocol.encryption.set = ${ENCRYPTION[encryption]}
trackers.use_udp.set = no
session.path.set = ${path.join(state, 'session')}
directory.default.set = ${folder}
network.scgi.open_local = ${path.join(state, 'rpc')}
print = loaded
load.start_verbose = ${source}
`

/** @returns {Promise<number | undefined>} undefined until it knows the torrent */
async function call(socketPath, method, infoHash) {
  const param = `<param><value><string>${infoHash}</string></value></param>`
  const body = `<methodCall><methodName>${method}</methodName><params>${param}</params></methodCall>`
  const headers = `CONTENT_LENGTH\0${body.length}\0SCGI\x001\0`
  const socket = net.connect(socketPath)
  await once(socket, 'connect')
  socket.end(`${headers.length}:${headers},${body}`)
  const chunks = await socket.setEncoding('utf8').toArray()
  const value = /<i[48]>(-?\d+)<\/i[48]>/.exec(chunks.join(''))
  return value && !chunks.join('').includes('<fault>') ? Number(value[1]) : undefined
}
