// Violations of a peer: each has one code, closes once, throws nothing and loses nothing.
import { errorMonitor } from 'node:events'
import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, UNCHOKE, greeted, pwp, record, settled, unchoked } from '../testkit/wires.mjs'

const prefix = (length) => Buffer.from([length >>> 24, length >>> 16, length >>> 8, length])

const refuses = (title, { code, options, bad, good }) => {
  test(title, async (t) => {
    const wire = greeted(options)
    wire.unchoke()
    if (good) wire.write(good)
    t.is(wire.error, null)
    wire.write(bad)
    t.true(wire.error instanceof pwp.ProtocolError)
    t.is(wire.error.code, code)
    t.is(wire.error.name, 'ProtocolError')
    t.true(wire.destroyed)
    await settled()
  })
}

for (const [id, name, least] of [
  [4, 'have', 5],
  [6, 'request', 13],
  [7, 'piece', 9],
  [8, 'cancel', 13],
  [9, 'port', 3],
  [20, 'extended', 2]
]) {
  refuses(`refuses a ${name} that is too short`, {
    code: 'ERR_PWP_MESSAGE_LENGTH',
    good: frame(id, Buffer.alloc(least - 1)),
    bad: frame(id, Buffer.alloc(least - 2))
  })
}

refuses('honors maxMessageLength, at the length prefix', {
  code: 'ERR_PWP_MESSAGE_TOO_LONG',
  options: { maxMessageLength: 100 },
  good: frame(99, Buffer.alloc(99)),
  bad: prefix(101)
})

refuses('refuses a message above 1 MiB by default', {
  code: 'ERR_PWP_MESSAGE_TOO_LONG',
  good: frame(99, Buffer.alloc(1024 * 1024 - 1)),
  bad: prefix(1024 * 1024 + 1)
})

refuses('refuses the largest length prefix', { code: 'ERR_PWP_MESSAGE_TOO_LONG', bad: prefix(-1) })

refuses('refuses a request above 128 KiB by default', {
  code: 'ERR_PWP_REQUEST_LENGTH',
  good: frame(6, 0, 0, 128 * 1024),
  bad: frame(6, 0, 0, 128 * 1024 + 1)
})

for (const maxRequestLength of [1, 16 * 1024, 1024 * 1024]) {
  refuses(`honors a maxRequestLength of ${maxRequestLength}`, {
    code: 'ERR_PWP_REQUEST_LENGTH',
    options: { maxRequestLength },
    good: frame(6, 0, 0, maxRequestLength),
    bad: frame(6, 0, 0, maxRequestLength + 1)
  })
}

refuses('refuses a piece that the torrent does not have', {
  code: 'ERR_PWP_PIECE_INDEX',
  options: { pieces: 10 },
  good: frame(4, 9),
  bad: frame(4, 10)
})

refuses('refuses a piece index above the limit for unknown torrents', {
  code: 'ERR_PWP_PIECE_INDEX',
  good: frame(4, 4 * 1024 * 1024 - 1),
  bad: frame(4, 4 * 1024 * 1024)
})

refuses('refuses a bitfield shorter than the torrent', {
  code: 'ERR_PWP_BITFIELD_LENGTH',
  options: { pieces: 10 },
  good: frame(5, Buffer.alloc(2)),
  bad: frame(5, Buffer.alloc(1))
})

refuses('refuses a bitfield longer than the torrent', {
  code: 'ERR_PWP_BITFIELD_LENGTH',
  options: { pieces: 10 },
  bad: frame(5, Buffer.alloc(3))
})

refuses('refuses a bitfield above the limit for unknown torrents', {
  code: 'ERR_PWP_BITFIELD_LENGTH',
  good: frame(5, Buffer.alloc(512 * 1024)),
  bad: frame(5, Buffer.alloc(512 * 1024 + 1))
})

/** The code and the numbers of the error that these bytes cause. */
const failWith = (options, bad) => {
  const wire = greeted(options)
  wire.unchoke()
  wire.write(bad)
  const { code, ...numbers } = wire.error
  return [code, numbers]
}

test('sets the numbers of each code on its error', (t) => {
  t.deepEqual(failWith({}, frame(4, Buffer.alloc(2))), [
    'ERR_PWP_MESSAGE_LENGTH',
    { id: 4, length: 3, limit: 5 }
  ])
  t.deepEqual(failWith({ maxMessageLength: 100 }, prefix(-1)), [
    'ERR_PWP_MESSAGE_TOO_LONG',
    { length: 2 ** 32 - 1, limit: 100 }
  ])
  t.deepEqual(failWith({ pieces: 10 }, frame(4, 11)), [
    'ERR_PWP_PIECE_INDEX',
    { piece: 11, limit: 10 }
  ])
  t.deepEqual(failWith({ policy: 'strict' }, frame(7, 1, 2, Buffer.alloc(3))), [
    'ERR_PWP_UNSOLICITED_BLOCK',
    { piece: 1, offset: 2, length: 3 }
  ])
})

const codesIn = (path) => {
  const text = readFileSync(new URL(path, import.meta.url), 'utf8')
  return [...new Set(text.match(/ERR_PWP_[A-Z_]+/g))].toSorted()
}

