// `pwp.connect()`: native sockets to peers, and all the ways in which connecting fails.
import { once } from 'node:events'
import net from 'node:net'
import os from 'node:os'
import test from 'ava'

import {
  HOST,
  dial,
  ending,
  freePort,
  listenRaw,
  serve,
  wireAndSocket
} from '../testkit/native.mjs'
import { HANDSHAKE, pwp } from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)
const hasIPv6 = Object.values(os.networkInterfaces())
  .flat()
  .some(({ address }) => address === '::1')

/** The properties by which programs tell errors of sockets apart. */
const facts = ({ code, errno, syscall, address, port, message }) => ({
  code,
  errno,
  syscall,
  address,
  port,
  message
})

/** A lookup that gives these addresses. */
const giving =
  (...addresses) =>
  (host, options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: net.isIP(address) }))
    )

/** One that never answers. */
const silent = () => {}

/** The error of a socket of Node with the same options. */
const errorOfNode = async (options) => {
  const socket = net.connect(options)
  const [error] = await once(socket, 'error')
  return error
}

test('returns a wire at once, which is no promise and says where it is connected', async (t) => {
  const server = await listenRaw(t)
  const { port } = server.address()
  const wire = dial(t, server)
  t.true(wire instanceof pwp)
  t.is(wire.then, undefined)
  t.true(wire.connecting)
  t.is(wire.transport, 'native')
  t.is(wire.remoteAddress, undefined)
  t.is(wire.peerAddress, `${HOST}:${port}`)
  const [[socket]] = await Promise.all([once(server, 'connection'), once(wire, 'connect')])
  t.false(wire.connecting)
  t.like(wire, {
    remoteAddress: HOST,
    remotePort: port,
    remoteFamily: 'IPv4',
    localAddress: HOST,
    localFamily: 'IPv4'
  })
  t.is(wire.localPort, socket.remotePort)
})

test('sends what was sent before it is connected, in order', async (t) => {
  const server = await listenRaw(t)
  const wire = dial(t, server)
  wire.handshake(ID, ID)
  wire.interested()
  const [socket] = await once(server, 'connection')
  const bytes = []
  while (Buffer.concat(bytes).length < 73) bytes.push((await once(socket, 'data'))[0]) // oxlint-disable-line no-await-in-loop
  t.is(Buffer.concat(bytes).toString('hex', 68), '0000000102')
  await wire.flushed()
  t.is(wire.bufferedAmount, 0)
})

test('fails as a socket of Node where nobody listens', async (t) => {
  const port = await freePort()
  const wire = pwp.connect({ host: HOST, port })
  const errors = []
  wire.on('error', (error) => errors.push(error))
  const error = await ending(wire)
  t.deepEqual(facts(error), facts(await errorOfNode({ host: HOST, port })))
  t.is(error.code, 'ECONNREFUSED')
  t.deepEqual(errors, [error])
})

test('says that output is lost where nobody listens', async (t) => {
  const wire = pwp.connect({ host: HOST, port: await freePort() })
  wire.handshake(ID, ID)
  const error = await t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
  t.is(error.unsent, 68)
  t.like(wire.error, { code: 'ECONNREFUSED' })
  await t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
})

/** Knows no name. */
const nobody = (host, options, callback) => setImmediate(callback, new Error('nobody'))

/** Answers after a turn of the event loop. */
const afterTurn =
  (lookup) =>
  (...args) =>
    setImmediate(lookup, ...args)

/** All that a socket receives, until its end. */
const receivedBy = async (socket) => {
  const chunks = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}

for (const [name, options] of [
  ['it is looked up', { host: 'a.test', lookup: afterTurn(giving(HOST)) }],
  ['it connects', {}]
]) {
  test(`sends what there is when it is ended while ${name}`, async (t) => {
    const server = await listenRaw(t)
    const wire = dial(t, server, options)
    const calls = []
    wire.on('connect', () => calls.push('connect'))
    const closed = once(wire, 'close').then(() => calls.push('close'))
    wire.handshake(ID, ID)
    wire.have(1)
    wire.end()
    const flushed = wire.flushed()
    const [socket] = await once(server, 'connection')
    t.is((await receivedBy(socket)).toString('hex', 68), '000000050400000001')
    await flushed
    await closed
    t.is(calls.at(-1), 'close')
    t.is(wire.error, null)
    await wire.flushed()
  })
}

