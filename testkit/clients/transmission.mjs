// Runs transmission-daemon on the loopback interface only, and talks to it over its RPC.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from './ports.mjs'

/** @returns {boolean} whether there is a daemon to start */
export const isInstalled = () => spawnSync('transmission-daemon', ['--version']).error === undefined

/**
 * @param {import('ava').ExecutionContext} t the daemon is stopped at its end
 * @param {string} folder for settings and downloads
 * @returns {Promise<Transmission>}
 */
export async function startTransmission(t, folder) {
  const [rpcPort, peerPort] = await freePorts(2)
  await mkdir(path.join(folder, 'config'), { recursive: true })
  await writeFile(path.join(folder, 'config', 'settings.json'), settings(folder, rpcPort, peerPort))
  const args = ['--foreground', '--config-dir', path.join(folder, 'config')]
  const daemon = spawn('transmission-daemon', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const transmission = new Transmission(daemon, rpcPort, peerPort)
  t.teardown(() => transmission.stop())
  await transmission.ready()
  return transmission
}

class Transmission {
  #daemon
  #url
  #sessionId = ''
  #ended
  #log = ''

  constructor(daemon, rpcPort, peerPort) {
    this.#daemon = daemon
    this.#url = `http://127.0.0.1:${rpcPort}/transmission/rpc`
    this.peerPort = peerPort
    daemon.stderr.setEncoding('utf8').on('data', (text) => (this.#log += text))
    this.#ended = once(daemon, 'close').then(() => (this.isGone = true))
    this.#ended.catch((error) => (this.isGone = error))
  }

  /** Adds a torrent; data that lies in `folder` already is checked and then seeded. */
  async add(torrent, folder) {
    const metainfo = torrent.toString('base64')
    const answer = await this.#call('torrent-add', { metainfo, 'download-dir': folder })
    return answer['torrent-added'].id
  }

  /** Settles when the torrent has one of these states: 4 is downloading, 6 is seeding. */
  async reaches(id, ...states) {
    const fields = ['status', 'leftUntilDone', 'errorString']
    const { torrents } = await this.#call('torrent-get', { ids: [id], fields })
    const [{ status, leftUntilDone, errorString }] = torrents
    if (errorString) throw new Error(`transmission: ${errorString}`)
    // "Seeding" comes a moment before the last piece is on disk.
    if (states.includes(status) && (status !== SEEDING || leftUntilDone === 0)) return
    await sleep(POLL)
    await this.reaches(id, ...states)
  }

  /** Settles when the daemon answers. */
  async ready() {
    if (this.isGone) throw this.#failure()
    try {
      await this.#call('session-get', {})
    } catch (error) {
      if (error.cause?.code !== 'ECONNREFUSED') throw error
      await sleep(POLL)
      await this.ready()
    }
  }

  #failure() {
    if (this.isGone.code !== 'ENOENT') return new Error(`transmission-daemon ended: ${this.#log}`)
    return new Error('transmission-daemon is not installed: apt-get install transmission-daemon')
  }

  async #call(method, args) {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { [SESSION]: this.#sessionId },
      body: JSON.stringify({ method, arguments: args })
    })
    if (response.status === 409) {
      this.#sessionId = response.headers.get(SESSION)
      return this.#call(method, args)
    }
    const { result, arguments: answer } = await response.json()
    if (result !== 'success') throw new Error(`transmission: ${method}: ${result}`)
    return answer
  }

  async stop() {
    this.#daemon.kill('SIGKILL')
    await this.#ended.catch(() => {})
  }
}

const SEEDING = 6
const SESSION = 'X-Transmission-Session-Id'
const POLL = 50 // ms; the RPC has no way to wait for something

/** Nothing but TCP on loopback: no DHT, no local discovery, no uTP, no port mapping. */
function settings(folder, rpcPort, peerPort) {
  return JSON.stringify({
    'bind-address-ipv4': '127.0.0.1',
    'bind-address-ipv6': '::1',
    'blocklist-enabled': false,
    'dht-enabled': false,
    'download-dir': folder,
    'lpd-enabled': false,
    'peer-port': peerPort,
    'peer-port-random-on-start': false,
    'pex-enabled': false,
    'port-forwarding-enabled': false,
    'rpc-authentication-required': false,
    'rpc-bind-address': '127.0.0.1',
    'rpc-enabled': true,
    'rpc-port': rpcPort,
    'rpc-whitelist-enabled': false,
    'rpc-host-whitelist-enabled': false,
    'utp-enabled': false,
    // Clear text both ways; incoming connections may choose it anyhow.
    encryption: 0
  })
}
