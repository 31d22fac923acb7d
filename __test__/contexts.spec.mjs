// The async context in which listeners and callbacks run: that of the call that causes them, or that of
// the wire if they run after that call has returned.
import { AsyncLocalStorage } from 'node:async_hooks'
import { PassThrough, Writable } from 'node:stream'

import test from 'ava'

import { FakeClock } from '../testkit/fake-clock.mjs'
import { frame } from '../testkit/messages.mjs'
import { FAST_HANDSHAKE, HANDSHAKE, pwp, settled } from '../testkit/wires.mjs'

const LENGTH = 100
const BLOCK = Buffer.alloc(LENGTH)
const contexts = new AsyncLocalStorage()
const here = () => contexts.getStore()

/** A wire made in the context 'wire', whose peer has sent a handshake and does not choke us. */
const made = (options) =>
  contexts.run('wire', () => {
    const wire = pwp(options)
    wire.write(Buffer.concat([HANDSHAKE, frame(1)]))
    return wire
  })

/** A wire with room for one answer, and this many requests; `calls` has the context of each request. */
const asked = (count) => {
  const wire = made({ uploadBacklog: LENGTH - 1 })
  const self = { wire, calls: [], responds: [] }
  wire.unchoke()
  wire.read()
  wire.on('request', (piece, offset, length, respond) => {
    self.calls.push(here())
    self.responds.push(respond)
  })
  const requests = Array.from({ length: count }, (_, piece) => frame(6, piece, 0, LENGTH))
  contexts.run('input', () => wire.write(Buffer.concat(requests)))
  return self
}

/** Ways to make room. */
const ROOM = {
  'an answer': ({ wire, responds }) => {
    wire.resume()
    responds[0](null, BLOCK)
  },
  'a refusal': ({ responds }) => responds[0](new Error('no such block')),
  'piece()': ({ wire }) => {
    wire.resume()
    wire.piece(0, 0, BLOCK)
  },
  'a reader': ({ wire, responds }) => {
    responds[0](null, BLOCK)
    wire.read()
  },
  'a pipe': ({ wire, responds }) => {
    responds[0](null, BLOCK)
    wire.pipe(new PassThrough()).resume()
  },
  'the drain of a sink': ({ wire, responds }) => {
    const sink = new Writable({ highWaterMark: 1, write: (c, e, done) => setImmediate(done) })
    wire.pipe(sink)
    responds[0](null, BLOCK)
  }
}

for (const [what, makeRoom] of Object.entries(ROOM)) {
  test(`delivers requests held back in the context of the wire when ${what} makes room`, async (t) => {
    const state = asked(3)
    contexts.run('user', () => makeRoom(state))
    for (let turn = 0; turn < 3; turn++) await settled() // oxlint-disable-line no-await-in-loop
    t.deepEqual(state.calls, ['input', 'wire'])
  })
}

test('delivers a chunk that a listener writes in the context of the wire', async (t) => {
  const wire = made()
  const calls = []
  wire.on('have', (piece) => {
    calls.push(`${piece} ${here()}`)
    if (piece !== 1) return
    contexts.run('listener', () => {
      for (const next of [2, 3]) wire.write(frame(4, next))
    })
  })
  contexts.run('input', () => wire.write(frame(4, 1)))
  await settled()
  t.deepEqual(calls, ['1 input', '2 wire', '3 wire'])
})

test('runs listeners in the context of the call that causes the event', (t) => {
  const wire = made()
  const calls = []
  const note = (name) => () => calls.push(`${name} ${here()}`)
  wire.request(0, 0, 1, note('cancelled'))
  for (const name of ['have', 'upload', 'close']) wire.on(name, note(name))
  contexts.run('input', () => wire.write(frame(4, 1)))
  contexts.run('user', () => {
    wire.cancel(0, 0, 1)
    wire.piece(0, 0, BLOCK)
    wire.destroy()
  })
  t.deepEqual(calls, ['have input', 'cancelled user', 'upload user', 'close user'])
})

