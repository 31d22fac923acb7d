// `pwp.createServer()`: a server of native wires behaves as one of net.
import { once } from 'node:events'
import net from 'node:net'
import os from 'node:os'
import test from 'ava'

import { HOST, connectRaw, dial, ending, freePort, serve } from '../testkit/native.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

const hasIPv6 = Object.values(os.networkInterfaces())
  .flat()
  .some(({ address }) => address === '::1')

const facts = ({ code, errno, syscall, address, port, message }) => ({
  code,
  errno,
  syscall,
  address,
  port,
  message
})

/** Both servers, of which the tests of net's own behaviour hold. */
const MAKERS = [
  ['native', () => pwp.createServer()],
  ['net', () => net.createServer()]
]

for (const [name, make] of MAKERS) {
  test(`${name}: listens, says where, and closes`, async (t) => {
    const server = make()
    t.false(server.listening)
    t.is(server.address(), null)
    t.is(server.listen(0, HOST), server)
    await once(server, 'listening')
    t.true(server.listening)
    const { port, ...rest } = server.address()
    t.deepEqual(rest, { address: HOST, family: 'IPv4' })
    t.true(port > 0)
    const calls = []
    server.on('close', () => calls.push('event'))
    await new Promise((resolve) => {
      server.close((...args) => {
        calls.push(...args, 'callback')
        resolve()
      })
    })
    await settled()
    t.deepEqual(calls, ['event', 'callback'])
    t.false(server.listening)
    t.is(server.address(), null)
  })

  test(`${name}: can listen again`, async (t) => {
    const server = make()
    for (let round = 0; round < 2; round++) {
      await once(server.listen(0, HOST), 'listening') // oxlint-disable-line no-await-in-loop
      server.close()
      await once(server, 'close') // oxlint-disable-line no-await-in-loop
    }
    t.pass()
  })

  test(`${name}: takes the forms of listen()`, async (t) => {
    const port = await freePort()
    for (const args of [
      [port, HOST],
      [{ port, host: HOST }],
      [port, HOST, 10],
      [String(port), HOST]
    ]) {
      const server = make()
      const heard = new Promise((resolve) => {
        server.listen(...args, resolve)
      })
      await heard // oxlint-disable-line no-await-in-loop
      t.like(server.address(), { address: HOST, port })
      server.close()
      await once(server, 'close') // oxlint-disable-line no-await-in-loop
    }
    const server = make()
    await new Promise((resolve) => {
      server.listen(resolve)
    })
    t.true(server.address().port > 0)
    server.close()
    await once(server, 'close')
  })

  test(`${name}: refuses to listen twice`, async (t) => {
    const server = make()
    server.listen(0)
    t.throws(() => server.listen(0), { code: 'ERR_SERVER_ALREADY_LISTEN' })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
  })

  test(`${name}: tells a callback of close() that it does not run`, async (t) => {
    const server = make()
    const error = await new Promise((resolve) => {
      server.close(resolve)
    })
    t.is(error.code, 'ERR_SERVER_NOT_RUNNING')
  })

  test(`${name}: may be closed before it listens`, async (t) => {
    const server = make()
    const calls = []
    server.on('listening', () => calls.push('listening'))
    server.listen(0, HOST)
    server.close()
    await once(server, 'close')
    await settled()
    t.deepEqual(calls, [])
  })

  test(`${name}: closes by a signal`, async (t) => {
    const server = make()
    const controller = new AbortController()
    server.listen({ port: 0, host: HOST, signal: controller.signal })
    await once(server, 'listening')
    controller.abort()
    await once(server, 'close')
    t.false(server.listening)

    const other = make()
    other.listen({ port: 0, host: HOST, signal: AbortSignal.abort() })
    await once(other, 'close')
    t.false(other.listening)
  })

  test(`${name}: drops connections above maxConnections`, async (t) => {
    const server = make()
    server.maxConnections = 1
    const accepted = []
    server.on(name === 'net' ? 'connection' : 'wire', (one) => accepted.push(one))
    await once(server.listen(0, HOST), 'listening')
    const first = await connectRaw(t, server)
    await new Promise((resolve) => {
      if (accepted.length > 0) resolve()
      else server.once(name === 'net' ? 'connection' : 'wire', resolve)
    })
    const dropped = once(server, 'drop')
    const second = await connectRaw(t, server)
    const [place] = await dropped
    t.deepEqual(place, {
      localAddress: HOST,
      localPort: server.address().port,
      localFamily: 'IPv4',
      remoteAddress: HOST,
      remotePort: second.localPort,
      remoteFamily: 'IPv4'
    })
    if (!second.destroyed) await once(second, 'close')
    t.is(accepted.length, 1)
    first.destroy()
    accepted[0].destroy()
    server.close()
    await once(server, 'close')
  })
}

