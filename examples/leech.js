#!/usr/bin/env node
// Downloads a torrent from one peer: asks for blocks, checks each piece, writes the files.
'use strict'

const net = require('node:net')
const { createPeerId, openWire, parseAddress } = require('./lib/connection')
const { DownloadPlan } = require('./lib/download-plan')
const { watchProgress } = require('./lib/progress')
const { cpuSince, report, run } = require('./lib/script')
const { formatBytes } = require('./lib/size')
const { Storage } = require('./lib/storage')
const { readTorrentFile } = require('./lib/torrent-file')

const HELP = `Usage: leech.js <file.torrent> <host:port> [--out folder]

Downloads the torrent from the peer at host:port into the folder (default: the current one).`

const MAX_REQUESTS = 128 // 2 MiB in flight, so that the peer never waits for our next request
const MAX_WRITES = 8 // pieces; a disk slower than the peer must not fill the memory
const REQUEST_TIMEOUT = 30_000 // ms

/** One download from one peer. */
class Download {
  written = 0 // bytes
  failure = null
  #writes = 0

  constructor(torrent, storage, address, signal) {
    this.torrent = torrent
    this.storage = storage
    this.plan = new DownloadPlan(torrent)
    this.socket = net.connect(address)
    this.wire = openWire(this.socket, { pieces: torrent.pieceCount, signal })
  }

  /** Settles when every piece is on disk, or rejects with the reason why not. */
  run() {
    const { socket, wire, torrent } = this
    wire.handshake(torrent.infoHash, createPeerId())
    wire.on('handshake', (infoHash) => {
      if (!infoHash.equals(torrent.infoHash)) this.#fail(new Error('the peer has another torrent'))
    })
    wire.on('bitfield', () => this.#ask())
    wire.on('have', () => this.#ask())
    wire.on('unchoke', () => this.#ask())
    wire.setTimeout(REQUEST_TIMEOUT, () => this.#fail(new Error('the peer does not answer')))

    return new Promise((resolve, reject) => {
      socket.on('close', () => {
        if (this.written === torrent.length) return resolve()
        const reason = this.failure ?? wire.error ?? socket.errored
        reject(reason ?? new Error('the peer closed the connection'))
      })
    })
  }

  /** Keeps the pipeline of requests full. */
  #ask() {
    const { wire, plan } = this
    wire.interested() // sent once; the peer answers with 'unchoke' when it lets us ask
    while (wire.writable && !wire.peerChoking && this.#writes < MAX_WRITES) {
      const block = wire.requests.length < MAX_REQUESTS && plan.take(wire.peerPieces)
      if (!block) return
      wire.request(block.piece, block.offset, block.length, (error, bytes) => {
        this.#onblock(block, error, bytes)
      })
    }
  }

  #onblock(block, error, bytes) {
    // The peer choked us (the next 'unchoke' resumes the requests), or the wire closed.
    if (error) return this.plan.putBack(block)
    const piece = this.plan.add(block, bytes)
    if (piece) this.#save(block.piece, piece).catch((reason) => this.#fail(reason))
    this.#ask()
  }

  async #save(piece, bytes) {
    if (!this.torrent.isGenuine(piece, bytes)) throw new Error(`piece ${piece} has a wrong SHA-1`)
    this.#writes++
    await this.storage.write(this.torrent.position(piece, 0), bytes)
    this.#writes--
    this.written += bytes.length
    if (this.written === this.torrent.length) this.wire.destroy()
    else this.#ask()
  }

  #fail(reason) {
    this.failure ??= reason
    this.wire.destroy()
  }
}

async function main({ out }, [torrentPath, address], signal) {
  const torrent = await readTorrentFile(torrentPath)
  const peer = parseAddress(address)
  const start = { cpu: process.cpuUsage(), time: performance.now() }
  await Storage.fill(torrent, out, async (storage) => {
    const download = new Download(torrent, storage, peer, signal)
    const stopWatching = watchProgress(torrent.length, () => {
      return { bytes: download.written, speed: download.wire.downloadSpeed() }
    })
    await download.run().finally(stopWatching)
  })
  const seconds = (performance.now() - start.time) / 1000
  const text = `${torrent.name}: ${formatBytes(torrent.length)} in ${seconds.toFixed(1)} s`
  report('done', { bytes: torrent.length, seconds, cpu: cpuSince(start.cpu) }, text)
}

const options = { out: { type: 'string', default: '.' } }
run({ help: HELP, options, positionals: [2, 2] }, main)
