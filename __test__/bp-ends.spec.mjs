// The class of bittorrent-protocol: how it ends, and that whatever a peer does ends it in silence.
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { Duplex, PassThrough, pipeline } from 'node:stream'
import test from 'ava'

import {
  FAST_HANDSHAKE,
  INFO_HASH,
  PEER_ID,
  PLAIN_HANDSHAKE,
  UNCHOKE,
  Wire,
  met,
  outputOf,
  record,
  settled
} from '../testkit/bp-wires.mjs'
import { frame } from '../testkit/messages.mjs'
import { surviving } from '../testkit/surviving.mjs'

/** A listener that throws this. */
const fail = (message) => () => {
  throw new Error(message)
}

const ENDS = ['uninterested', 'choke', 'finish', 'end', 'close', 'error']

test('destroy emits at once that the peer chokes, then each end of the stream, each once', async (t) => {
  const wire = new Wire()
  const seen = record(wire, ENDS)
  t.is(wire.destroy(new Error('ignored')), wire)
  t.deepEqual(seen, [['uninterested'], ['choke']])
  wire.destroy()
  wire.end()
  await settled()
  t.deepEqual(seen, [['uninterested'], ['choke'], ['finish'], ['end'], ['close']])
  t.true(wire.destroyed)
  t.is(wire.destroy(), undefined)
  t.is(wire.error, null)
  await settled()
  t.is(seen.length, 5)
})

test('end() calls back once the wire has ended, whoever ended it before', async (t) => {
  const { wire } = await met()
  const called = []
  const seen = record(wire, ['close'])
  const call = (...args) => called.push(args)
  wire.once('choke', () => wire.end(call))
  wire.destroy()
  wire.end(call)
  wire.end(undefined, call)
  wire.end(undefined, undefined, call)
  await once(wire, 'close')
  wire.end(call)
  t.is(called.length, 4)
  await settled()
  t.deepEqual(called, [[], [], [], [], []])
  t.deepEqual(seen, [['close']])
})

test('what was sent before the end still leaves, if somebody reads', async (t) => {
  const { wire, output } = await met()
  wire.interested()
  wire.end()
  wire.have(1)
  await once(wire, 'close')
  t.is(output.take(), Buffer.concat([frame(2), frame(4, 1)]).toString('hex'))
})

test('a user who ends the output by push(null) gets no more of it, and no error', async (t) => {
  const { wire, output } = await met()
  const seen = record(wire, ENDS)
  const have = record(wire, ['have'])
  wire.push(null)
  wire.have(1)
  await settled()
  wire.write(frame(4, 2))
  wire.interested()
  await settled()
  wire.destroy()
  await once(wire, 'close')
  t.deepEqual(seen, [['end'], ['uninterested'], ['choke'], ['finish'], ['close']])
  t.deepEqual(have, [['have', 2]])
  t.is(output.take(), '')
})

test('output that nobody reads does not keep it from ending', async (t) => {
  const wire = new Wire()
  wire.handshake(INFO_HASH, PEER_ID)
  wire.piece(0, 0, Buffer.alloc(100_000))
  wire.end()
  await once(wire, 'close')
  t.pass()
})

test('after the end nothing is sent, delivered or thrown', async (t) => {
  const { wire, output } = await met(FAST_HANDSHAKE)
  wire.destroy()
  await settled()
  const seen = record(wire, ['have', 'handshake', 'error', 'choke'])
  wire.have(1)
  wire.unchoke()
  wire.piece(0, 0, Buffer.alloc(3))
  wire.haveAll()
  wire.reject(1, 2, 3)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.extended(1, {})
  wire.cancel(1, 2, 3)
  wire.setTimeout(10)
  t.false(wire.write(frame(4, 1)))
  await new Promise((resolve) => wire.write(frame(4, 1), resolve))
  await settled()
  t.is(output.take(), '')
  t.deepEqual(seen, [])
})

test('the rest of a chunk is delivered after destroy, as in bittorrent-protocol', async (t) => {
  const { wire } = await met()
  wire.once('unchoke', () => wire.destroy())
  const seen = record(wire, ['unchoke', 'have', 'close'])
  wire.write(Buffer.concat([UNCHOKE, frame(4, 1)]))
  await once(wire, 'close')
  t.deepEqual(seen, [['unchoke'], ['have', 1], ['close']])
})

