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
  --rate size    let no more than this arrive in a second, such as 5MiB
  --native       transfer it once more by native sockets, and compare what both cost`

/** One run in a temporary folder. */
class Demo {
  #children = []

  constructor(folder, signal) {
    this.folder = folder
    this.signal = signal
    signal.addEventListener('abort', () => this.#children.forEach((child) => child.disconnect()))
  }

  async run(source, { size, data, native, ...options }) {
    source ??= await this.#generate(parseSize(size))
    const isTorrent = source.endsWith('.torrent')
    const torrentPath = isTorrent ? source : await this.#makeTorrent(source)
    const folder = isTorrent && data ? data : path.dirname(path.resolve(source))
    const torrent = await readTorrent(torrentPath)
    console.log(`Torrent ${torrent.infoHash}: ${describe(torrent)}`)
    const task = { torrent, torrentPath, folder, ...options }
    const stream = await this.#transfer(task, 'net.Socket', [])
    if (native) compareCosts(torrent, stream, await this.#transfer(task, 'native', ['--native']))
  }

  /** @returns {Promise<{seed: object, leech: object}>} what the transfer has cost each of both */
  async #transfer({ torrent, torrentPath, folder, rate }, name, args) {
    const copy = this.#path(`copy by ${name}`)
    const seed = this.#start('seed.js', [torrentPath, '--data', folder, ...args])
    const [, seedPort] = await seed.prints(/^\w{40} at .*:(\d+)$/m)
    console.log(`Seeder ${seed.pid} listens on ${seedPort}`)
    const port = rate ? await openSlowLink(seedPort, parseSize(rate), this.signal) : seedPort
    const left = seed.expect('closed')
    const leechArgs = [torrentPath, `127.0.0.1:${port}`, copy, ...args]
    const costs = { leech: await this.#download(torrent, port, leechArgs), seed: await left }
    await seed.stop()

    await compare(torrent, folder, copy, this.signal)
    summarize(torrent, costs)
    return costs
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

  async #download(torrent, port, args) {
    const leech = this.#start('leech.js', args)
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

function summarize({ length, files }, { seed, leech }) {
  const { seconds } = leech
  console.log(`${length} bytes in ${seconds.toFixed(2)} s, ${formatBytes(length / seconds)}/s`)
  console.log(`Seeder:  ${perGb(seed.cpu, length)} CPU seconds per GB`)
  console.log(`Leecher: ${perGb(leech.cpu, length)} CPU seconds per GB, with SHA-1 and writing`)
  console.log(`Compared with the source by SHA-256: ${count(files)} without a difference`)
}

const line = (...cells) =>
  cells
    .map((cell) => cell.padEnd(24))
    .join('')
    .trimEnd()

/** Both figures side by side. */
function compareCosts({ length }, stream, native) {
  console.log(`\n${line('Seconds per GB', 'net.Socket', 'native')}`)
  for (const [role, name] of Object.entries({ seed: 'Seeder', leech: 'Leecher' })) {
    for (const [key, what] of Object.entries({ cpu: 'CPU', loop: 'event loop' })) {
      const costs = [stream, native].map((ends) => perGb(ends[role][key], length))
      console.log(line(`${name}, ${what}`, ...costs))
    }
  }
}

/** A dash where it could not be measured. */
function perGb(seconds, length) {
  // IPC passes NaN as null.
  return seconds === null ? '–' : (seconds / (length / 1e9)).toFixed(2)
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
  native: { type: 'boolean', default: false },
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
