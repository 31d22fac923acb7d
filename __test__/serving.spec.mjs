// Honest peers with many requests under the default options: each request is served, however slow the
// connection is, and two sides that both request and answer never deadlock.
import { once } from 'node:events'
import net from 'node:net'
import { PassThrough, Transform } from 'node:stream'

import test from 'ava'

import { blockAt } from '../testkit/blocks.mjs'
import { pwp } from '../testkit/wires.mjs'

const LENGTH = 16 * 1024
const ID = Buffer.alloc(20, 1)

/** High-water marks of the streams in memory, in bytes. */
const MARKS = [1, 1000, LENGTH]

/** When a request of the peer is answered. */
const ANSWERS = {
  'at once': (answer) => answer(),
  'a turn later': setImmediate,
  'some ms later': (answer) => setTimeout(answer, 5)
}

for (const [when, later] of Object.entries(ANSWERS)) {
  test(`serves 500 requests at once over TCP to a slow reader, answered ${when}`, async (t) => {
    t.timeout(60_000)
    const [client, server] = await connect(t)
    const seed = makeWire(later)
    const leech = makeWire(later)
    server.pipe(seed).pipe(server)
    client.pipe(slow()).pipe(leech).pipe(client)
    leech.handshake(ID, ID)
    seed.handshake(ID, ID)
    seed.unchoke()
    t.is(await download(leech, 500, 500), 500)
    t.is(seed.uploaded, 500 * LENGTH)
    t.deepEqual([seed.peerRequests.length, seed.stats().refusedRequests], [0, 0])
  })

  test(`keeps 512 requests open both ways over slow TCP, answered ${when}`, async (t) => {
    t.timeout(60_000)
    const [client, server] = await connect(t)
    const [a, b] = [makeWire(later), makeWire(later)]
    client.pipe(slow()).pipe(a).pipe(client)
    server.pipe(slow()).pipe(b).pipe(server)
    t.deepEqual(await exchange(a, b), [1500, 1500])
  })

  for (const mark of MARKS) {
    test(`keeps 512 requests open both ways in memory with a high-water mark of ${mark}, answered ${when}`, async (t) => {
      t.timeout(60_000)
      const [a, b] = [makeWire(later), makeWire(later)]
      const [there, back] = [1, 2].map(() => new PassThrough({ highWaterMark: mark }))
      a.pipe(there).pipe(b).pipe(back).pipe(a)
      t.deepEqual(await exchange(a, b), [1500, 1500])
    })
  }
}

const makeWire = (later) => {
  const wire = pwp()
  wire.on('request', (piece, offset, length, respond) => {
    later(() => respond(null, blockAt(piece, offset, length)))
  })
  return wire
}

const connect = async (t) => {
  const listener = net.createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = net.connect(listener.address().port, '127.0.0.1')
  const [server] = await once(listener, 'connection')
  t.teardown(() => {
    client.destroy()
    server.destroy()
    listener.close()
  })
  return [client, server]
}

/** Takes one chunk per ms. */
const slow = () =>
  new Transform({
    highWaterMark: 1,
    transform: (chunk, encoding, done) => setTimeout(done, 1, null, chunk)
  })

/** Both sides request and answer. */
const exchange = (a, b) => {
  for (const wire of [a, b]) {
    wire.handshake(ID, ID)
    wire.unchoke()
  }
  return Promise.all([download(a, 1500, 512), download(b, 1500, 512)])
}

/** Keeps requests open until all blocks are received; returns how many of them were right. */
const download = async (wire, count, open) => {
  await once(wire, 'unchoke')
  let asked = 0
  let came = 0
  let right = 0
  return new Promise((resolve) => {
    const ask = () => {
      const piece = asked++
      wire.request(piece, 0, LENGTH, (error, block) => {
        if (!error && block.equals(blockAt(piece, 0, LENGTH))) right++
        if (asked < count) ask()
        if (++came === count) resolve(right)
      })
    }
    for (let n = 0; n < open; n++) ask()
  })
}