/** What a peer may do, and the code of the reason. */
const OFFENCES = {
  'no handshake': [Buffer.alloc(68, 7), 'ERR_PWP_HANDSHAKE'],
  'a message too long': [Buffer.from([0x7f, 0xff, 0xff, 0xff]), 'ERR_PWP_MESSAGE_TOO_LONG'],
  'a negative length': [Buffer.from([0xff, 0xff, 0xff, 0xff]), 'ERR_PWP_MESSAGE_TOO_LONG'],
  'a message too short': [Buffer.from([0, 0, 0, 2, 4, 0]), 'ERR_PWP_MESSAGE_LENGTH'],
  'a piece that no torrent has': [frame(4, 0x7fffffff), 'ERR_PWP_PIECE_INDEX'],
  'a fast message that was not agreed on': [frame(14), 'ERR_PWP_NOT_AGREED']
}

for (const [what, [bytes, code]] of Object.entries(OFFENCES)) {
  test(`${what} ends the wire in silence, with the reason in a property and on a channel`, async (t) => {
    const closes = []
    const listener = (message) => closes.push(message)
    channel('peer-wire-native:close').subscribe(listener)
    t.teardown(() => channel('peer-wire-native:close').unsubscribe(listener))
    const wire = new Wire()
    const seen = record(wire, ENDS)
    const isHandshake = code === 'ERR_PWP_HANDSHAKE'
    wire.write(isHandshake ? bytes : Buffer.concat([PLAIN_HANDSHAKE, bytes]))
    t.deepEqual(seen, [['uninterested'], ['choke']])
    wire.write(frame(4, 1))
    await settled()
    t.deepEqual(seen, [['uninterested'], ['choke'], ['finish'], ['end'], ['close']])
    t.is(wire.error.code, code)
    const { error } = closes.find((message) => message.wire === wire)
    t.is(error, wire.error)
  })
}

test('publishes on each channel of a stream', async (t) => {
  const seen = []
  for (const name of [
    'handshake',
    'message:received',
    'message:sent',
    'answer:dropped',
    'source:error',
    'close'
  ]) {
    const listener = (message) => message.wire === wire && seen.push(name)
    channel(`peer-wire-native:${name}`).subscribe(listener)
    t.teardown(() => channel(`peer-wire-native:${name}`).unsubscribe(listener))
  }
  const wire = new Wire()
  wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length - 1)))
  wire.on('handshake', () => {
    wire.handshake(INFO_HASH, PEER_ID)
    wire.unchoke()
  })
  wire.resume()
  wire.write(Buffer.concat([PLAIN_HANDSHAKE, frame(6, 0, 0, 9)]))
  await settled()
  wire.destroy()
  await settled()
  const names = ['answer:dropped', 'close', 'handshake', 'message:received', 'message:sent']
  t.deepEqual([...new Set(seen)].toSorted(), names)
})

test('a chunk of random bytes never throws', async (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const wire = new Wire()
    wire.resume()
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, at) => (at * seed * 7 + seed) & 0xff))
    wire.write(seed % 2 === 0 ? FAST_HANDSHAKE : PLAIN_HANDSHAKE)
    wire.write(bytes)
  }
  await settled()
  t.pass()
})

test('a fast method that is called by hand without an agreement ends the wire', async (t) => {
  for (const name of ['_onSuggest', '_onHaveAll', '_onHaveNone', '_onReject', '_onAllowedFast']) {
    const wire = new Wire()
    const closed = once(wire, 'close')
    wire[name](1, 2, 3)
    await closed // oxlint-disable-line no-await-in-loop -- one after the other
    t.is(wire.error.code, 'ERR_PWP_NOT_AGREED')
  }
})

const fails = (name) => () => {
  throw new Error(name)
}

for (const name of ['uninterested', 'choke', 'end', 'data', 'finish']) {
  test.serial(
    `a listener of '${name}' that throws does not keep a wire from closing`,
    async (t) => {
      const { wire } = await met()
      wire.interested()
      const closes = once(wire, 'close')
      const thrown = await surviving(async () => {
        wire.once(name, fails(name))
        wire.destroy()
        await closes
      })
      t.deepEqual(thrown, [name])
      t.true(wire.destroyed)
    }
  )
}

for (const [what, handshake, message] of [
  ['a choke', PLAIN_HANDSHAKE, 'peer is choking'],
  ['the end', FAST_HANDSHAKE, 'wire was closed']
]) {
  test.serial(
    `a callback that throws at ${what} keeps neither others nor the end away`,
    async (t) => {
      const { wire } = await met(handshake)
      wire.write(UNCHOKE)
      const ended = []
      wire.request(0, 0, 1, (error) => ended.push(error.message))
      wire.request(1, 0, 1, fails('callback'))
      const thrown = await surviving(async () => {
        wire.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
        await once(wire, 'close')
      })
      t.deepEqual(thrown, ['callback'])
      t.deepEqual(ended, [message])
      t.is(wire.error.code, 'ERR_PWP_MESSAGE_TOO_LONG')
    }
  )
}

