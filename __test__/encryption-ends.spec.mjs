// How encrypted streams end: in each phase, by either side, by the stream below, by a signal or in time.
import { errorMonitor, getEventListeners, once } from 'node:events'
import net from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import { promisify } from 'node:util'
import test from 'ava'

import {
  INITIATOR,
  RESPONDER,
  agreed,
  closed,
  encryption,
  pair,
  pipe,
  readToEnd
} from '../testkit/encryption.mjs'
import { collectGarbage } from '../testkit/memory/garbage.mjs'
import { bytesOf } from '../testkit/messages.mjs'

const KIB = 1024
const SIDES = { initiator: INITIATOR, responder: RESPONDER }

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
const message = (size, fill = 3) => bytesOf({ size, fill })

/** Streams whose exchange is over, and those below them. */
const connected = async (options) => {
  const streams = pipe(options)
  const both = pair({}, {}, streams)
  await agreed(both)
  return { both, streams }
}

/** A stream whose exchange has begun, and the other end of the one below it. */
const waiting = (role, options) => {
  const [left, right] = pipe()
  return { stream: encryption.wrap(left, { ...SIDES[role], ...options }), left, right }
}

for (const role of Object.keys(SIDES)) {
  // The exchange

  test(`an ${role} whose peer ends before a whole key says so`, async (t) => {
    for (const length of [0, 1, 19, 20, 95]) {
      const { stream, left, right } = waiting(role)
      const events = []
      for (const name of ['error', 'close', 'end', 'encryption']) {
        stream.on(name, () => events.push(name))
      }
      right.end(Buffer.alloc(length, 0x55))
      right.resume()
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.is((await closed(stream)).code, 'ERR_PWP_ENCRYPTION_REFUSED', `${length} bytes`)
      t.deepEqual(events, ['error', 'close'])
      t.true(left.destroyed)
    }
  })

  test(`an ${role} whose peer ends after a key says so`, async (t) => {
    const { stream, right } = waiting(role)
    right.end(Buffer.alloc(96, 0x55))
    right.resume()
    t.is((await closed(stream)).code, 'ERR_PWP_ENCRYPTION_TRUNCATED')
  })

  for (const [code, key, expected] of [
    ['ECONNRESET', 0, 'ERR_PWP_ENCRYPTION_REFUSED'],
    ['EPIPE', 0, 'ERR_PWP_ENCRYPTION_REFUSED'],
    ['ECONNRESET', 96, 'ERR_PWP_ENCRYPTION_TRUNCATED'],
    ['ECONNREFUSED', 0, 'ECONNREFUSED'],
    ['ETIMEDOUT', 96, 'ETIMEDOUT']
  ]) {
    test(`an ${role} whose stream fails with ${code} after ${key} bytes fails with ${expected}`, async (t) => {
      const { stream, left, right } = waiting(role)
      right.write(Buffer.alloc(key, 0x55))
      right.resume()
      await settled()
      const cause = Object.assign(new Error(code), { code })
      left.destroy(cause)
      const error = await closed(stream)
      t.is(error.code, expected)
      t.is(error.cause ?? error, cause)
    })
  }

  test(`destroy() of an ${role} during the exchange destroys the stream below, without an error`, async (t) => {
    const { stream, left, right } = waiting(role)
    right.resume()
    const written = new Promise((resolve) => stream.write('x', resolve))
    stream.destroy()
    t.true(left.destroyed)
    t.is(await closed(stream), null)
    t.is((await written).code, 'ERR_STREAM_DESTROYED')
  })

  test(`an ${role} whose stream is destroyed during the exchange fails once`, async (t) => {
    const { stream, left } = waiting(role)
    let closes = 0
    stream.on('close', () => closes++)
    left.destroy()
    t.is((await closed(stream)).code, 'ERR_PWP_ENCRYPTION_REFUSED')
    await settled()
    t.is(closes, 1)
  })

  test(`an ${role} over a stream that has ended already fails`, async (t) => {
    const [left, right] = pipe()
    right.end()
    left.resume()
    await once(left, 'end')
    t.is((await closed(encryption.wrap(left, SIDES[role]))).code, 'ERR_PWP_ENCRYPTION_REFUSED')
    left.destroy()
    t.is((await closed(encryption.wrap(left, SIDES[role]))).code, 'ERR_PWP_ENCRYPTION_REFUSED')
  })

  test(`a signal aborts the exchange of an ${role}, and nothing after it`, async (t) => {
    const controller = new AbortController()
    const { signal } = controller
    const { stream, left } = waiting(role, { signal })
    controller.abort(new Error('enough'))
    const error = await closed(stream)
    t.is(error.name, 'AbortError')
    t.is(error.cause.message, 'enough')
    t.true(left.destroyed)
    t.is(getEventListeners(signal, 'abort').length, 0)
    t.is((await closed(waiting(role, { signal }).stream)).name, 'AbortError')
    const later = new AbortController()
    const streams = pair({ signal: later.signal }, { signal: later.signal })
    await agreed(streams)
    t.is(getEventListeners(later.signal, 'abort').length, 0)
    later.abort()
    await settled()
    for (const one of streams) {
      t.false(one.destroyed)
      one.destroy()
    }
  })

  test(`one signal has one listener for many exchanges of an ${role}`, async (t) => {
    const controller = new AbortController()
    const { signal } = controller
    const streams = Array.from({ length: 20 }, () => waiting(role, { signal }).stream)
    t.is(getEventListeners(signal, 'abort').length, 1)
    const all = Promise.all(streams.map(closed))
    controller.abort()
    for (const error of await all) t.is(error.name, 'AbortError')
    t.is(getEventListeners(signal, 'abort').length, 0)
  })

  test(`an ${role} without a listener of 'error' closes quietly, and tells monitors`, async (t) => {
    const { stream, right } = waiting(role)
    const seen = []
    stream.on(errorMonitor, (error) => seen.push(error.code))
    right.end()
    right.resume()
    await closed(stream)
    t.deepEqual(seen, ['ERR_PWP_ENCRYPTION_REFUSED'])
  })

  test(`a stream below an ${role} that gives no bytes fails it`, async (t) => {
    const { stream, right } = waiting(role)
    right.resume()
    stream.stream.emit('data', 'text')
    t.true((await closed(stream)) instanceof TypeError)
  })
}

