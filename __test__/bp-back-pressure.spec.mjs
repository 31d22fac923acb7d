// Requests that are held back while a reader is slow are all delivered once it reads, whatever way it reads.
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'

import test from 'ava'

import { settled } from '../testkit/wires.mjs'
import { blockOf } from '../testkit/frames.mjs'

const Wire = createRequire(import.meta.url)('../bittorrent-protocol.js')

const [INFO_HASH, PEER_ID] = [Buffer.alloc(20, 1), Buffer.alloc(20, 2)]

/** Below the high-water mark of a stream, and above. */
const LENGTHS = [1_000, 5_000, 16_384]

/** Half as much again as a peer that does not read can make us queue; and not more requests than a wire keeps. */
const TOTAL = 1.5 * 1024 * 1024

/** A wire that serves, and the one of its peer; what it sends after that goes nowhere. */
const connected = async (t, level) => {
  const wire = new Wire('tcpIncoming', level)
  const peer = new Wire('tcpOutgoing', level)
  t.teardown(() => wire.destroy())
  t.teardown(() => peer.destroy())
  const give = (chunk) => peer.write(chunk)
  wire.on('data', give)
  peer.on('data', (chunk) => wire.write(chunk))
  const hex = INFO_HASH.toString('hex')
  wire.once('crypto-infohash', () => wire.setInfoHash(hex))
  peer.once('crypto-handshake', () => peer.handshake(INFO_HASH, PEER_ID, { fast: true }))
  if (level > 0) peer.startEncryption(hex)
  else peer.handshake(INFO_HASH, PEER_ID, { fast: true })
  await once(wire, 'handshake')
  wire.handshake(INFO_HASH, PEER_ID, { fast: true })
  wire.unchoke()
  await once(peer, 'unchoke')
  wire.off('data', give)
  wire.pause()
  return { wire, peer, delivered: serveAll(wire) }
}

/** As stores do it: later, and many at the same time. */
const serveAll = (wire) => {
  const delivered = []
  let waiting = []
  wire.on('request', (piece, offset, length, respond) => {
    delivered.push(piece)
    waiting.push(() => respond(null, blockOf(piece, length)))
    if (waiting.length === 1) setImmediate(answerAll)
  })
  return delivered

  function answerAll() {
    const answers = waiting
    waiting = []
    for (const answer of answers) answer()
  }
}

const askAll = (peer, length) => {
  const count = Math.ceil(TOTAL / length)
  for (let piece = 0; piece < count; piece++) peer.request(piece, 0, length)
  return count
}

const READERS = {
  'by data events, paused now and then': (wire, onBytes) => {
    wire.on('data', (chunk) => {
      onBytes(chunk.length)
      wire.pause()
      setImmediate(() => wire.resume())
    })
    wire.resume()
  },
  'by readable events': (wire, onBytes) => {
    wire.on('readable', () => {
      for (let chunk = wire.read(); chunk !== null; chunk = wire.read()) onBytes(chunk.length)
    })
  },
  'by a pipe into a slow stream': (wire, onBytes) => {
    const write = (chunk, encoding, done) => {
      onBytes(chunk.length)
      setImmediate(done)
    }
    wire.pipe(new PassThrough()).pipe(new Writable({ highWaterMark: 1, write }))
  },
  'by a loop': async (wire, onBytes) => {
    for await (const chunk of wire) {
      onBytes(chunk.length)
      await settled()
    }
  }
}

/** Settles when so many bytes of blocks were read. */
const readAll = (wire, read, total) =>
  new Promise((resolve) => {
    let bytes = 0
    read(wire, (length) => {
      bytes += length
      if (bytes > total) resolve()
    })
  })

for (const [name, read] of Object.entries(READERS)) {
  for (const level of [0, 2]) {
    for (const length of LENGTHS) {
      const what = `${length} bytes each at level ${level} to a wire that is read ${name}`

      test(`all requests are delivered, ${what}`, async (t) => {
        const { wire, peer, delivered } = await connected(t, level)
        const isRead = readAll(wire, read, Math.ceil(TOTAL / length) * length)
        const count = askAll(peer, length)
        await isRead
        t.is(delivered.length, count)
      })

      test(`requests that were held back follow, ${what}`, async (t) => {
        const { wire, peer, delivered } = await connected(t, level)
        const count = askAll(peer, length)
        await settled()
        await settled()
        t.true(delivered.length < count, 'nothing was held back')
        await readAll(wire, read, count * length)
        t.is(delivered.length, count)
      })
    }
  }
}
