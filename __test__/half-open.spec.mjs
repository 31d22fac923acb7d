// Connections that end in one direction first: nothing that was sent is lost, and a wire closes when both
// directions have ended.
import { once } from 'node:events'
import net from 'node:net'
import { PassThrough } from 'node:stream'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, pwp, record, settled } from '../testkit/wires.mjs'

const HEAD = 13

/** The server of the README, with options; returns the two ends of one connection to it. */
const connected = async (t, { allowHalfOpen, uploadBacklog, turns }) => {
  const server = net.createServer({ allowHalfOpen }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [socket] = await once(server, 'connection')
  t.teardown(() => {
    server.close()
    for (const end of [client, socket]) end.destroy()
  })
  const wire = pwp({ uploadBacklog })
  socket.pipe(wire).pipe(socket)
  socket.on('error', () => wire.destroy())
  wire.on('handshake', () => wire.unchoke())
  wire.on('request', (piece, offset, length, respond) => {
    let left = turns
    const answer = () =>
      left-- > 0 ? setImmediate(answer) : respond(null, Buffer.alloc(length, piece))
    answer()
  })
  return { client, socket, wire }
}

/** Requests blocks until all buffers between the two are full, and does not read. */
const fill = async ({ client, wire }, length) => {
  client.write(HANDSHAKE)
  await once(wire, 'handshake')
  const requests = Buffer.concat(Array.from({ length: 50 }, (_, n) => frame(6, n, 0, length)))
  while (wire.stats().heldRequests === 0) {
    client.write(requests)
    // oxlint-disable-next-line no-await-in-loop -- until it is full
    for (let turn = 0; turn < 5; turn++) await settled()
  }
}

const readAll = async (socket) => {
  let length = 0
  for await (const chunk of socket) length += chunk.length
  return length
}

for (const allowHalfOpen of [false, true]) {
  for (const [length, uploadBacklog, turns] of [
    [16 * 1024, 1024 * 1024, 0],
    [16 * 1024, 1024 * 1024, 1],
    [100 * 1000, 4 * 1024 * 1024, 0],
    [5000, 700_000, 0],
    [16 * 1024, 64 * 1024, 2]
  ]) {
    const how = allowHalfOpen ? 'with allowHalfOpen' : 'without allowHalfOpen'
    test(`sends all queued blocks of ${length} bytes to a peer that has ended, with backlog ${uploadBacklog} after ${turns} turns, over a socket ${how}`, async (t) => {
      const ends = await connected(t, { allowHalfOpen, uploadBacklog, turns })
      const { client, wire } = ends
      const life = record(wire, ['finish', 'end', 'close'])
      await fill(ends, length)
      const closed = once(wire, 'close')
      client.end()
      await once(wire, 'finish')
      const received = await readAll(client)
      await closed
      const { bytes, messages } = wire.stats().sent
      t.is(received, bytes)
      t.true(messages.piece > 0)
      t.deepEqual(life, ['finish', 'end', 'close'])
      t.is(wire.bufferedAmount, 0)
    })
  }

  for (const count of [0, 1, 40]) {
    test(`sends ${count} blocks to a peer that requests them and ends, with allowHalfOpen ${allowHalfOpen}`, async (t) => {
      const { client, wire } = await connected(t, { allowHalfOpen, turns: 0 })
      const closed = once(wire, 'close')
      client.write(HANDSHAKE)
      await once(wire, 'handshake')
      client.end(Buffer.concat(Array.from({ length: count }, (_, n) => frame(6, n, 0, 3000))))
      const received = await readAll(client)
      await closed
      t.is(received, 5 + count * (HEAD + 3000))
    })
  }
}

for (const [how, act] of [
  ['is destroyed here', ({ client, socket }) => (socket.destroy(), client.resume())],
  ['is reset by the peer', ({ client }) => client.resetAndDestroy()],
  ['ends here, and then ends', ({ client, socket }) => (socket.end(), client.end().resume())]
]) {
  test(`closes a wire with queued output when its socket ${how}`, async (t) => {
    const ends = await connected(t, { allowHalfOpen: true, turns: 0 })
    const { socket, wire } = ends
    await fill(ends, 16 * 1024)
    const ended = once(wire, 'end')
    const closed = once(wire, 'close')
    const freed = new Promise((resolve) => socket.once('close', resolve))
    act(ends)
    await Promise.all([ended, closed, freed])
    t.is(wire.bufferedAmount, 0)
    t.is(wire.requests.length + wire.peerRequests.length, 0)
  })
}

/** A wire between two streams, with unread output, and the events of its end. */
const between = async () => {
  const source = new PassThrough()
  const sink = new PassThrough()
  const wire = pwp()
  source.pipe(wire).pipe(sink)
  source.write(HANDSHAKE)
  await settled()
  wire.pause()
  wire.have(1)
  return { source, sink, wire, life: record(wire, ['finish', 'end', 'close']) }
}

const PARTS = {
  'the source ends': ({ source }) => source.end(),
  'the source is destroyed': ({ source }) => source.destroy(),
  'the wire is ended': ({ wire }) => wire.end()
}

for (const [what, endInput] of Object.entries(PARTS)) {
  for (const [other, endOutput] of [
    ['is destroyed', ({ sink }) => sink.destroy()],
    ['ends', ({ sink }) => sink.end().resume()]
  ]) {
    for (const isInputFirst of [true, false]) {
      const when = isInputFirst ? 'before' : 'after'
      test(`closes when ${what} ${when} the sink ${other}`, async (t) => {
        const ends = await between()
        const steps = [endInput, endOutput]
        for (const step of isInputFirst ? steps : steps.toReversed()) {
          t.false(ends.wire.destroyed)
          step(ends)
          await settled() // oxlint-disable-line no-await-in-loop
        }
        t.deepEqual(ends.life.toSorted(), ['close', 'end', 'finish'])
        t.is(ends.wire.bufferedAmount, 0)
      })
    }
  }
}

test('stays open while it may receive input', async (t) => {
  const { life, sink, source, wire } = await between()
  sink.destroy()
  await settled()
  const delivered = record(wire, ['have'])
  source.write(frame(4, 2))
  await settled()
  t.deepEqual([life, delivered], [[], ['have']])
})

test('stays open while its output may be read', async (t) => {
  const { life, sink, source, wire } = await between()
  wire.on('readable', () => {})
  source.destroy()
  sink.destroy()
  await settled()
  t.deepEqual(life, [])
})

test('keeps its output for a reader when it was unpiped and its input has ended', async (t) => {
  const { life, sink, source, wire } = await between()
  wire.unpipe(sink)
  source.end()
  sink.destroy()
  await settled()
  t.deepEqual(life, ['finish'])
  t.deepEqual(wire.read(), frame(4, 1))
})

test('keeps its output for the stream that it is piped into next', async (t) => {
  const { sink, source, wire } = await between()
  sink.destroy()
  await settled()
  const other = wire.pipe(new PassThrough())
  source.end()
  await settled()
  t.deepEqual(other.read(), frame(4, 1))
})