for (const [how, end] of Object.entries({
  'destroy()': (wire) => wire.destroy(),
  'end()': (wire) => wire.end(),
  'the end of the input': (wire) => new PassThrough().end().pipe(wire)
})) {
  test(`fails open requests in the context of the wire after ${how}`, async (t) => {
    const wire = made()
    const calls = []
    for (const piece of [0, 1])
      wire.request(piece, 0, 1, ({ message }) => calls.push(message, here()))
    wire.resume()
    contexts.run('user', () => end(wire))
    await settled()
    t.deepEqual(calls, ['wire is closed', 'wire', 'wire is closed', 'wire'])
  })
}

test('closes in the context of the wire after its input has ended', async (t) => {
  const wire = made()
  const calls = []
  for (const name of ['error', 'close']) wire.on(name, () => calls.push(name, here()))
  contexts.run('peer', () => wire.end(frame(4, 1).subarray(0, 5)))
  await settled()
  contexts.run('reader', () => wire.read())
  await settled()
  t.deepEqual(calls, ['error', 'wire', 'close', 'wire'])
})

test.serial(
  'fails overdue requests of the fast extension in the context of the wire',
  async (t) => {
    const clock = new FakeClock()
    clock.install()
    t.teardown(() => clock.restore())
    const calls = []
    const wire = contexts.run('wire', () => pwp({ rejectTimeout: 10 }))
    const note = () => calls.push(here())
    contexts.run('user', () => wire.handshake(Buffer.alloc(20), Buffer.alloc(20), { fast: true }))
    contexts.run('input', () => wire.write(Buffer.concat([FAST_HANDSHAKE, frame(1)])))
    contexts.run('user', () => {
      for (const piece of [1, 2, 3]) wire.request(piece, 0, 9, note)
    })
    contexts.run('input', () => wire.write(Buffer.concat([frame(0), frame(16, 2, 0, 9)])))
    await contexts.run('clock', () => clock.advance(10, settled))
    t.deepEqual(calls, ['input', 'wire', 'wire'])
  }
)

test('refuses a handshake in the context of the wire', async (t) => {
  for (const options of [{ infoHashes: [] }, { notPeerId: HANDSHAKE.subarray(48) }]) {
    const calls = []
    const wire = contexts.run('wire', () => pwp(options))
    wire.on('info-hash', () => calls.push(`info-hash ${here()}`))
    for (const name of ['error', 'close']) wire.on(name, () => calls.push(`${name} ${here()}`))
    contexts.run('input', () => wire.write(HANDSHAKE))
    await settled() // oxlint-disable-line no-await-in-loop
    const ends = calls.filter((call) => !call.startsWith('info-hash'))
    t.is(ends.length, 2)
    t.true(
      calls.every((call) => /^info-hash input$|^(error|close) (input|wire)$/.test(call)),
      `${calls}`
    )
  }
})

test.serial('runs its timers in the context of the wire', async (t) => {
  const clock = new FakeClock()
  clock.install()
  t.teardown(() => clock.restore())
  const calls = []
  const note = (name) => () => calls.push(name, here())
  const wire = made({ inactivityTimeout: 90_000 })
  wire.setTimeout(10_000)
  contexts.run('user', () => {
    wire.setKeepAlive()
    wire.request(0, 0, 1, note('request'))
    wire.read()
  })
  wire.on('timeout', note('timeout'))
  wire.on('data', note('keep-alive'))
  wire.on('close', note('close'))
  contexts.run('peer', () => wire.write(Buffer.alloc(4)))
  const silent = contexts.run('wire', () => pwp({ handshakeTimeout: 95_000 }))
  silent.on('close', note('silent'))
  await contexts.run('clock', () => clock.advance(100_000, settled))
  t.deepEqual(
    calls,
    ['request', 'timeout', 'keep-alive', 'close', 'silent'].flatMap((name) => [name, 'wire'])
  )
})