test('documents and types each code', (t) => {
  const documented = codesIn('../docs/errors.md')
  t.deepEqual(codesIn('../index.d.ts'), documented)
  const thrown = [
    '../src/protocol/error.rs',
    '../src/encryption/error.rs',
    '../src/binding/record.rs',
    '../lib/errors.js',
    '../lib/encryption/errors.js',
    '../lib/extensions/metadata/errors.js',
    '../lib/pieces/errors.js',
    '../lib/transport/errors.js',
    '../lib/transport/piece-source.js'
  ]
  t.deepEqual([...new Set(thrown.flatMap(codesIn))].toSorted(), documented)
})

test('refuses another protocol at its first byte', (t) => {
  const wire = pwp()
  wire.write(Buffer.from([0x13]))
  t.is(wire.error, null)
  wire.write('X')
  t.is(wire.error.code, 'ERR_PWP_HANDSHAKE')
})

test('accepts a message of any length if maxMessageLength is 0', (t) => {
  const wire = greeted({ maxMessageLength: 0 })
  wire.on('unknownmessage', (message) => t.is(message.length, 2 * 1024 * 1024))
  wire.write(frame(99, Buffer.alloc(2 * 1024 * 1024 - 1)))
  t.plan(1)
})

test('honors maxPeerRequests', (t) => {
  const wire = greeted({ maxPeerRequests: 2 })
  wire.unchoke()
  const asked = []
  wire.on('request', (piece) => asked.push(piece))
  for (const piece of [1, 2, 3]) wire.write(frame(6, piece, 0, 1))
  t.deepEqual(asked, [1, 2])
  wire.write(frame(8, 1, 0, 1))
  wire.write(frame(6, 4, 0, 1))
  t.deepEqual(asked, [1, 2, 4])
  t.is(wire.error, null)
})

test('delivers the valid messages before a violation', (t) => {
  const wire = pwp()
  const events = record(wire, ['handshake', 'unchoke', 'have', 'close'])
  wire.write(Buffer.concat([HANDSHAKE, UNCHOKE, frame(4, 1), frame(4), frame(4, 2)]))
  t.deepEqual(events, ['handshake', 'unchoke', 'have', 'close'])
})

test('fails open requests with the violation, then closes', (t) => {
  const wire = unchoked()
  const order = record(wire, ['close'])
  for (const piece of [1, 2]) {
    wire.request(piece, 0, 1, (error) => order.push(`${piece} ${error.code}`))
  }
  wire.request(3, 0, 1, () => wire.request(4, 0, 1, (error) => order.push(error.message)))
  wire.write(frame(4))
  t.deepEqual(order, [
    '1 ERR_PWP_MESSAGE_LENGTH',
    '2 ERR_PWP_MESSAGE_LENGTH',
    'wire is closed',
    'close'
  ])
})

test("emits 'error' before 'close' if someone listens", (t) => {
  const wire = greeted()
  const order = record(wire, ['error', 'close'])
  wire.write(frame(4))
  t.deepEqual(order, ['error', 'close'])
})

for (const [what, make] of Object.entries({
  'a violation': () => [greeted(), (wire) => wire.write(frame(4))],
  'destroy(error)': () => [greeted(), (wire) => wire.destroy(new Error('enough'))],
  'an end inside a message': () => [greeted(), (wire) => wire.resume().end(Buffer.alloc(2))],
  'a time limit': () => [pwp({ handshakeTimeout: 1 }), () => {}]
})) {
  test(`emits errorMonitor after ${what}, whether or not someone listens for 'error'`, async (t) => {
    // A time limit does not keep a process alive.
    const alive = setInterval(() => {}, 1000)
    t.teardown(() => clearInterval(alive))
    for (const isHeard of [false, true]) {
      const [wire, act] = make()
      const order = []
      const note = (name) => (error) => order.push([name, error])
      wire.on(errorMonitor, note('monitor'))
      if (isHeard) wire.on('error', note('error'))
      wire.on('close', note('close'))
      // Not by once(), which listens for 'error'.
      const closed = new Promise((resolve) => {
        wire.on('close', resolve)
      })
      act(wire)
      await closed // oxlint-disable-line no-await-in-loop
      const names = isHeard ? ['monitor', 'error'] : ['monitor']
      t.deepEqual(order, [...names.map((name) => [name, wire.error]), ['close', undefined]])
      t.not(wire.error, null)
    }
  })
}

test('emits no errorMonitor after a clean end', async (t) => {
  for (const end of ['end', 'destroy']) {
    const wire = greeted()
    wire.on(errorMonitor, () => t.fail())
    wire.resume()[end]()
    await settled() // oxlint-disable-line no-await-in-loop
    t.true(wire.destroyed)
  }
})

test('closes quietly if nobody listens for errors, piped or not', async (t) => {
  const source = new PassThrough()
  const wire = pwp()
  source.pipe(wire)
  wire.resume()
  source.write('not a handshake')
  await settled()
  t.true(wire.destroyed)
  t.is(wire.error.code, 'ERR_PWP_HANDSHAKE')
  source.write('more')
  await settled()
  t.true(wire.readableEnded)
})

test('delivers nothing after a violation', (t) => {
  const wire = greeted()
  wire.write(frame(4))
  wire.on('have', () => t.fail())
  wire.write(frame(4, 1))
  t.notThrows(() => wire.interested())
})
