// A wire as a stream of current Node: its life cycle, and how it works in pipes and pipelines.
import { once } from 'node:events'
import net from 'node:net'
import { Duplex, PassThrough, finished, pipeline } from 'node:stream'
import util, { promisify } from 'node:util'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import {
  QUEUED_COST,
  CHOKE,
  HANDSHAKE,
  UNCHOKE,
  greeted,
  pwp,
  record,
  settled,
  unchoked
} from '../testkit/wires.mjs'

function Old() {
  pwp.call(this, { speed: 10 })
}
util.inherits(Old, pwp)

const LIFE = ['finish', 'end', 'close', 'error']

test('is a Duplex with and without new, as a subclass and by inheritance', (t) => {
  class Peer extends pwp {}
  for (const wire of [pwp(), new pwp(), new Peer(), new Old()]) {
    t.true(wire instanceof Duplex)
    t.true(wire instanceof pwp)
    t.true(wire.amChoking)
  }
  t.true(new Peer() instanceof Peer)
})

test('keeps properties that users add', (t) => {
  const wire = greeted()
  wire.isSeeder = true
  wire.destroy()
  t.true(wire.isSeeder)
})

test('sends requests once the user sets peerChoking to false', (t) => {
  const wire = greeted()
  wire.peerChoking = false
  wire.request(0, 0, 1)
  t.is(wire.requests.length, 1)
})

test('delivers requests once the user sets amChoking to false', (t) => {
  const wire = greeted()
  const seen = record(wire, ['request'])
  wire.write(frame(6, 0, 0, 1))
  wire.amChoking = false
  wire.write(frame(6, 1, 0, 1))
  t.deepEqual(seen, ['request'])
})

test('records haves in an array that the user assigns to peerPieces', (t) => {
  const wire = greeted()
  wire.peerPieces = [true]
  wire.write(frame(4, 2))
  t.deepEqual(Object.keys(wire.peerPieces), ['0', '2'])
})

test("emits 'close' synchronously from destroy(), and once", async (t) => {
  const wire = greeted()
  wire.resume()
  const life = record(wire, LIFE)
  wire.destroy()
  t.deepEqual(life, ['close'])
  t.true(wire.destroyed)
  t.true(wire.closed)
  wire.destroy()
  await settled()
  wire.destroy()
  await settled()
  t.deepEqual(life, ['close', 'finish', 'end'])
})

test("may be destroyed in a 'close' listener", (t) => {
  const wire = pwp()
  let closes = 0
  wire.on('close', () => {
    closes++
    wire.destroy()
  })
  t.is(wire.destroy(), wire)
  t.is(closes, 1)
})

test('ends its readable side when the writable side finishes', async (t) => {
  const wire = unchoked()
  wire.resume()
  const life = record(wire, LIFE)
  wire.end()
  await settled()
  t.deepEqual(life, ['finish', 'end', 'close'])
  t.true(wire.readableEnded && wire.writableFinished && wire.destroyed)
})

test('delivers what was sent before destroy()', async (t) => {
  const wire = pwp()
  wire.interested()
  wire.destroy()
  const chunks = []
  wire.on('data', (chunk) => chunks.push(chunk))
  await once(wire, 'end')
  t.deepEqual(Buffer.concat(chunks), frame(2))
})

test('fails open requests at the end, oldest first, each once', async (t) => {
  const wire = unchoked()
  const failed = []
  for (const piece of [1, 2, 3]) {
    wire.request(piece, 0, 1, (error) => failed.push(`${piece} ${error.message}`))
  }
  wire.destroy()
  t.deepEqual(failed, [])
  await settled()
  t.deepEqual(failed, ['1 wire is closed', '2 wire is closed', '3 wire is closed'])
  wire.request(4, 0, 1, (error) => failed.push(error.message))
  t.is(failed.at(-1), 'wire is closed')
})

test('delivers nothing of the peer after destroy() in a listener', (t) => {
  const wire = greeted()
  const events = record(wire, ['have', 'interested'])
  wire.on('have', () => wire.destroy())
  wire.write(Buffer.concat([frame(4, 1), frame(4, 2), frame(2)]))
  t.deepEqual(events, ['have'])
})

