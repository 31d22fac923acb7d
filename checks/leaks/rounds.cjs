// Runs one measurement of checks/leaks.mjs in this process: repeats the same work in rounds, and prints
// what the process holds after each. Needs --expose-gc.
'use strict'

const { once } = require('node:events')
const { setImmediate: turn, setTimeout: pause } = require('node:timers/promises')
const { Worker } = require('node:worker_threads')
const { Exchanges } = require('./exchanges.cjs')

const [, , name, library, rounds, count] = process.argv
const pwp = require(library)

/** Wires between two turns of the event loop. */
const BATCH = 500

/** Key exchanges at a time. */
const EXCHANGES = 50

const BUSY_WORKER = require.resolve('../../testkit/workers/busy-worker.cjs')
const NATIVE_WORKER = require.resolve('../../testkit/workers/native-worker.cjs')
const BUSY_WIRES = 50

const ID = Buffer.alloc(20, 1)
const REQUEST = [0, 0, 16 * 1024]
const PEER_BYTES = greet(pwp())

/** One in so many wires uses the fast extension and the extension protocol. */
const FEATURED = 3

const WITH_ALL = { fast: true }
const Chat = pwp.makeExtension?.('x_leaks')
const FEATURED_BYTES = Chat && greetWithAll(pwp(), pwp())

/** Kinds of work; each returns the peak memory of the process in bytes, where that matters. */
const WORK = {
  async destroyed() {
    await inBatches((index) => useSome(index).destroy())
  },
  async dropped() {
    await inBatches(useSome)
  },
  async alive() {
    await collect()
    const before = process.memoryUsage.rss()
    const wires = []
    await inBatches(() => wires.push(use()))
    await collect()
    const held = process.memoryUsage.rss() - before
    for (const wire of wires) wire.destroy()
    return held
  },
  async exchanges() {
    const exchanges = new Exchanges(pwp)
    for (let done = 0; done < count; done += EXCHANGES) {
      const batch = Array.from({ length: EXCHANGES }, (_, index) => exchanges.run(done + index))
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all(batch)
    }
  },
  async workers() {
    await Promise.all(Array.from({ length: count }, () => endWorker(BUSY_WORKER)))
  },
  /** Connections that exchange a block, are refused by the server, or fail, and a server for each batch. */
  async native() {
    for (let done = 0; done < count; done += NATIVE_BATCH) {
      // oxlint-disable-next-line no-await-in-loop
      await connectSome(NATIVE_BATCH)
    }
  },
  async 'native-workers'() {
    await Promise.all(Array.from({ length: count }, () => endWorker(NATIVE_WORKER)))
  }
}

/** Native connections at once. */
const NATIVE_BATCH = 50

async function connectSome(connections) {
  let seen = 0
  // Every fifth connection is refused.
  const server = pwp.createServer({ filter: () => ++seen % 5 !== 0 }, (wire) => {
    wire.on('handshake', () => {
      wire.handshake(ID, ID)
      wire.unchoke()
    })
    wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const wires = Array.from({ length: connections }, (_, index) => connectOne(port, index))
  await Promise.all(wires)
  await new Promise((resolve) => server.close(resolve))
}

/** Settles when the wire is closed, in whichever way. Every seventh finds nobody. */
async function connectOne(port, index) {
  const wire = pwp.connect({ host: '127.0.0.1', port: index % 7 === 0 ? 1 : port })
  const closed = new Promise((resolve) => wire.on('close', resolve))
  wire.handshake(ID, ID)
  wire.on('unchoke', () => wire.request(...REQUEST, () => wire.destroy()))
  await closed
}

/** The first messages of a peer: handshake, unchoke, some pieces. */
function greet(peer) {
  peer.handshake(ID, ID)
  peer.unchoke()
  for (let piece = 0; piece < 3; piece++) peer.have(piece)
  return finish(peer)
}

/** The same of a peer with all extensions, which `other` has as well: it allows a piece and rejects. */
function greetWithAll(peer, other) {
  for (const wire of [peer, other]) {
    wire.use(Chat)
    wire.handshake(ID, ID, WITH_ALL)
  }
  peer.write(other.read())
  peer.unchoke()
  peer.haveAll()
  peer.allowedFast(REQUEST[0])
  other.destroy()
  const [piece, offset, length] = REQUEST
  const reject = Buffer.from([0, 0, 0, 13, 16, ...Array(12).fill(0)])
  for (const [place, number] of [piece, offset, length].entries())
    reject.writeUInt32BE(number, 5 + 4 * place)
  const message = Buffer.from([0, 0, 0, 7, 20, 1, ...Buffer.from('3:hey')])
  return [finish(peer), Buffer.concat([message, reject])]
}

function finish(peer) {
  const chunks = []
  for (let chunk = peer.read(); chunk !== null; chunk = peer.read()) chunks.push(chunk)
  peer.destroy()
  return Buffer.concat(chunks)
}

/** Some wires have all extensions. */
function useSome(index) {
  return Chat && index % FEATURED === 0 ? useAll() : use()
}

/** A wire that has received a message of an extension, and whose peer has rejected one of two requests. */
function useAll() {
  const wire = pwp()
  let heard = 0
  wire.use(Chat).on('message', () => {
    heard++
    wire.extended('x_leaks', 'answer')
  })
  wire.handshake(ID, ID, WITH_ALL)
  wire.write(FEATURED_BYTES[0])
  let rejected = 0
  for (let asked = 0; asked < 2; asked++) wire.request(...REQUEST, (error) => error && rejected++)
  wire.write(FEATURED_BYTES[1])
  if (rejected !== 1 || heard !== 1) throw new Error(`${rejected} rejects, ${heard} messages`)
  wire.resume()
  return wire
}

/** A wire that has received all of these and has a request open. */
function use() {
  const wire = pwp()
  wire.handshake(ID, ID)
  wire.interested()
  wire.write(PEER_BYTES)
  wire.request(...REQUEST, () => {})
  wire.resume()
  return wire
}

async function inBatches(step) {
  for (let done = 0; done < count; done++) {
    step(done)
    // oxlint-disable-next-line no-await-in-loop
    if (done % BATCH === 0) await turn()
  }
}

async function endWorker(program) {
  const worker = new Worker(program, { workerData: { wires: BUSY_WIRES, ending: 'terminate' } })
  await once(worker, 'message')
  await worker.terminate()
}

/** Finalizers run after a collection and release objects that only the next one can collect. */
async function collect() {
  for (let i = 0; i < 3; i++) {
    // oxlint-disable-next-line no-await-in-loop
    await pause(5)
    global.gc()
  }
}

async function main() {
  const samples = []
  for (let round = 0; round < rounds; round++) {
    // oxlint-disable no-await-in-loop
    const held = await WORK[name]()
    await collect()
    // oxlint-enable no-await-in-loop
    const { rss, heapUsed, external } = process.memoryUsage()
    samples.push({ rss, heap: heapUsed + external, held })
  }
  console.log(JSON.stringify(samples))
}

main()