test('an end during the exchange comes after it', async (t) => {
  const [a, b] = pair({ initialPayload: message(68) })
  a.end()
  b.end('only this')
  t.deepEqual(await Promise.all([a, b].map(readToEnd)), [Buffer.from('only this'), message(68)])
  t.deepEqual(await Promise.all([a, b].map(closed)), [null, null])
})

test('a peer that ends while its torrent is looked up gets its answer', async (t) => {
  const [left, right] = pipe()
  let answer
  const asked = new Promise((resolve) => {
    encryption.wrap(right, {
      role: 'responder',
      infoHashes: () =>
        new Promise((give) => ((answer = () => give(INITIATOR.infoHash)), resolve()))
    })
  })
  const a = encryption.wrap(left, { ...INITIATOR, initialPayload: message(68) })
  await asked
  left.end()
  await settled()
  answer()
  await once(a, 'encryption')
  a.destroy()
  t.pass()
})

// The payload

test('an encrypted stream over an encrypted one works, though both send from the same memory', async (t) => {
  const outer = pair({}, {}, pair())
  await agreed(outer)
  const bytes = message(300 * KIB)
  for (let at = 0; at < bytes.length; at += 1000) outer[0].write(bytes.subarray(at, at + 1000))
  outer[0].end()
  t.true((await readToEnd(outer[1])).equals(bytes))
  outer[0].destroy()
})

test('each side ends on its own', async (t) => {
  const {
    both: [a, b]
  } = await connected()
  a.end('first')
  t.is((await readToEnd(b)).toString(), 'first')
  t.true(b.writable)
  await settled()
  t.false(b.destroyed)
  b.end('second')
  t.is((await readToEnd(a)).toString(), 'second')
  t.deepEqual(await Promise.all([a, b].map(closed)), [null, null])
})

test('over a stream without allowHalfOpen, the end of the peer also ends our side', async (t) => {
  const {
    both: [a, b],
    streams
  } = await connected({ allowHalfOpen: false })
  t.false(a.allowHalfOpen)
  // What waits for a reader keeps our side open, as it does in a socket.
  b.write(message(100))
  b.end()
  await settled()
  t.true(a.writable)
  a.write(message(50))
  t.deepEqual(await readToEnd(a), message(100))
  t.deepEqual(await readToEnd(b), message(50))
  await Promise.all([a, b, ...streams].map((stream) => stream.closed || once(stream, 'close')))
})

test('everything is delivered before the end, however slow the reader', async (t) => {
  const {
    both: [a, b]
  } = await connected()
  const bytes = message(500 * KIB)
  a.end(bytes)
  const chunks = []
  for await (const chunk of b) {
    chunks.push(chunk)
    await settled()
  }
  t.true(Buffer.concat(chunks).equals(bytes))
})