test('stream.finished reports a clean end, and an early close as one', async (t) => {
  const clean = greeted()
  clean.resume()
  clean.end()
  await t.notThrowsAsync(promisify(finished)(clean))
  const early = greeted()
  const done = promisify(finished)(early)
  early.destroy()
  await t.throwsAsync(done, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
  const failed = greeted()
  const reason = promisify(finished)(failed)
  failed.write(frame(4))
  await t.throwsAsync(reason, { code: 'ERR_PWP_MESSAGE_LENGTH' })
})

test('works in stream.pipeline', async (t) => {
  const source = new PassThrough()
  const wire = pwp()
  const sink = new PassThrough()
  const done = promisify(pipeline)(source, wire, sink)
  wire.once('handshake', () => wire.unchoke())
  wire.once('interested', () => wire.end())
  source.write(HANDSHAKE)
  source.end(frame(2))
  sink.resume()
  await t.notThrowsAsync(done)
})

test('a violation ends a pipeline with its error', async (t) => {
  const source = new PassThrough()
  const done = promisify(pipeline)(source, pwp(), new PassThrough())
  source.write('GET / HTTP/1.1\r\n\r\n')
  await t.throwsAsync(done, { code: 'ERR_PWP_HANDSHAKE' })
  t.true(source.destroyed)
})

test('can be disposed of asynchronously', async (t) => {
  const wire = greeted()
  await wire[Symbol.asyncDispose]()
  t.true(wire.destroyed)
})

test('keeps the error of destroy(error), and emits it only if someone listens', (t) => {
  const reason = new Error('enough')
  const quiet = pwp()
  quiet.destroy(reason)
  t.is(quiet.error, reason)
  const heard = pwp()
  const order = record(heard, ['error', 'close'])
  heard.destroy(reason)
  t.deepEqual(order, ['error', 'close'])
})

test('emits no error for input after a local end()', async (t) => {
  const wire = greeted()
  wire.on('error', () => t.fail())
  wire.end()
  wire.write(CHOKE)
  await settled()
  t.true(wire.destroyed)
  t.is(wire.error, null)
})

test('finishes when a corked chunk violates the protocol', async (t) => {
  const wire = greeted()
  const seen = record(wire, LIFE)
  wire.resume()
  await promisify(wire.write).call(wire, CHOKE)
  wire.cork()
  for (const chunk of [frame(4), UNCHOKE]) wire.write(chunk)
  wire.uncork()
  await settled()
  t.deepEqual(seen, ['error', 'close', 'finish', 'end'])
})

test('returns the frames of a dispatch from a read() in it', (t) => {
  const wire = greeted()
  wire.once('unchoke', () => {
    wire.interested()
    t.deepEqual(wire.read(), frame(2))
  })
  wire.write(UNCHOKE)
  t.is(wire.read(), null)
})

test('queues a chunk that a listener writes after the current one', (t) => {
  const wire = greeted()
  const pieces = []
  wire.on('have', (piece) => {
    pieces.push(piece)
    if (piece === 1) wire.write(frame(4, 3))
  })
  wire.write(Buffer.concat([frame(4, 1), frame(4, 2)]))
  return settled().then(() => t.deepEqual(pieces, [1, 2, 3]))
})

test('queues a chunk that a listener writes after the requests that are being delivered', async (t) => {
  const wire = greeted({ uploadBacklog: 10 })
  wire.unchoke()
  wire.read()
  const delivered = []
  wire.on('request', (piece, offset, length, respond) => {
    delivered.push(piece)
    if (piece === 2) wire.write(frame(6, 4, 0, 20))
    respond(null, Buffer.alloc(length))
  })
  wire.write(Buffer.concat([1, 2, 3].map((piece) => frame(6, piece, 0, 20))))
  t.deepEqual(delivered, [1])
  wire.resume()
  await settled()
  t.deepEqual(delivered, [1, 2, 3, 4])
})

for (const highWaterMark of [1024, 64 * 1024, 4 * 1024 * 1024]) {
  for (const uploadBacklog of [0, 16 * 1024, 1024 * 1024]) {
    test(`delivers all requests with backlog ${uploadBacklog} and a high-water mark of ${highWaterMark}`, async (t) => {
      const wire = greeted({ uploadBacklog })
      wire.unchoke()
      let delivered = 0
      wire.on('request', (piece, offset, length, respond) => {
        delivered++
        respond(null, Buffer.alloc(length))
      })
      wire.pipe(new Duplex({ highWaterMark, read() {}, write: (c, e, done) => setImmediate(done) }))
      wire.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame(6, i, 0, 16 * 1024))))
      await new Promise((resolve) => {
        wire.on('request', () => delivered === 100 && resolve())
        if (delivered === 100) resolve()
      })
      t.is(delivered, 100)
    })
  }
}

test('keeps the violation as wire.error when a callback destroys the wire', (t) => {
  const wire = unchoked()
  const errors = record(wire, ['error'])
  wire.request(0, 0, 1, () => wire.destroy())
  wire.write(frame(4))
  t.is(wire.error.code, 'ERR_PWP_MESSAGE_LENGTH')
  t.deepEqual(errors, ['error'])
})