test('says that the output of an ended wire is lost where there is no peer', async (t) => {
  for (const options of [
    { host: HOST, port: await freePort() },
    { host: 'a.test', port: 1, lookup: nobody },
    { host: 'a.test', port: 1, lookup: silent, connectTimeout: 20 }
  ]) {
    const wire = pwp.connect(options)
    wire.handshake(ID, ID)
    wire.end()
    const outcome = t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
    t.is((await outcome).unsent, 68) // oxlint-disable-line no-await-in-loop
  }
})

test('takes the first answer of a lookup only', async (t) => {
  const server = await listenRaw(t)
  const sockets = []
  server.on('connection', (socket) => sockets.push(socket))
  const twice = (host, options, callback) => {
    const answer = () => callback(null, [{ address: HOST, family: 4 }])
    setImmediate(() => {
      answer()
      t.notThrows(answer)
      t.notThrows(() => callback(new Error('late')))
    })
  }
  const wire = dial(t, server, { host: 'a.test', lookup: twice })
  await once(wire, 'connect')
  t.false(wire.destroyed)
  // Both would have been connected in their order.
  const other = dial(t, server)
  await once(other, 'connect')
  while (sockets.length < 2) await once(server, 'connection') // oxlint-disable-line no-await-in-loop
  t.is(sockets.length, 2)
})

test('closes quietly without a listener of error', async (t) => {
  const wire = pwp.connect({ host: HOST, port: await freePort() })
  t.like(await ending(wire), { code: 'ECONNREFUSED' })
  t.true(wire.destroyed)
  const outcome = await new Promise((resolve) => {
    wire.request(0, 0, 1, resolve)
  })
  t.is(outcome.message, 'wire is closed')
})

test('fails as a socket of Node where the local address is not ours', async (t) => {
  const server = await listenRaw(t)
  const options = { host: HOST, port: server.address().port, localAddress: '192.0.2.1' }
  const error = await ending(pwp.connect(options))
  t.deepEqual(facts(error), facts(await errorOfNode(options)))
  t.is(error.code, 'EADDRNOTAVAIL')
})

test('takes a local address and port', async (t) => {
  const server = await listenRaw(t)
  const localPort = await freePort()
  const wire = dial(t, server, { localAddress: '127.0.0.2', localPort })
  const [socket] = await once(server, 'connection')
  t.like(socket, { remoteAddress: '127.0.0.2', remotePort: localPort })
  if (wire.connecting) await once(wire, 'connect')
  t.like(wire, { localAddress: '127.0.0.2', localPort })
})

test('fails with the error of the lookup', async (t) => {
  const cause = Object.assign(new Error('getaddrinfo ENOTFOUND nowhere'), { code: 'ENOTFOUND' })
  const lookup = (host, options, callback) => callback(cause)
  t.is(await ending(pwp.connect({ host: 'nowhere', port: 1, lookup })), cause)
  t.like(await ending(pwp.connect({ host: 'nowhere', port: 1, lookup: giving() })), {
    code: 'ENOTFOUND',
    hostname: 'nowhere'
  })
})

test('asks the lookup as Node does, and takes one address of it', async (t) => {
  const server = await listenRaw(t)
  const asked = []
  const lookup = (...args) => {
    asked.push(args.slice(0, 2))
    args[2](null, HOST, 4)
  }
  const wire = dial(t, server, { host: 'some.name', family: 4, lookup })
  await once(wire, 'connect')
  t.deepEqual(asked, [['some.name', { all: true, family: 4 }]])
  t.is(wire.remoteAddress, HOST)
})

