#!/usr/bin/env node
// Shows the package at work: one process seeds files, another downloads them over TCP.
'use strict'

const { once } = require('node:events')
const { mkdtemp, readFile, rm, writeFile } = require('node:fs/promises')
const os = require('node:os')
const path = require('node:path')
const { parseArgs, promisify } = require('node:util')
const { Child } = require('./lib/child')
const { compare } = require('./lib/compare')
const { createProgress } = require('./lib/progress')
const { writeSample } = require('./lib/sample')
const { formatBytes, parseSize } = require('./lib/size')
const { openSlowLink } = require('./lib/slow-link')

const HELP = `Usage: npm run demo -- [file|folder|file.torrent] [options]

Seeds the file, the folder or generated data in one process, downloads it in another one, and
compares the result with the source. Everything that it writes is removed at the end.

  --size size    how much data to generate (default: 256MiB)
  --data folder  where the data of a given .torrent lies (default: next to it)
  --rate size    let no more than this arrive in a second, such as 5MiB`

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
    const isTorrent = source.endsWith('.torrent')
    const torrentPath = isTorrent ? source : await this.#makeTorrent(source)
    const folder = isTorrent && data ? data : path.dirname(path.resolve(source))
    const seed = this.#start('seed.js', [torrentPath, '--data', folder])
    const [, infoHash, seedPort] = await seed.prints(/^(\w{40}) at .*:(\d+)$/m)
    const torrent = await readTorrent(torrentPath)
    console.log(`Seeder ${seed.pid} offers ${infoHash}: ${describe(torrent)}`)

    const port = rate ? await openSlowLink(seedPort, parseSize(rate), this.signal) : seedPort
    const left = seed.expect('closed')
    const done = await this.#download(torrent, torrentPath, port)
    const { cpu } = await left
    await seed.stop()

    await compare(torrent, folder, this.#path('copy'), this.signal)
    summarize(torrent, done, cpu)
  }

  async #generate(size) {
    console.log(`Generating ${formatBytes(size)}`)
    const source = this.#path('sample')
    await writeSample(source, size, this.signal)
    return source
  }

  /** The torrent of a file or folder. Hidden files are left out. */
  async #makeTorrent(source) {
    const { default: createTorrent } = await import('create-torrent')
    // An empty list; without one the library adds public trackers.
    const creation = promisify(createTorrent)(path.resolve(source), { announceList: [] })
    // The library cannot be stopped, but the demo need not wait for it.
    const torrent = await Promise.race([creation, once(this.signal, 'abort')])
    this.signal.throwIfAborted()
    await writeFile(this.#path('demo.torrent'), torrent)
    return this.#path('demo.torrent')
  }

  async #download(torrent, torrentPath, port) {
    const leech = this.#start('leech.js', [torrentPath, `127.0.0.1:${port}`, this.#path('copy')])
    console.log(`Leecher ${leech.pid} downloads from 127.0.0.1:${port}`)
    const progress = createProgress(torrent.length)
    leech.on('progress', ({ bytes, speed }) => progress.update(bytes, speed))
    try {
      const done = await leech.expect('closed')
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

async function readTorrent(torrentPath) {
  const { default: parseTorrent } = await import('parse-torrent')
  return parseTorrent(await readFile(torrentPath))
}

function describe({ length, files, pieces: { length: pieceCount }, pieceLength }) {
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

/** Aborted by Ctrl-C and the like, which set the exit code as a shell would. */
function stopSignal() {
  const controller = new AbortController()
  // Kept until the end: under npm Ctrl-C arrives twice and must not interrupt the cleanup.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      process.exitCode ??= 128 + os.constants.signals[name]
      controller.abort()
    })
  }
  return controller.signal
}

async function main(signal) {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  if (values.help) return console.log(HELP)
  if (positionals.length > 1) throw new Error(HELP)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'peer-wire-demo-'))
  const demo = new Demo(folder, signal)
  try {
    await demo.run(positionals[0], values)
  } finally {
    await demo.clean()
  }
}

const OPTIONS = {
  size: { type: 'string', default: '256MiB' },
  data: { type: 'string' },
  rate: { type: 'string' },
  help: { type: 'boolean', short: 'h' }
}

const signal = stopSignal()
main(signal).then(
  // Pending work, such as hashing, ends with the process.
  () => process.exit(),
  (error) => {
    if (!signal.aborted) console.error(`demo.js: ${error.message}`)
    process.exit(process.exitCode ?? 1)
  }
)