test('fails as a server of net where the port is taken', async (t) => {
  const taken = await serve(t)
  const { port } = taken.address()
  const errors = await Promise.all(
    MAKERS.map(async ([, make]) => {
      const server = make().listen(port, HOST)
      const [error] = await once(server, 'error')
      t.false(server.listening)
      return facts(error)
    })
  )
  t.deepEqual(errors[0], errors[1])
  t.is(errors[0].code, 'EADDRINUSE')
})

test('fails as a server of net where the port is taken and no host is named', async (t) => {
  const taken = pwp.createServer().listen()
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address()
  const errors = await Promise.all(
    MAKERS.map(async ([, make]) => facts((await once(make().listen(port), 'error'))[0]))
  )
  t.deepEqual(errors[0], errors[1])
})

test('fails as a server of net at an address that is not ours', async (t) => {
  const errors = await Promise.all(
    MAKERS.map(async ([, make]) => facts((await once(make().listen(0, '192.0.2.1'), 'error'))[0]))
  )
  t.deepEqual(errors[0], errors[1])
  t.is(errors[0].code, 'EADDRNOTAVAIL')
})

test('listens again after a failure', async (t) => {
  const taken = await serve(t)
  const server = pwp.createServer()
  server.listen(taken.address().port, HOST)
  await once(server, 'error')
  await once(server.listen(0, HOST), 'listening')
  server.close()
  await once(server, 'close')
  t.pass()
})

const testIPv6 = hasIPv6 ? test : test.skip

testIPv6('takes peers of IPv4 and IPv6 without a host, as Node does', async (t) => {
  const wires = []
  const server = pwp.createServer((wire) => wires.push(wire))
  t.teardown(() => server.close())
  await once(server.listen(), 'listening')
  t.like(server.address(), { address: '::', family: 'IPv6' })
  for (const host of [HOST, '::1']) {
    const heard = once(server, 'wire')
    const socket = await connectRaw(t, server, { host }) // oxlint-disable-line no-await-in-loop
    const [wire] = await heard // oxlint-disable-line no-await-in-loop
    t.is(wire.remotePort, socket.localPort)
    wire.destroy()
  }
  const [four, six] = wires
  t.like(four, { remoteAddress: `::ffff:${HOST}`, remoteFamily: 'IPv6' })
  t.is(four.peerAddress, `${HOST}:${four.remotePort}`)
  t.like(six, { remoteAddress: '::1', peerAddress: `[::1]:${six.remotePort}` })
})

test('gives wires that say where they are connected', async (t) => {
  const server = await serve(t)
  const heard = once(server, 'wire')
  const socket = await connectRaw(t, server)
  const [wire, infoHash] = await heard
  t.true(wire instanceof pwp)
  t.is(infoHash, null)
  t.false(wire.connecting)
  t.like(wire, {
    transport: 'native',
    localAddress: HOST,
    localPort: server.address().port,
    remoteAddress: HOST,
    remotePort: socket.localPort,
    remoteFamily: 'IPv4',
    peerAddress: `${HOST}:${socket.localPort}`
  })
})

