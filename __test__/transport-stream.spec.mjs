// What is left of the stream in a native wire: it ends, and refuses to be read, written or piped.
import { once } from 'node:events'
import { PassThrough, Writable, addAbortSignal, finished, pipeline } from 'node:stream'
import { finished as finishedAsync, pipeline as pipelineAsync } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import test from 'ava'

import { ending, nativePair, wireAndSocket } from '../testkit/native.mjs'
import { HANDSHAKE, pwp, settled } from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)
const REFUSED = { code: 'ERR_PWP_NATIVE' }

for (const [name, call] of [
  ['write()', (wire) => wire.write(HANDSHAKE)],
  ['end() with a chunk', (wire) => wire.end(HANDSHAKE)],
  ['unshift()', (wire) => wire.unshift(HANDSHAKE)],
  ['cork()', (wire) => wire.cork()],
  ['pipe()', (wire) => wire.pipe(new PassThrough())],
  ['iterator()', (wire) => wire.iterator()],
  ['for await', (wire) => wire[Symbol.asyncIterator]()],
  ['pipeline() from it', (wire) => pipeline(wire, new PassThrough(), () => {})]
]) {
  test(`refuses ${name}`, async (t) => {
    const [wire, socket] = await wireAndSocket(t)
    t.throws(() => call(wire), REFUSED)
    t.throws(() => call(wire), { message: /native socket/ })
    // Nothing has happened to it.
    socket.write(HANDSHAKE)
    await once(wire, 'handshake')
    t.false(wire.destroyed)
  })
}

test('refuses to be piped into, and leaves the source alone', async (t) => {
  const [wire] = await wireAndSocket(t)
  const source = new PassThrough()
  t.throws(() => source.pipe(wire), REFUSED)
  source.write('left')
  await settled()
  t.is(source.read().toString(), 'left')
  t.false(wire.destroyed)
})

test('refuses what reads it by iteration', async (t) => {
  const [wire] = await wireAndSocket(t)
  await t.throwsAsync(text(wire), REFUSED)
  await t.throwsAsync(async () => {
    for await (const chunk of wire) t.fail(String(chunk))
  }, REFUSED)
  await t.throwsAsync(
    pipelineAsync(wire, async (source) => {
      for await (const chunk of source) t.fail(String(chunk))
    })
  )
})

test('has nothing to read, whoever listens, and ends all the same', async (t) => {
  for (const listen of [
    () => {},
    (wire) => wire.on('data', () => t.fail('data')),
    (wire) => wire.on('readable', () => {}),
    (wire) => wire.pause(),
    (wire) => wire.setEncoding('hex'),
    (wire) => wire.resume().pause()
  ]) {
    const [wire, socket] = await wireAndSocket(t) // oxlint-disable-line no-await-in-loop
    socket.resume()
    listen(wire)
    wire.handshake(ID, ID)
    t.is(wire.read(), null)
    const ended = once(wire, 'end')
    socket.end(HANDSHAKE)
    await ended // oxlint-disable-line no-await-in-loop
    t.is(wire.error, null)
    if (!wire.destroyed) await once(wire, 'close') // oxlint-disable-line no-await-in-loop
  }
})

test('sends what is pushed, after what was sent before', async (t) => {
  const [wire, socket] = await wireAndSocket(t)
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  wire.handshake(ID, ID)
  t.true(wire.push(Buffer.from('abc')))
  t.throws(() => wire.push(5), { instanceOf: TypeError })
  wire.unchoke()
  await wire.flushed()
  wire.destroy()
  await once(socket, 'end')
  t.is(Buffer.concat(chunks).toString('latin1', 68), 'abc\0\0\0\x01\x01')
})

test('finished() and a signal of addAbortSignal() work as with any stream', async (t) => {
  const [wire, socket] = await wireAndSocket(t)
  socket.resume()
  const called = new Promise((resolve) => {
    finished(wire, resolve)
  })
  socket.end()
  t.is((await called) ?? null, null)

  const [other] = await wireAndSocket(t)
  const controller = new AbortController()
  addAbortSignal(controller.signal, other)
  const failed = t.throwsAsync(finishedAsync(other), { name: 'AbortError' })
  controller.abort()
  await failed
  t.is(other.error.name, 'AbortError')
})

test('end() ends both sides after what was sent', async (t) => {
  const [wire, other] = await nativePair(t)
  const order = []
  other.on('handshake', () => order.push('handshake'))
  other.on('close', () => order.push('close'))
  wire.handshake(ID, ID)
  wire.end()
  t.is(await ending(other), null)
  t.deepEqual(order, ['handshake', 'close'])
  t.is(await ending(wire), null)
})

test('a wire that is a stream has the same members', async (t) => {
  const wire = pwp()
  t.is(wire.transport, 'stream')
  t.false(wire.connecting)
  t.is(wire.remoteAddress, undefined)
  t.is(wire.ref(), wire)
  t.is(wire.unref(), wire)
  await wire.flushed()
  wire.handshake(ID, ID)
  await t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_NOT_PIPED' })
  const waiting = []
  const sink = new Writable({ write: (chunk, encoding, done) => waiting.push(done) })
  wire.pipe(sink)
  let isFlushed = false
  const flushed = wire.flushed().then(() => {
    isFlushed = true
    return isFlushed
  })
  await settled()
  t.false(isFlushed, 'the sink has not written yet')
  while (waiting.length > 0) {
    waiting.shift()()
    await settled() // oxlint-disable-line no-await-in-loop
  }
  t.true(await flushed)
})
