// Connecting with encryption, and once more without it where that can help.
import { getEventListeners, once } from 'node:events'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import test from 'ava'

import {
  INFO_HASH,
  RESPONDER,
  closed,
  encryption,
  pipe,
  readToEnd
} from '../testkit/encryption.mjs'
import { HANDSHAKE } from '../testkit/wires.mjs'

const { dial } = encryption

const OPTIONS = { infoHash: INFO_HASH }

/** What peers do with the connections that they get. */
const PEERS = {
  encrypts: (stream) => encryption.wrap(stream, RESPONDER).on('data', () => {}),
  'requires encryption': (stream) => encryption.wrap(stream, { ...RESPONDER, mode: 'require' }),
  /** Reads a handshake, and closes when it is none. */
  'knows only plain': (stream) =>
    stream.once('data', (chunk) => {
      if (chunk[0] === HANDSHAKE[0] && chunk[1] === HANDSHAKE[1]) stream.write(HANDSHAKE)
      else stream.destroy()
    }),
  ends: (stream) => stream.resume().end(),
  'is silent': (stream) => stream.resume(),
  'speaks first': (stream) => stream.resume().write(HANDSHAKE),
  'has another torrent': (stream) => encryption.wrap(stream, { ...RESPONDER, infoHashes: [] }),
  'wants plaintext': (stream) => encryption.wrap(stream, { ...RESPONDER, methods: ['plaintext'] }),
  'sends garbage': (stream) => stream.resume().write(Buffer.alloc(1000, 0x55)),
  'sends zeros': (stream) => stream.resume().write(Buffer.alloc(96))
}

/** Dials a peer over pipes, and counts how. */
const dialed = (name, options) => {
  const attempts = []
  const act = PEERS[name]
  const streams = []
  const connection = dial(
    ({ encrypted }) => {
      attempts.push(encrypted)
      const [left, right] = pipe()
      streams.push(left)
      act(right)
      return left
    },
    { ...OPTIONS, ...options }
  )
  return { attempts, connection, streams }
}

const ENCRYPTED = [true]
const BOTH = [true, false]

for (const [name, options, expected, method] of [
  ['encrypts', {}, ENCRYPTED, 'rc4'],
  ['encrypts', { mode: 'require' }, ENCRYPTED, 'rc4'],
  ['encrypts', { mode: 'accept' }, [false], 'none'],
  ['encrypts', { mode: 'off' }, [false], 'none'],
  ['requires encryption', {}, ENCRYPTED, 'rc4'],
  ['wants plaintext', {}, ENCRYPTED, 'plaintext'],
  ['speaks first', {}, ENCRYPTED, 'none'],
  ['knows only plain', {}, BOTH, 'none'],
  ['ends', {}, BOTH, 'none'],
  ['is silent', { timeout: 20 }, BOTH, 'none']
]) {
  test(`a peer that ${name}, dialed with ${JSON.stringify(options)}, is connected to with ${method}`, async (t) => {
    const { attempts, connection, streams } = dialed(name, options)
    const stream = await connection
    t.is(stream.encryption.method, method)
    t.deepEqual(attempts, expected)
    t.is(stream.stream, streams.at(-1))
    if (streams.length > 1) t.true(streams[0].destroyed)
    stream.destroy()
  })
}

for (const [name, options, code] of [
  ['knows only plain', { mode: 'require' }, 'ERR_PWP_ENCRYPTION_REFUSED'],
  ['speaks first', { mode: 'require' }, 'ERR_PWP_ENCRYPTION_PLAIN'],
  ['is silent', { mode: 'require', timeout: 20 }, 'ERR_PWP_ENCRYPTION_TIMEOUT'],
  ['has another torrent', {}, 'ERR_PWP_ENCRYPTION_TRUNCATED'],
  ['wants plaintext', { methods: ['rc4'] }, 'ERR_PWP_ENCRYPTION_TRUNCATED'],
  ['sends garbage', {}, 'ERR_PWP_ENCRYPTION_SYNC'],
  ['sends zeros', {}, 'ERR_PWP_ENCRYPTION_KEY']
]) {
  test(`a peer that ${name}, dialed with ${JSON.stringify(options)}, is not dialed again`, async (t) => {
    const { attempts, connection, streams } = dialed(name, options)
    await t.throwsAsync(connection, { code })
    t.deepEqual(attempts, ENCRYPTED)
    t.true(streams[0].destroyed)
  })
}

test('a timeout after a key does not dial again', async (t) => {
  const attempts = []
  const connection = dial(
    ({ encrypted }) => {
      attempts.push(encrypted)
      const [left, right] = pipe()
      right.resume().write(Buffer.alloc(96, 0x55))
      return left
    },
    { ...OPTIONS, timeout: 20 }
  )
  await t.throwsAsync(connection, { code: 'ERR_PWP_ENCRYPTION_TIMEOUT' })
  t.deepEqual(attempts, ENCRYPTED)
})