test('tries the addresses of a name one after the other', async (t) => {
  const server = await listenRaw(t)
  const lookup = giving('127.0.0.2', '127.0.0.3', HOST)
  const wire = dial(t, server, { host: 'some.name', lookup })
  await once(wire, 'connect')
  t.is(wire.remoteAddress, HOST)
})

test('gives the errors of all addresses, the families in turn', async (t) => {
  const port = await freePort()
  const lookup = giving('127.0.0.1', '127.0.0.2', '::1')
  const error = await ending(pwp.connect({ host: 'some.name', port, lookup }))
  t.true(error instanceof AggregateError)
  t.deepEqual(
    error.errors.map(({ address }) => address),
    ['127.0.0.1', '::1', '127.0.0.2']
  )
  t.is(error.code, 'ECONNREFUSED')
})

test('connects by name', async (t) => {
  const server = await listenRaw(t)
  const wire = dial(t, server, { host: 'localhost', family: 4 })
  await once(wire, 'connect')
  t.is(wire.remoteAddress, HOST)
  t.is(wire.peerAddress, `localhost:${server.address().port}`)
})

const testIPv6 = hasIPv6 ? test : test.skip

testIPv6('connects by IPv6', async (t) => {
  const server = await listenRaw(t, '::1')
  const { port } = server.address()
  const wire = dial(t, server, { host: '::1' })
  await once(wire, 'connect')
  t.like(wire, { remoteAddress: '::1', remoteFamily: 'IPv6', peerAddress: `[::1]:${port}` })
})

test('ends at once with a signal that is aborted already', async (t) => {
  const wire = pwp.connect({ host: HOST, port: 1, signal: AbortSignal.abort() })
  t.false(wire.destroyed, 'not before its user can listen')
  t.like(await ending(wire), { name: 'AbortError', code: 'ABORT_ERR' })
})

test('ends while it connects when the signal is aborted, and not later', async (t) => {
  const controller = new AbortController()
  const wire = pwp.connect({ host: 'nowhere', port: 1, lookup: silent, signal: controller.signal })
  const end = ending(wire)
  controller.abort()
  t.like(await end, { name: 'AbortError' })

  const server = await listenRaw(t)
  const later = new AbortController()
  const connected = dial(t, server, { signal: later.signal })
  await once(connected, 'connect')
  later.abort()
  t.false(connected.destroyed)
})

test('limits the time to connect, the lookup included', async (t) => {
  const wire = pwp.connect({ host: 'nowhere', port: 1, lookup: silent, connectTimeout: 20 })
  t.like(await ending(wire), { code: 'ETIMEDOUT', syscall: 'connect' })
})

test('may be destroyed while it connects', async (t) => {
  const wire = pwp.connect({ host: 'nowhere', port: 1, lookup: silent })
  const calls = []
  for (const name of ['connect', 'close', 'finish', 'end']) wire.on(name, () => calls.push(name))
  wire.handshake(ID, ID)
  const before = t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
  wire.destroy()
  await before
  await t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_UNFLUSHED', message: /^68 bytes/ })
  if (!wire.readableEnded) await once(wire, 'end')
  t.deepEqual(calls, ['close', 'finish', 'end'])
})