test('asks the filter before anything is made for a peer', async (t) => {
  const asked = []
  const server = await serve(t, {
    filter(address, port) {
      asked.push([address, port])
      return asked.length > 1
    }
  })
  const refused = await connectRaw(t, server)
  if (!refused.destroyed) await once(refused, 'close')
  const heard = once(server, 'wire')
  const taken = await connectRaw(t, server)
  await heard
  t.deepEqual(asked, [
    [HOST, refused.localPort ?? asked[0][1]],
    [HOST, taken.localPort]
  ])
  t.is(server.connections, 1)
})

test('may be closed by its filter', async (t) => {
  const server = await serve(t, {
    infoHashes: Buffer.alloc(20),
    filter() {
      server.close()
      return true
    }
  })
  const closed = once(server, 'close')
  const refused = []
  server.on('refuse', () => refused.push('refuse'))
  const socket = await connectRaw(t, server)
  await closed
  if (!socket.destroyed) await once(socket, 'close')
  t.is(server.connections, 0)
  t.deepEqual(refused, [])
})

test("'close' comes when the last wire has closed", async (t) => {
  const server = await serve(t)
  const heard = once(server, 'wire')
  const wire = dial(t, server)
  const [other] = await heard
  const order = []
  server.on('close', () => order.push('server'))
  other.on('close', () => order.push('wire'))
  const closed = once(server, 'close')
  server.close()
  await settled()
  t.deepEqual(order, [])
  wire.destroy()
  await closed
  t.deepEqual(order, ['wire', 'server'])
  t.is(server.connections, 0)
})

test('takes no connection once it is closed', async (t) => {
  const server = pwp.createServer()
  await once(server.listen(0, HOST), 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  t.like(await ending(pwp.connect({ host: HOST, port })), { code: 'ECONNREFUSED' })
})

test('can be disposed of', async (t) => {
  const server = pwp.createServer()
  await server[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]()
  await once(server.listen(0, HOST), 'listening')
  await server[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]()
  t.false(server.listening)
})

test('promises.listen() gives a server that listens, or the error', async (t) => {
  const wires = []
  const server = await pwp.promises.listen({ port: 0, host: HOST }, (wire) => wires.push(wire))
  t.teardown(() => server.close())
  const heard = once(server, 'wire')
  dial(t, server)
  await heard
  t.is(wires.length, 1)
  wires[0].destroy()
  const { port } = server.address()
  await t.throwsAsync(pwp.promises.listen({ port, host: HOST }), { code: 'EADDRINUSE' })
  const signal = AbortSignal.abort()
  await t.throwsAsync(pwp.promises.listen({ signal }), { name: 'AbortError' })
})

for (const [name, options, error] of [
  ['a wrong filter', { filter: true }, TypeError],
  ['a wrong policy', { handshakePolicy: {} }, TypeError],
  ['wrong info hashes', { infoHashes: ['00'] }, Error],
  ['a wrong option of wires', { pieces: -1 }, RangeError],
  ['options that are none', 5, TypeError],
  ['an initiator', { infoHashes: '0'.repeat(40), encryption: { role: 'initiator' } }, RangeError],
  ['encryption without torrents', { encryption: {} }, TypeError],
  ['a wrong mode', { infoHashes: '0'.repeat(40), encryption: { mode: 'on' } }, RangeError]
]) {
  test(`refuses ${name} when the server is made`, (t) => {
    t.throws(() => pwp.createServer(options), { instanceOf: error })
  })
}

for (const [name, args, error] of [
  ['a large port', [65_536], RangeError],
  ['a path', ['/tmp/socket'], TypeError],
  ['an empty host', [0, ''], TypeError],
  ['a negative backlog', [0, HOST, -1], RangeError],
  ['a wrong signal', [{ port: 0, signal: {} }], TypeError]
]) {
  test(`listen() refuses ${name}`, (t) => {
    const server = pwp.createServer()
    t.throws(() => server.listen(...args), { instanceOf: error })
    t.false(server.listening)
  })
}

test('refuses a listener that is no function', (t) => {
  t.throws(() => pwp.createServer({}, {}), { instanceOf: TypeError })
})
