// Events of a wire through once() and on() of node:events.
import { on, once } from 'node:events'
import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, greeted, pwp, settled } from '../testkit/wires.mjs'

const TOO_LONG = Buffer.alloc(4, 0xff)

test('once() gives the arguments of an event', async (t) => {
  const wire = pwp()
  const { signal } = new AbortController()
  const waiting = once(wire, 'handshake', { signal })
  wire.write(HANDSHAKE)
  const [infoHash, peerId, extensions] = await waiting
  t.deepEqual([infoHash, peerId], [HANDSHAKE.subarray(28, 48), HANDSHAKE.subarray(48)])
  t.is(extensions, wire.peerExtensions)
  t.is(wire.listenerCount('error'), 0)
})

test('once() rejects when a wire fails, which goes on as without it', async (t) => {
  const wire = pwp()
  const waiting = once(wire, 'handshake')
  wire.write(Buffer.from(HANDSHAKE).fill(0, 1, 20))
  await t.throwsAsync(waiting, { code: 'ERR_PWP_HANDSHAKE' })
  t.is(wire.error.code, 'ERR_PWP_HANDSHAKE')
  t.true(wire.destroyed)
  t.is(wire.listenerCount('error'), 0)
  // Nobody waits for this one, and the process goes on.
  const other = greeted()
  other.write(TOO_LONG)
  await settled()
  t.is(other.error.code, 'ERR_PWP_MESSAGE_TOO_LONG')
})

test('once() honors a signal', async (t) => {
  const wire = pwp()
  const controller = new AbortController()
  const waiting = once(wire, 'handshake', { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(waiting, { name: 'AbortError' })
  wire.write(HANDSHAKE)
  t.false(wire.destroyed)
  t.is(wire.listenerCount('handshake') + wire.listenerCount('error'), 0)
})

test('on() gives each event of a chunk, and ends with the wire', async (t) => {
  const wire = greeted()
  const pieces = []
  const reading = (async () => {
    for await (const [piece] of on(wire, 'have', { close: ['close'] })) pieces.push(piece)
  })()
  wire.write(Buffer.concat([1, 2, 3].map((piece) => frame(4, piece))))
  await settled()
  t.deepEqual(pieces, [1, 2, 3])
  wire.write(frame(4, 4))
  wire.resume().destroy()
  await reading
  t.deepEqual(pieces, [1, 2, 3, 4])
  t.is(wire.listenerCount('have') + wire.listenerCount('error'), 0)
})

test('on() throws when a wire fails, after the events before', async (t) => {
  const wire = greeted()
  const pieces = []
  const reading = (async () => {
    for await (const [piece] of on(wire, 'have')) pieces.push(piece)
  })()
  wire.write(Buffer.concat([frame(4, 1), TOO_LONG]))
  await t.throwsAsync(reading, { code: 'ERR_PWP_MESSAGE_TOO_LONG' })
  t.deepEqual(pieces, [1])
})

test('on() honors a signal', async (t) => {
  const wire = greeted()
  const controller = new AbortController()
  const events = on(wire, 'have', { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(events.next(), { name: 'AbortError' })
  t.false(wire.destroyed)
  t.is(wire.listenerCount('have') + wire.listenerCount('error'), 0)
})

test('requests can be made while events are awaited', async (t) => {
  const [one, other] = [pwp(), pwp()]
  other.on('request', (piece, offset, length, respond) =>
    respond(null, Buffer.alloc(length, piece))
  )
  const unchoke = once(one, 'unchoke')
  one.pipe(other).pipe(one)
  for (const wire of [one, other]) wire.handshake(bytes(1), bytes(2))
  other.unchoke()
  await unchoke
  const blocks = await Promise.all([5, 6].map((piece) => one.requestBlock(piece, 0, 3)))
  t.deepEqual(blocks, [Buffer.alloc(3, 5), Buffer.alloc(3, 6)])
})

function bytes(fill) {
  return Buffer.alloc(20, fill)
}
