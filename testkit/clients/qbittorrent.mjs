// Runs qbittorrent-nox, and controls it through its web interface.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ask, startProgram, whenListening } from './program.mjs'
import { answers, clientOf, prepare } from './start.mjs'

export const qbittorrent = clientOf({
  packages: ['qbittorrent-nox'],
  can: { dial: true, magnet: true, encryption: ['off', 'prefer', 'require'] },
  version: () => /v(\S+)/.exec(ask('qbittorrent-nox', ['--version']) ?? '')?.[1],
  // It reports that it seeds a moment before it accepts peers: until then it closes connections without a
  // handshake.
  whenSeeding: answers,
  start
})

async function start(t, transfer) {
  const { state, port, rpcPort, source } = await prepare(t, transfer)
  const config = path.join(state, 'qBittorrent', 'config')
  await mkdir(config, { recursive: true })
  await writeFile(
    path.join(config, 'qBittorrent.conf'),
    settings(port, rpcPort, transfer.encryption)
  )
  const args = [`--profile=${state}`, `--webui-port=${rpcPort}`]
  const program = startProgram(t, 'qbittorrent-nox', args)
  const url = `http://127.0.0.1:${rpcPort}/api/v2`

  await program.until('answers', () => whenListening(() => get(`${url}/app/version`)))
  await add(url, source, transfer.folder)
  const isComplete = async () => {
    const [status] = JSON.parse(await get(`${url}/torrents/info`))
    return status?.amount_left === 0 && SEEDING.has(status.state)
  }
  return { program, port, isComplete }
}

const SEEDING = new Set(['uploading', 'stalledUP', 'forcedUP'])

async function add(url, source, folder) {
  const form = new FormData()
  if (source.startsWith('magnet:')) form.set('urls', source)
  else form.set('torrents', new Blob([await readFile(source)]), 'of-test.torrent')
  form.set('savepath', folder)
  const response = await fetch(`${url}/torrents/add`, { method: 'POST', body: form })
  const answer = await response.text()
  if (answer !== 'Ok.') throw new Error(`qbittorrent: ${response.status} ${answer}`)
}

async function get(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`qbittorrent: ${response.status} for ${url}`)
  return response.text()
}

const ENCRYPTION = { off: 2, prefer: 0, require: 1 }

const settings = (port, rpcPort, encryption = 'off') => `
[LegalNotice]
Accepted=true

[BitTorrent]
Session\\BTProtocol=TCP
Session\\DHTEnabled=false
Session\\Encryption=${ENCRYPTION[encryption]}
Session\\Interface=lo
Session\\InterfaceAddress=127.0.0.1
Session\\InterfaceName=lo
Session\\LSDEnabled=false
Session\\MultiConnectionsPerIp=true
Session\\PeXEnabled=false
Session\\Port=${port}
Session\\QueueingSystemEnabled=false

[Network]
PortForwardingEnabled=false

[Preferences]
Connection\\ResolvePeerCountries=false
General\\Locale=en
WebUI\\Address=127.0.0.1
WebUI\\LocalHostAuth=false
WebUI\\Port=${rpcPort}
WebUI\\UseUPnP=false
`