for (const side of [0, 1]) {
  test(`destroy() of one side closes the other, side ${side}`, async (t) => {
    const { both, streams } = await connected()
    let closes = 0
    for (const stream of both) stream.on('close', () => closes++)
    both[side].destroy(new Error('reason'))
    t.is((await closed(both[side])).message, 'reason')
    t.is(await closed(both[1 - side]), null)
    await settled()
    t.is(closes, 2)
    for (const stream of streams) t.true(stream.destroyed)
  })
}

test('an error of the stream below is the error of the stream', async (t) => {
  const {
    both: [a, b],
    streams
  } = await connected()
  const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
  const emitted = once(a, 'error')
  streams[0].destroy(error)
  t.is(await closed(a), error)
  t.deepEqual(await emitted, [error])
  b.destroy()
})

test('a write that waits is called back when the stream is destroyed', async (t) => {
  const {
    both: [a, b]
  } = await connected()
  const errors = []
  const writes = Array.from({ length: 100 }, () =>
    new Promise((resolve) => a.write(message(8 * KIB), resolve)).then((error) => errors.push(error))
  )
  await settled()
  a.destroy()
  await Promise.all(writes)
  t.is(errors.length, 100)
  t.true(errors.some((error) => error?.code === 'ERR_STREAM_DESTROYED'))
  b.destroy()
})

test('a write whose memory is taken away during the exchange fails the stream', async (t) => {
  const { stream, right } = waiting('initiator')
  const bytes = new Uint8Array(100)
  stream.write(bytes)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  encryption.wrap(right, RESPONDER)
  t.is((await closed(stream)).code, 'ERR_PWP_MEMORY_CHANGED')
})

test('input whose memory is taken away while a torrent is looked up fails the stream', async (t) => {
  const [left, right] = pipe()
  const b = encryption.wrap(right, {
    role: 'responder',
    infoHashes: async () => {
      await settled()
      for (const chunk of chunks) structuredClone(chunk, { transfer: [chunk.buffer] })
      return INITIATOR.infoHash
    }
  })
  const chunks = []
  right.on('data', (chunk) => chunks.push(chunk))
  encryption.wrap(left, { ...INITIATOR, initialPayload: message(68) })
  t.is((await closed(b)).code, 'ERR_PWP_MEMORY_CHANGED')
})

test('pipeline() tells of a failure, and of a good end', async (t) => {
  const run = promisify(pipeline)
  const { stream, right } = waiting('responder')
  right.end(Buffer.alloc(10))
  await t.throwsAsync(run(stream, new PassThrough()), { code: 'ERR_PWP_ENCRYPTION_REFUSED' })
  const [a, b] = pair()
  b.end()
  a.end('all of it')
  const sink = new PassThrough()
  await run(b, sink)
  t.is(sink.read().toString(), 'all of it')
})

// What is left

test('leaves no listener on the stream below, and none of its own', async (t) => {
  const streams = pipe()
  const before = streams.map((stream) => stream.eventNames())
  const both = pair({}, {}, streams)
  await agreed(both)
  for (const stream of both) stream.end()
  await Promise.all(both.map(readToEnd))
  await Promise.all(both.map(closed))
  await settled()
  t.deepEqual(
    streams.map((stream) => stream.eventNames()),
    before
  )
})

test('a socket that fails after the stream has let go throws nothing', async (t) => {
  const server = net.createServer((socket) => {
    const stream = encryption.wrap(socket, RESPONDER)
    stream.once('encryption', () => {
      stream.destroy()
      socket.emit('error', new Error('late'))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = net.connect(server.address().port, '127.0.0.1')
  const a = encryption.wrap(socket, INITIATOR)
  await closed(a.resume())
  server.close()
  await once(server, 'close')
  t.true(socket.destroyed)
})

/** Streams that were used, and then destroyed or dropped. */
const usedStreams = async (drop) => {
  const refs = []
  for (let n = 0; n < 20; n++) {
    const both = pair()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await agreed(both)
    if (!drop) for (const stream of both) stream.destroy()
    refs.push(...both.map((stream) => new WeakRef(stream)))
  }
  await settled()
  return refs
}

test('nothing is kept after the end, nor of a stream that is dropped', async (t) => {
  for (const drop of [false, true]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const refs = await usedStreams(drop)
    // oxlint-disable-next-line no-await-in-loop -- references are kept until the end of a turn
    await settled()
    collectGarbage()
    t.true(refs.filter((ref) => ref.deref() !== undefined).length <= 2, `dropped: ${drop}`)
  }
})