test('says when output has left, and when it is lost', async (t) => {
  const [wire, socket] = await wireAndSocket(t)
  await wire.flushed()
  wire.handshake(ID, ID)
  wire.unchoke()
  let received = 0
  socket.on('data', ({ length }) => {
    received += length
  })
  await wire.flushed()
  wire.destroy()
  await once(socket, 'end')
  t.is(received, 73)
  socket.end()
  t.is(await wire.flushed(), undefined, 'also after the end')

  const [stuck, peer] = await wireAndSocket(t)
  peer.pause()
  stuck.handshake(ID, ID)
  stuck.unchoke()
  for (let block = 0; block < 200; block++) stuck.piece(block, 0, Buffer.alloc(128 * 1024))
  const lost = t.throwsAsync(stuck.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
  peer.resetAndDestroy()
  const error = await lost
  t.true(error.unsent > 0)
  t.like(await ending(stuck), { code: 'ECONNRESET' })
})

test('waits only for what was sent before', async (t) => {
  const [wire, socket] = await wireAndSocket(t, { sendBufferSize: 8192 })
  socket.pause()
  wire.handshake(ID, ID)
  wire.unchoke()
  const first = wire.flushed()
  for (let block = 0; block < 500; block++) wire.piece(block, 0, Buffer.alloc(128 * 1024))
  const lost = t.throwsAsync(wire.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
  await first
  t.true(wire.bufferedAmount > 0)
  socket.destroy()
  await lost
})

test('ends with the peer, cleanly and by a reset', async (t) => {
  const [wire, socket] = await wireAndSocket(t)
  socket.write(HANDSHAKE)
  socket.end()
  t.is(await ending(wire), null)

  const [other, peer] = await wireAndSocket(t)
  peer.resetAndDestroy()
  const error = await ending(other)
  t.like(error, { code: 'ECONNRESET', syscall: 'read' })
  t.is(error.message, 'read ECONNRESET')
})

test('waits for an exchange before it says that output has left', async (t) => {
  const server = await serve(t, { infoHashes: ID, encryption: { mode: 'require' } })
  const encryption = { role: 'initiator', mode: 'require', infoHash: ID }
  const wire = dial(t, server, { encryption })
  wire.handshake(ID, ID)
  wire.unchoke()
  await wire.flushed()
  t.is(wire.encryption.method, 'rc4')
  t.is(wire.bufferedAmount, 0)

  const raw = await listenRaw(t)
  const other = dial(t, raw, { encryption })
  other.handshake(ID, ID)
  other.unchoke()
  const lost = t.throwsAsync(other.flushed(), { code: 'ERR_PWP_UNFLUSHED' })
  other.destroy()
  await lost
})

for (const [name, options, error] of [
  ['no options', undefined, TypeError],
  ['no port', {}, TypeError],
  ['port 0', { port: 0 }, RangeError],
  ['a large port', { port: 65_536 }, RangeError],
  ['a port in words', { port: 'six' }, TypeError],
  ['an empty host', { port: 1, host: '' }, TypeError],
  ['a family of its own', { port: 1, family: 5 }, RangeError],
  ['a family in words', { port: 1, family: 'IPv4' }, TypeError],
  ['a name as local address', { port: 1, localAddress: 'localhost' }, TypeError],
  ['a wrong signal', { port: 1, signal: {} }, TypeError],
  ['a wrong lookup', { port: 1, lookup: 'dns' }, TypeError],
  ['a wrong time', { port: 1, connectTimeout: -1 }, RangeError],
  ['a wrong buffer size', { port: 1, sendBufferSize: 1.5 }, RangeError],
  ['a wrong flag', { port: 1, noDelay: 1 }, TypeError],
  ['a wrong option of the wire', { port: 1, pieces: -1 }, RangeError]
]) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => pwp.connect(options), { instanceOf: error })
    t.throws(() => pwp.promises.connect(options), { instanceOf: error })
  })
}

test('takes digits as a port, and sizes of buffers', async (t) => {
  const server = await listenRaw(t)
  const port = String(server.address().port)
  const wire = dial(t, server, {
    port,
    sendBufferSize: 65_536,
    receiveBufferSize: 65_536,
    noDelay: false
  })
  await once(wire, 'connect')
  t.is(wire.remotePort, Number(port))
})

test('promises.connect() gives a connected wire, or the error', async (t) => {
  const server = await listenRaw(t)
  const wire = await pwp.promises.connect({ host: HOST, port: server.address().port })
  t.teardown(() => wire.destroy())
  t.is(wire.transport, 'native')
  t.false(wire.connecting)
  const port = await freePort()
  await t.throwsAsync(pwp.promises.connect({ host: HOST, port }), { code: 'ECONNREFUSED' })
  const signal = AbortSignal.abort()
  await t.throwsAsync(pwp.promises.connect({ host: HOST, port, signal }), { name: 'AbortError' })
})