test('the payload of the exchange is sent over either connection, once', async (t) => {
  const received = []
  const stream = await dial(
    ({ encrypted }) => {
      const [left, right] = pipe()
      if (encrypted) right.resume().end()
      else right.on('data', (chunk) => received.push(chunk))
      return left
    },
    { ...OPTIONS, initialPayload: HANDSHAKE }
  )
  stream.end('more')
  await once(stream, 'finish')
  t.deepEqual(Buffer.concat(received), Buffer.concat([HANDSHAKE, Buffer.from('more')]))
  stream.destroy()
})

// Over sockets

const listen = async (t, act) => {
  const server = net.createServer((socket) => act(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return server.address().port
}

test('connects over sockets, also when the dial function takes its time', async (t) => {
  const port = await listen(t, (socket) => encryption.wrap(socket, RESPONDER).end('hello'))
  const stream = await dial(async () => {
    await wait(5)
    return net.connect(port, '127.0.0.1')
  }, OPTIONS)
  t.is(stream.encryption.method, 'rc4')
  t.is((await readToEnd(stream)).toString(), 'hello')
  stream.destroy()
})

test('a connection that is reset is dialed again', async (t) => {
  let connections = 0
  const port = await listen(t, (socket) => {
    connections++
    if (connections === 1) socket.once('data', () => socket.resetAndDestroy())
    else socket.end('plain')
  })
  const stream = await dial(() => net.connect(port, '127.0.0.1'), OPTIONS)
  t.false(stream.stream.connecting)
  t.is((await readToEnd(stream)).toString(), 'plain')
  t.is(connections, 2)
  stream.destroy()
})

for (const mode of ['prefer', 'require', 'off']) {
  test(`a port that nobody listens on is dialed once, mode ${mode}`, async (t) => {
    const server = net.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address()
    server.close()
    await once(server, 'close')
    let attempts = 0
    const connect = () => {
      attempts++
      return net.connect(port, '127.0.0.1')
    }
    await t.throwsAsync(dial(connect, { ...OPTIONS, mode }), { code: 'ECONNREFUSED' })
    t.is(attempts, 1)
  })
}

// Failures of the caller, and signals

test('what the dial function throws or rejects with is the reason', async (t) => {
  const error = new Error('no route')
  const thrown = dial(() => {
    throw error
  }, OPTIONS)
  t.is(await t.throwsAsync(thrown), error)
  t.is(await t.throwsAsync(dial(() => Promise.reject(error), OPTIONS)), error)
  await t.throwsAsync(
    dial(() => null, OPTIONS),
    { message: 'stream must be a Duplex' }
  )
})

test('wrong arguments throw before anything is dialed', (t) => {
  const connect = () => t.fail('dialed')
  for (const [dialFunction, options, message] of [
    [null, OPTIONS, 'dialFunction must be a function'],
    [connect, {}, /^infoHash must be/],
    [connect, { ...OPTIONS, mode: 'always' }, /^mode must be/],
    [connect, { ...OPTIONS, signal: 7 }, 'signal must be an AbortSignal']
  ]) {
    t.throws(() => dial(dialFunction, options), { message })
  }
})

test('a signal that is aborted already dials nothing', async (t) => {
  const connect = () => t.fail('dialed')
  const signal = AbortSignal.abort()
  await t.throwsAsync(dial(connect, { ...OPTIONS, signal }), { name: 'AbortError' })
  await t.throwsAsync(dial(connect, { ...OPTIONS, signal, mode: 'off' }), { name: 'AbortError' })
})

test('a signal ends the wait for a connection, which is closed when it comes', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  let give
  const [stream] = pipe()
  const connection = dial(() => new Promise((resolve) => (give = resolve)), { ...OPTIONS, signal })
  controller.abort()
  await t.throwsAsync(connection, { name: 'AbortError' })
  t.is(getEventListeners(signal, 'abort').length, 0)
  give(stream)
  await closed(stream)
  t.true(stream.destroyed)
})

test('a signal ends an exchange, without another connection', async (t) => {
  const controller = new AbortController()
  const { attempts, connection, streams } = dialed('is silent', { signal: controller.signal })
  setImmediate(() => controller.abort())
  await t.throwsAsync(connection, { name: 'AbortError' })
  t.deepEqual(attempts, ENCRYPTED)
  t.true(streams[0].destroyed)
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('a signal ends the wait for a plain connection, and leaves an open one alone', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  const [stream] = pipe()
  stream.connecting = true
  const connection = dial(() => stream, { ...OPTIONS, mode: 'off', signal })
  await wait(5)
  controller.abort()
  await t.throwsAsync(connection, { name: 'AbortError' })
  t.true(stream.destroyed)
  const later = new AbortController()
  const { connection: good } = dialed('encrypts', { signal: later.signal })
  const open = await good
  later.abort()
  t.false(open.destroyed)
  t.is(open.listenerCount('error'), 0)
  open.destroy()
})