test('pipes of both libraries carry it, and end with it', async (t) => {
  const one = new Wire()
  const other = new Wire()
  one.pipe(new PassThrough()).pipe(other).pipe(new PassThrough()).pipe(one)
  const seen = record(other, ['handshake', 'have', 'close'])
  one.handshake(INFO_HASH, PEER_ID)
  one.have(5)
  await once(other, 'have')
  one.destroy()
  await Promise.all([once(one, 'close'), once(other, 'close')])
  t.deepEqual(
    seen.map(([name]) => name),
    ['handshake', 'have', 'close']
  )
})

test('pipeline() of Node destroys it with an error, which ends it without an event', async (t) => {
  const wire = new Wire()
  const seen = record(wire, ENDS)
  const source = new PassThrough()
  const done = new Promise((resolve) => pipeline(source, wire, new PassThrough(), resolve))
  source.destroy(new Error('reset'))
  await done
  await settled()
  t.deepEqual(seen, [['uninterested'], ['choke'], ['finish'], ['end'], ['close']])
})

test.serial(
  'what a reader or a listener throws is an uncaught exception, and the wire goes on',
  async (t) => {
    const { wire } = await met()
    const thrown = []
    const caught = (error, origin) => thrown.push([error.message, origin])
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', caught)
    t.teardown(() => {
      process.removeListener('uncaughtException', caught)
      for (const listener of others) process.on('uncaughtException', listener)
    })
    wire.once('data', fail('reader'))
    wire.once('unchoke', fail('listener'))
    wire.interested()
    await settled()
    const seen = record(wire, ['have'])
    wire.write(Buffer.concat([UNCHOKE, frame(4, 1)]))
    await settled()
    t.deepEqual(thrown, [
      ['reader', 'uncaughtException'],
      ['listener', 'uncaughtException']
    ])
    t.deepEqual(seen, [['have', 1]])
    t.false(wire.destroyed)
  }
)

test('input is read within write(), in any cut, as Buffer or Uint8Array', async (t) => {
  const bytes = Buffer.concat([PLAIN_HANDSHAKE, frame(4, 1), frame(7, 1, 2, Buffer.from('abcde'))])
  for (const size of [1, 3, 7, 50, 200]) {
    const wire = new Wire()
    const seen = record(wire, ['have', 'piece'])
    for (let at = 0; at < bytes.length; at += size)
      wire.write(new Uint8Array(bytes.subarray(at, at + size)))
    t.deepEqual(seen, [
      ['have', 1],
      ['piece', 1, 2, '6162636465']
    ])
  }
  const wire = new Wire()
  await new Promise((resolve) => wire._write(PLAIN_HANDSHAKE, resolve))
  t.is(wire.peerId.length, 40)
  t.true(wire instanceof Duplex)
})

test('_write may be overridden, with the arguments that it has in bittorrent-protocol', async (t) => {
  const seen = []
  class Counting extends Wire {
    _write(chunk, callback) {
      seen.push(chunk.length)
      super._write(chunk, callback)
    }
  }
  class Node extends Wire {
    _write(chunk, encoding, callback) {
      seen.push(chunk.length)
      super._write(chunk, encoding, () => callback())
    }
  }
  const replaced = new Wire()
  const original = replaced._write
  for (const step of [1, 2])
    replaced._write = ((inner) =>
      function (chunk, ...rest) {
        if (step === 1) seen.push(chunk.length)
        return inner.call(this, chunk, ...rest)
      })(step === 1 ? original : replaced._write)
  for (const wire of [new Counting(), new Node(), replaced]) {
    const have = record(wire, ['have'])
    wire.resume()
    wire.write(PLAIN_HANDSHAKE)
    wire.cork()
    wire.write(frame(4, 1))
    wire.write(frame(4, 2))
    wire.uncork()
    t.deepEqual(have, [
      ['have', 1],
      ['have', 2]
    ])
    const closes = once(wire, 'close')
    wire.end(frame(4, 3))
    await closes // oxlint-disable-line no-await-in-loop -- one after the other
    t.is(have.length, 3)
    t.deepEqual(seen.splice(0), [68, 9, 9, 9])
  }
})

test('the arguments of version 4 make a wire without encryption', async (t) => {
  const wire = new Wire('tcpOutgoing', 0, true)
  t.is(wire._peEnabled, 0)
  const output = outputOf(wire)
  wire.handshake(INFO_HASH, PEER_ID)
  await settled()
  t.is(output.take().length, 2 * 68)
  wire.sendPe1()
  await once(wire, 'close')
  t.regex(wire.error.message, /encryption of bittorrent-protocol 4/)
})
