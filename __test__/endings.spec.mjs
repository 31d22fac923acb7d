// Ends without an announcement: a stream that is cut off, a peer that stays silent.
import { PassThrough } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, greeted, pwp, record, settled, unchoked } from '../testkit/wires.mjs'

/** Keeps the process alive, which the timers of wires do not. */
const closed = (wire) =>
  new Promise((resolve) => {
    const timer = setInterval(() => {}, 1000)
    wire.on('close', () => resolve(clearInterval(timer)))
  })

for (const [where, bytes] of [
  ['the handshake', HANDSHAKE.subarray(0, 1)],
  ['the handshake, but for its last byte', HANDSHAKE.subarray(0, 67)],
  ['a prefix', Buffer.concat([HANDSHAKE, Buffer.alloc(3)])],
  ['a have', Buffer.concat([HANDSHAKE, frame(4, 1).subarray(0, -1)])],
  ['a block', Buffer.concat([HANDSHAKE, frame(7, 0, 0, Buffer.alloc(100)).subarray(0, -1)])]
]) {
  test(`emits an error if the input ends inside ${where}`, async (t) => {
    const wire = pwp()
    const order = record(wire, ['finish', 'end', 'error', 'close'])
    wire.resume()
    for (let at = 0; at < bytes.length; at += 50) wire.write(bytes.subarray(at, at + 50))
    wire.end()
    await closed(wire)
    t.is(wire.error.code, 'ERR_PWP_TRUNCATED')
    t.true(wire.error instanceof pwp.ProtocolError)
    t.deepEqual(order, ['finish', 'end', 'error', 'close'])
  })
}

for (const [where, bytes] of [
  ['nothing', Buffer.alloc(0)],
  ['the handshake', HANDSHAKE],
  ['a message', Buffer.concat([HANDSHAKE, frame(4, 1)])]
]) {
  test(`closes without an error if the input ends after ${where}`, async (t) => {
    const wire = pwp()
    wire.on('error', () => t.fail())
    wire.resume()
    wire.end(bytes)
    await closed(wire)
    t.is(wire.error, null)
  })
}

test('closes quietly after an end inside a message if nobody listens for errors', async (t) => {
  const source = new PassThrough()
  const wire = pwp()
  source.pipe(wire).resume()
  source.end(HANDSHAKE.subarray(0, 40))
  await closed(wire)
  t.is(wire.error.code, 'ERR_PWP_TRUNCATED')
})

test('fails open requests with the text of the original when the input is cut off', async (t) => {
  const wire = unchoked()
  wire.resume()
  wire.request(1, 0, 4, (error) => t.is(error.message, 'wire is closed'))
  wire.end(frame(4, 1).subarray(0, 5))
  await closed(wire)
  t.is(wire.error.code, 'ERR_PWP_TRUNCATED')
})

test('reports no error if we end the input inside a message', async (t) => {
  const half = frame(4, 2).subarray(0, 6)
  const inListener = greeted()
  inListener.on('have', () => inListener.end())
  inListener.write(Buffer.concat([frame(4, 1), half]))

  const source = new PassThrough()
  const whilePiped = pwp()
  source.pipe(whilePiped)
  source.write(Buffer.concat([HANDSHAKE, half]))
  await settled()
  whilePiped.end()

  const destroyed = greeted()
  destroyed.write(half)
  destroyed.destroy()

  const wires = [inListener, whilePiped, destroyed]
  for (const wire of wires) wire.resume()
  await settled()
  t.deepEqual(
    wires.map((wire) => [wire.destroyed, wire.error]),
    wires.map(() => [true, null])
  )
})

test('honors handshakeTimeout', async (t) => {
  const late = pwp({ handshakeTimeout: 20 })
  const early = pwp({ handshakeTimeout: 20 })
  early.write(HANDSHAKE)
  await Promise.all([closed(late), wait(60)])
  t.is(late.error.code, 'ERR_PWP_HANDSHAKE_TIMEOUT')
  t.is(late.error.limit, 20)
  t.false(early.destroyed)
})

test('honors inactivityTimeout', async (t) => {
  const wire = unchoked({ inactivityTimeout: 40 })
  wire.request(0, 0, 1, (error) => t.is(error.code, 'ERR_PWP_INACTIVITY_TIMEOUT'))
  let heard = 0
  const keepAlives = setInterval(() => {
    wire.write(Buffer.alloc(4))
    if (++heard === 30) clearInterval(keepAlives)
  }, 5)
  await closed(wire)
  t.is(heard, 30)
  t.is(wire.error.code, 'ERR_PWP_INACTIVITY_TIMEOUT')
  t.is(wire.error.limit, 40)
  await settled()
  t.plan(4)
})

test('leaves no timers after it has ended', async (t) => {
  const wire = pwp({ handshakeTimeout: 1, inactivityTimeout: 1 })
  wire.destroy()
  await wait(20)
  t.is(wire.error, null)
})