test('shows in peerPieces only the pieces of events that were emitted', (t) => {
  const wire = greeted()
  const seen = []
  wire.on('have', () => seen.push(Object.keys(wire.peerPieces).join()))
  wire.write(Buffer.concat([7, 1, 7, 9].map((piece) => frame(4, piece))))
  t.deepEqual(seen, ['7', '1,7', '1,7', '1,7,9'])
})

test('keeps peerPieces after the end', async (t) => {
  const wire = greeted()
  wire.write(frame(5, Buffer.from([0b10100000])))
  wire.destroy()
  await settled()
  t.deepEqual(wire.peerPieces, [true, false, true, false, false, false, false, false])
})

test('respects a user who pauses a piped wire', async (t) => {
  const wire = pwp()
  const sink = new PassThrough()
  wire.pipe(sink)
  await settled()
  wire.pause()
  wire.interested()
  await settled()
  t.is(sink.readableLength, 0)
  wire.resume()
  await settled()
  t.deepEqual(sink.read(), frame(2))
})

/** A sink with a small buffer that takes one chunk in each turn of the event loop. */
const slowSink = (length, whole) => {
  const received = []
  let total = 0
  return new Duplex({
    highWaterMark: 1024,
    read() {},
    write(chunk, encoding, callback) {
      received.push(chunk)
      total += chunk.length
      if (total >= length) whole(Buffer.concat(received))
      setImmediate(callback)
    }
  })
}

test('sends everything in order into a slow pipe, and holds requests back meanwhile', async (t) => {
  const wire = greeted()
  const sizes = Array.from({ length: 500 }, (_, i) => [1, 16 * 1024, 3000][i % 3])
  const answers = sizes.map((size, i) => frame(7, i, 0, Buffer.alloc(size, i)))
  const expected = Buffer.concat([frame(1), ...answers])
  const received = new Promise((resolve) => {
    wire.pipe(slowSink(expected.length, resolve))
  })
  wire.unchoke()
  let most = 0
  wire.on('request', (piece, offset, length, respond) => {
    respond(null, Buffer.alloc(length, piece))
    most = Math.max(most, wire.bufferedAmount)
  })
  for (const [i, size] of sizes.entries()) wire.write(frame(6, i, 0, size))
  t.true((await received).equals(expected))
  // The backlog, one block, and the heads of all blocks, which do not count.
  t.true(most < 1024 * 1024 + 16 * 1024 + sizes.length * 13)
})

test('holds requests above the backlog while nobody reads, and delivers them when somebody does', async (t) => {
  const wire = greeted({ uploadBacklog: 100 + QUEUED_COST })
  wire.unchoke()
  const delivered = []
  wire.on('request', (piece, offset, length, respond) => {
    delivered.push(piece)
    respond(null, Buffer.alloc(length))
  })
  const haves = record(wire, ['have'])
  wire.write(Buffer.concat([1, 2, 3, 4].map((piece) => frame(6, piece, 0, 60))))
  wire.write(Buffer.concat([frame(8, 3, 0, 60), frame(4, 1)]))
  t.deepEqual(delivered, [1, 2])
  t.deepEqual(haves, ['have'])
  t.true(wire.bufferedAmount >= 100)
  wire.resume()
  await settled()
  t.deepEqual(delivered, [1, 2, 4])
  t.is(wire.bufferedAmount, 0)
})

test('sends the answers to one chunk in one write', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  const [socket] = await once(server, 'connection')
  socket.on('error', () => {})
  const wire = greeted()
  wire.unchoke()
  wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
  wire.pipe(socket)
  await settled()
  let writes = 0
  const { writev } = socket._handle
  socket._handle.writev = function (...args) {
    writes++
    return writev.apply(this, args)
  }
  wire.write(Buffer.concat(Array.from({ length: 20 }, (_, i) => frame(6, i, 0, 16 * 1024))))
  t.is(writes, 1)
  client.destroy()
  server.close()
})

test('keeps an array of peerPieces up to date, and keeps what the user has changed in it', (t) => {
  const [held, changed, set, unread] = [1, 2, 3, 4].map(() => greeted())
  const wires = [held, changed, set, unread]
  for (const wire of wires) wire.write(frame(5, Buffer.of(0b11110000, 0)))
  const { peerPieces } = held
  changed.peerPieces[0] = 'of the user'
  set.peerPieces = [true]
  for (const wire of wires) wire.write(frame(4, 9))
  t.is(held.peerPieces, peerPieces)
  t.is(String(peerPieces.map(Number)), '1,1,1,1,0,0,0,0,0,1,0,0,0,0,0,0')
  t.is(changed.peerPieces[0], 'of the user')
  t.true(changed.peerPieces[9])
  t.deepEqual(Object.keys(set.peerPieces), ['0', '9'])
  t.deepEqual(unread.peerPieces, peerPieces)
})
