#!/usr/bin/env node
// Shows the package at work: one process seeds files, another downloads them over TCP.
'use strict'

const { mkdtemp, rm } = require('node:fs/promises')
const os = require('node:os')
const path = require('node:path')
const { Child } = require('./lib/child')
const { compare } = require('./lib/compare')
const { createProgress } = require('./lib/progress')
const { writeSample } = require('./lib/sample')
const { run } = require('./lib/script')
const { formatBytes, parseSize } = require('./lib/size')
const { readTorrentFile } = require('./lib/torrent-file')

const HELP = `Usage: npm run demo -- [file|folder|file.torrent] [options]

Seeds the file, the folder or generated data in one process, downloads it in another one, and
compares the result with the source. Everything that it writes is removed at the end.

  --size size    how much data to generate (default: 256MiB)
  --data folder  where the data of a given .torrent lies (default: next to it)
  --rate size    let the seeder send no more than this in a second, such as 5MiB`

/** One run in a temporary folder. */
class Demo {
  #children = []

  constructor(folder, signal) {
    this.folder = folder
    this.signal = signal
    signal.addEventListener('abort', () => this.#children.forEach((child) => child.disconnect()))
  }

  async run(source, { size, data, rate }) {
    source ??= await this.#generate(parseSize(size))
    const seed = this.#start('seed.js', [source, ...this.#seedOptions(data, rate)])
    const { torrentPath, folder, port, infoHash } = await seed.expect('listening')
    const torrent = await readTorrentFile(torrentPath)
    console.log(`Seeder ${seed.pid} offers ${infoHash}: ${describe(torrent)}`)

    const left = seed.expect('left')
    const done = await this.#download(torrent, torrentPath, port)
    const { cpu } = await left
    await seed.finish()

    await compare(torrent, folder, this.#path('copy'), this.signal)
    summarize(torrent, done, cpu)
  }

  async #generate(size) {
    console.log(`Generating ${formatBytes(size)}`)
    const source = this.#path('sample')
    await writeSample(source, size, this.signal)
    return source
  }

  #seedOptions(data, rate) {
    const options = ['--torrent', this.#path('demo.torrent')]
    if (data) options.push('--data', data)
    if (rate) options.push('--rate', rate)
    return options
  }

  async #download(torrent, torrentPath, port) {
    const args = [torrentPath, `127.0.0.1:${port}`, '--out', this.#path('copy')]
    const leech = this.#start('leech.js', args)
    console.log(`Leecher ${leech.pid} downloads from 127.0.0.1:${port}`)
    const progress = createProgress(torrent.length)
    leech.on('progress', ({ bytes, speed }) => progress.update(bytes, speed))
    try {
      const done = await leech.expect('done')
      await leech.finish()
      return done
    } finally {
      progress.stop()
    }
  }

  #start(script, args) {
    this.signal.throwIfAborted()
    const child = new Child(script, args)
    this.#children.push(child)
    return child
  }

  #path(name) {
    return path.join(this.folder, name)
  }

  /** Waits until both processes have ended, so that nothing uses the folder when it is removed. */
  async clean() {
    await Promise.allSettled(this.#children.map((child) => child.stop()))
    await rm(this.folder, { recursive: true, force: true })
  }
}

function describe({ length, files, pieceCount, pieceLength }) {
  const pieces = `${pieceCount} pieces of ${pieceLength / 1024} KiB`
  return `${formatBytes(length)} in ${count(files)}, ${pieces}`
}

function count({ length }) {
  return length === 1 ? '1 file' : `${length} files`
}

function summarize({ length, files }, { seconds, cpu }, seedCpu) {
  const perGb = (cpuSeconds) => `${(cpuSeconds / (length / 1e9)).toFixed(2)} CPU seconds per GB`
  console.log(`${length} bytes in ${seconds.toFixed(2)} s, ${formatBytes(length / seconds)}/s`)
  console.log(`Seeder:  ${perGb(seedCpu)}`)
  console.log(`Leecher: ${perGb(cpu)}, with SHA-1 and writing`)
  console.log(`Compared with the source by SHA-256: ${count(files)} without a difference`)
}

async function main(values, [source], signal) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'peer-wire-demo-'))
  const demo = new Demo(folder, signal)
  try {
    await demo.run(source, values)
  } finally {
    await demo.clean()
  }
}

const options = {
  size: { type: 'string', default: '256MiB' },
  data: { type: 'string' },
  rate: { type: 'string' }
}
run({ help: HELP, options, positionals: [0, 1] }, main)
