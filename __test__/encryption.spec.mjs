// Encrypted streams: what both sides agree on, and that the payload arrives as it was written, in any cut.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

import {
  INFO_HASH,
  INITIATOR,
  RESPONDER,
  agreed,
  closed,
  encryption,
  pair,
  pipe,
  randomness,
  readToEnd,
  withRandomness
} from '../testkit/encryption.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { bytesOf } from '../testkit/messages.mjs'
import { HANDSHAKE, pwp } from '../testkit/wires.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const KIB = 1024
const HEX = INFO_HASH.toString('hex')

const message = (size, fill = 3) => bytesOf({ size, fill })

/** What each side reads when the other writes and ends. */
const exchanged = async ([a, b], [toB, toA]) => {
  a.end(toB)
  b.end(toA)
  const [fromB, fromA] = await Promise.all([readToEnd(a), readToEnd(b)])
  return [fromB.equals(toA), fromA.equals(toB)]
}

// Over streams

for (const [name, connected] of [
  ['a pipe', async () => pipe()],
  ['a socket', connectedSockets]
]) {
  test(`carries the payload of both sides over ${name}`, async (t) => {
    const streams = pair({}, {}, await connected(t))
    const payloads = [message(300 * KIB), message(200 * KIB, 5)]
    t.deepEqual(await exchanged(streams, payloads), [true, true])
    t.deepEqual(await Promise.all(streams.map(closed)), [null, null])
    for (const stream of streams) {
      t.is(stream.encryption.method, 'rc4')
      t.deepEqual(stream.encryption.infoHash, INFO_HASH)
    }
  })
}

test('hides the payload, and leaves the memory of the caller as it is', async (t) => {
  const [left, right] = pipe()
  const [a, b] = pair({}, {}, [left, right])
  await agreed([a, b])
  const sent = []
  right.on('data', (chunk) => sent.push(Buffer.from(chunk)))
  const received = []
  b.on('data', (chunk) => received.push(chunk))
  const chunk = message(5000)
  const copy = Buffer.from(chunk)
  a.write(chunk)
  await once(b, 'data')
  t.deepEqual(chunk, copy)
  t.deepEqual(Buffer.concat(received), copy)
  t.is(Buffer.concat(sent).length, copy.length)
  t.false(Buffer.concat(sent).equals(copy))
})

test('carries the messages of two wires', async (t) => {
  const streams = pair()
  const [a, b] = streams.map((stream) => {
    const wire = pwp()
    stream.pipe(wire).pipe(stream)
    return wire
  })
  const peerId = Buffer.alloc(20, 1)
  a.handshake(INFO_HASH, peerId)
  const [infoHash] = await once(b, 'handshake')
  t.deepEqual(infoHash, INFO_HASH)
  b.handshake(INFO_HASH, peerId)
  const unchoked = once(a, 'unchoke')
  b.unchoke()
  await unchoked
  b.on('request', (piece, offset, length, respond) => respond(null, message(length)))
  const block = await new Promise((resolve, reject) => {
    a.request(0, 0, 16 * KIB, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
  t.deepEqual(block, message(16 * KIB))
})

/** Both sides with keys and short pads that are always the same. */
const fixedPair = (a, b, streams) =>
  withRandomness(
    [3, 5].map((fill) =>
      randomness({
        privateKey: Buffer.alloc(20, fill),
        keyPad: Buffer.alloc(fill + 4, 0x5a),
        methodPad: Buffer.alloc(fill)
      })
    ),
    () => pair(a, b, streams)
  )

for (const [method, methods] of [
  ['rc4', ['rc4']],
  ['plaintext', ['plaintext']]
]) {
  for (const side of [0, 1]) {
    const name = ['responder', 'initiator'][side]
    test(`reads ${method} the same when the ${name}'s input is cut anywhere`, async (t) => {
      const run = async (cuts) => {
        const streams = pipe()
        streams[side].cuts = cuts
        const both = fixedPair({ methods, initialPayload: message(68) }, { methods }, streams)
        // These come with the end of the exchange, if the peer writes at once.
        const payloads = [message(40), message(30, 9)]
        both[0].end(payloads[0])
        both[1].end(payloads[1])
        const [fromB, fromA] = await Promise.all(both.map(readToEnd))
        t.deepEqual(fromA, Buffer.concat([message(68), payloads[0]]), `cut at ${cuts}`)
        t.deepEqual(fromB, payloads[1], `cut at ${cuts}`)
        t.is(both[1].encryption.method, method)
        return streams[side].written
      }
      const length = await run([])
      await inTurn(
        Array.from({ length }, (_, at) => [at]),
        run
      )
      await run(Array.from({ length }, (_, at) => at))
    })
  }
}

test('loses nothing of what comes with the end of an exchange when nobody reads yet', async (t) => {
  const [a, b] = pair({ initialPayload: message(68) })
  a.write(message(100))
  await agreed([a, b])
  b.write(message(50, 1))
  await new Promise(setImmediate)
  a.end()
  b.end()
  t.deepEqual(await readToEnd(b), Buffer.concat([message(68), message(100)]))
  t.deepEqual(await readToEnd(a), message(50, 1))
})

test('agrees with keys that begin with zeros', async (t) => {
  const fills = await Promise.all(leadingZeros().map((choices) => agreedWith(choices)))
  t.true(fills.length > 0)
  for (const [methods, starts] of fills) {
    t.deepEqual(methods, ['rc4', 'rc4'])
    t.is(starts[0], 0)
  }
})

async function agreedWith(choices) {
  const streams = pipe()
  const starts = []
  streams[1].once('data', (chunk) => starts.push(chunk[0]))
  const both = withRandomness(choices, () => pair({}, {}, streams))
  const methods = await agreed(both)
  for (const stream of both) stream.destroy()
  return [methods, starts]
}

/** The public key of a private key 2^n is known: 2 to the power of it, modulo the prime. */
function leadingZeros() {
  const other = randomness({ privateKey: Buffer.alloc(20, 9) })
  return [200, 300, 700].map((exponent) => {
    const privateKey = Buffer.alloc(20)
    // 2^exponent is below the prime, so it is the key itself.
    privateKey.writeUInt16BE(exponent, 18)
    return [randomness({ privateKey }), other]
  })
}

// What is agreed on

const PLAIN_A = { role: 'initiator', mode: 'off' }
const PLAIN_B = { role: 'responder', mode: 'off' }

for (const [a, b, method] of [
  [{}, {}, 'rc4'],
  [{ methods: ['plaintext', 'rc4'] }, {}, 'rc4'],
  [{}, { methods: ['plaintext', 'rc4'] }, 'plaintext'],
  [{ methods: ['plaintext'] }, {}, 'plaintext'],
  [{ methods: ['rc4'] }, { methods: ['plaintext', 'rc4'] }, 'rc4'],
  [{ mode: 'require' }, {}, 'rc4'],
  [{}, { mode: 'require', methods: ['plaintext'] }, 'plaintext'],
  [{}, { mode: 'require' }, 'rc4'],
  [{}, { mode: 'accept' }, 'rc4'],
  [{ mode: 'accept' }, {}, 'none'],
  [{ mode: 'accept' }, { mode: 'accept' }, 'none'],
  [PLAIN_A, {}, 'none'],
  [PLAIN_A, PLAIN_B, 'none']
]) {
  test(`${JSON.stringify(a)} and ${JSON.stringify(b)} agree on ${method}`, async (t) => {
    const streams = pair(a, b)
    const payloads = [Buffer.concat([HANDSHAKE, message(30 * KIB)]), message(10 * KIB)]
    t.deepEqual(await exchanged(streams, payloads), [true, true])
    t.is(streams[0].encryption.method, method)
    t.is(streams[1].encryption.method, method)
    t.deepEqual(streams[1].encryption.infoHash, method === 'none' ? null : INFO_HASH)
  })
}

test('an initiator that prefers encryption accepts an answer in clear text', async (t) => {
  const [left, right] = pipe()
  const a = encryption.wrap(left, { ...INITIATOR, initialPayload: 'first-write' })
  a.write(HANDSHAKE)
  right.write(HANDSHAKE)
  const [chunk] = await once(a, 'data')
  t.is(a.encryption.method, 'none')
  t.deepEqual(chunk, HANDSHAKE.subarray(0, chunk.length))
  const received = []
  right.on('data', (bytes) => received.push(bytes))
  a.end('more')
  await once(right, 'end')
  const bytes = Buffer.concat(received)
  // The key and its pad, which such a peer does not understand, and then the payload of the exchange.
  t.deepEqual(
    bytes.subarray(-4 - HANDSHAKE.length),
    Buffer.concat([HANDSHAKE, Buffer.from('more')])
  )
})

for (const [side, error] of [
  [0, 'ERR_PWP_ENCRYPTION_PLAIN'],
  [1, 'ERR_PWP_ENCRYPTION_PLAIN']
]) {
  test(`who requires encryption refuses a plain peer, role ${side}`, async (t) => {
    const streams = pipe()
    const options = [INITIATOR, RESPONDER][side]
    const stream = encryption.wrap(streams[0], { ...options, mode: 'require' })
    streams[1].resume()
    streams[1].write(HANDSHAKE.subarray(0, 19))
    await new Promise(setImmediate)
    t.false(stream.destroyed)
    streams[1].write(HANDSHAKE.subarray(19, 20))
    t.is((await closed(stream)).code, error)
    t.true(streams[0].destroyed)
  })
}

test('a key that begins as a handshake is a key', async (t) => {
  const [left, right] = pipe()
  const b = encryption.wrap(left, RESPONDER)
  right.resume()
  right.write(Buffer.concat([HANDSHAKE.subarray(0, 19), Buffer.alloc(77 + 532, 0xff)]))
  t.is((await closed(b)).code, 'ERR_PWP_ENCRYPTION_SYNC')
})

for (const [a, b, code] of [
  [{ mode: 'require' }, { methods: ['plaintext'] }, 'ERR_PWP_ENCRYPTION_NO_SHARED_METHOD'],
  [{ methods: ['plaintext'] }, { mode: 'require' }, 'ERR_PWP_ENCRYPTION_NO_SHARED_METHOD'],
  [{}, { infoHashes: [] }, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT']
]) {
  test(`${JSON.stringify(a)} and ${JSON.stringify(b)} fail with ${code}`, async (t) => {
    const streams = pair(a, b)
    const errors = await Promise.all(streams.map(closed))
    t.is(errors[1].code, code)
    t.true(errors[1] instanceof pwp.ProtocolError)
    t.is(errors[0].code, 'ERR_PWP_ENCRYPTION_TRUNCATED')
  })
}

// The payload of an exchange

for (const size of [0, 1, 68, 16 * KIB]) {
  test(`sends ${size} bytes with the exchange`, async (t) => {
    const [a, b] = pair({ initialPayload: message(size) })
    a.end('after')
    const received = await readToEnd(b)
    t.deepEqual(received, Buffer.concat([message(size), Buffer.from('after')]))
    b.end()
    t.deepEqual(await readToEnd(a), Buffer.alloc(0))
  })
}

for (const size of [68, 16 * KIB, 16 * KIB + 1]) {
  test(`what is written first, ${size} bytes, is sent once`, async (t) => {
    const [a, b] = pair({ initialPayload: 'first-write' })
    const first = new Promise((resolve) => a.write(message(size), resolve))
    a.end('after')
    t.deepEqual(await readToEnd(b), Buffer.concat([message(size), Buffer.from('after')]))
    await first
    b.destroy()
  })
}

test('the first write is a part of the exchange', async (t) => {
  const [left, right] = pipe()
  const a = encryption.wrap(left, { ...INITIATOR, initialPayload: 'first-write' })
  a.write(HANDSHAKE)
  const { write } = right
  let writes = 0
  // The end of the exchange does not get there.
  right.write = (bytes) => ++writes > 1 || write.call(right, bytes)
  const b = encryption.wrap(right, RESPONDER)
  const [chunk] = await once(b, 'data')
  t.deepEqual(chunk, HANDSHAKE)
  t.is(a.encryption, null)
  t.is(writes, 2)
  a.destroy()
})

for (const mode of ['off', 'accept']) {
  test(`without an exchange the first write is one like any other, mode ${mode}`, async (t) => {
    const [a, b] = pair({ mode, initialPayload: 'first-write' })
    a.write(HANDSHAKE)
    a.end('after')
    t.deepEqual(await readToEnd(b), Buffer.concat([HANDSHAKE, Buffer.from('after')]))
    t.is(a.encryption.method, 'none')
    b.destroy()
  })
}

test('an exchange begins without a first write, too', async (t) => {
  const streams = pair({ initialPayload: 'first-write' })
  t.deepEqual(await agreed(streams), ['rc4', 'rc4'])
  for (const stream of streams) stream.destroy()
})

// The event

test('tells what was agreed on before the first byte can be read', async (t) => {
  const events = []
  const streams = pair({ initialPayload: message(68) })
  streams.forEach((stream, side) => {
    t.is(stream.encryption, null)
    stream.on('encryption', (agreement) => {
      t.is(agreement, stream.encryption)
      t.is(stream.readableLength, 0)
      events.push(`${side} ${agreement.method}`)
    })
    stream.on('data', () => events.push(`${side} data`))
  })
  streams[1].write('x')
  await once(streams[0], 'data')
  for (const side of [0, 1]) {
    const own = events.filter((event) => event.startsWith(side))
    t.deepEqual(own.slice(0, 2), [`${side} rc4`, `${side} data`])
  }
})

test('a listener may write, read, end or destroy', async (t) => {
  const [a, b] = pair({ initialPayload: message(68) })
  b.on('encryption', () => b.write('in the listener'))
  a.on('encryption', () => {
    t.is(a.read(), null)
    a.end('bye')
  })
  const ended = once(b.resume(), 'end')
  const [chunk] = await once(a, 'data')
  t.is(chunk.toString(), 'in the listener')
  await ended
  const [c, d] = pair({ initialPayload: message(68) })
  d.on('encryption', () => d.destroy())
  d.on('data', () => t.fail('read after destroy()'))
  t.deepEqual(await Promise.all([closed(c), closed(d)]), [null, null])
})

// Which torrents

for (const [name, infoHashes] of Object.entries({
  hex: HEX,
  'upper-case hex': HEX.toUpperCase(),
  bytes: INFO_HASH,
  array: [Buffer.alloc(20, 1), HEX],
  set: new Set(['01'.repeat(20), HEX]),
  function: (asked) => (asked.equals(encryption.obfuscatedHash(HEX)) ? HEX : null),
  'async function': async () => INFO_HASH,
  'slow function': () => new Promise((resolve) => setTimeout(() => resolve(INFO_HASH), 20))
})) {
  test(`finds the torrent in infoHashes: ${name}`, async (t) => {
    const [a, b] = pair({ initialPayload: message(68) }, { infoHashes })
    a.end(message(1000))
    t.deepEqual(await readToEnd(b), Buffer.concat([message(68), message(1000)]))
    t.deepEqual(b.encryption.infoHash, INFO_HASH)
    b.destroy()
  })
}

test('a Set may change, and is looked up when a peer asks', async (t) => {
  const infoHashes = new Set()
  const ask = async () => {
    const [a, b] = pair({}, { infoHashes })
    const outcome = await Promise.race([
      new Promise((resolve) => b.once('encryption', () => resolve('agreed'))),
      closed(b).then((error) => error.code)
    ])
    a.destroy()
    return outcome
  }
  const outcomes = []
  const steps = [() => {}, () => infoHashes.add(HEX), () => infoHashes.add('02'.repeat(20))]
  steps.push(() => infoHashes.delete(HEX) && infoHashes.add('03'.repeat(20)))
  steps.push(() => infoHashes.delete('03'.repeat(20)) && infoHashes.add(7).add(HEX))
  await inTurn(steps, async (step) => {
    step()
    outcomes.push(await ask())
  })
  const refused = 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT'
  t.deepEqual(outcomes, [refused, 'agreed', 'agreed', refused, 'agreed'])
})

for (const [name, infoHashes, expected] of [
  ['null', () => null, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT'],
  ['undefined', () => {}, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT'],
  ['a promise of null', async () => null, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT'],
  ['a number', () => 7, 'infoHashes() must give an info hash or null'],
  ['a promise of a number', async () => 7, 'infoHashes() must give an info hash or null'],
  ['a short id', () => Buffer.alloc(19), 'infoHash and peerId MUST have length 20'],
  [
    'another torrent',
    () => Buffer.alloc(20),
    'infoHashes() must give the info hash that is asked for'
  ],
  [
    'a promise of another torrent',
    async () => Buffer.alloc(20),
    'infoHashes() must give the info hash that is asked for'
  ],
  ['an error', () => Promise.reject(new Error('rejected')), 'rejected'],
  ['no reason', () => Promise.reject(), 'infoHashes() failed'], // oxlint-disable-line prefer-promise-reject-errors
  [
    'an exception',
    () => {
      throw new Error('thrown')
    },
    'thrown'
  ]
]) {
  test(`a stream fails when infoHashes gives ${name}`, async (t) => {
    const [a, b] = pair({}, { infoHashes })
    const error = await closed(b)
    t.true([error.code, error.message].includes(expected), error.message)
    t.is((await closed(a)).code, 'ERR_PWP_ENCRYPTION_TRUNCATED')
  })
}

test('an answer that comes after the end is ignored', async (t) => {
  let answer
  const asked = new Promise((resolve) => {
    pair({}, { infoHashes: () => new Promise((give) => resolve(() => give(INFO_HASH))) })[1].once(
      'close',
      () => answer()
    )
  })
  answer = await asked
  t.is(typeof answer, 'function')
  answer()
  await new Promise(setImmediate)
})

// Back-pressure

test('a writer is held back until the exchange is over', async (t) => {
  const [left, right] = pipe()
  const a = encryption.wrap(left, INITIATOR)
  const size = a.writableHighWaterMark
  t.false(a.write(message(size)))
  await new Promise(setImmediate)
  t.true(a.writableNeedDrain)
  const b = encryption.wrap(right, RESPONDER)
  b.resume()
  await once(a, 'drain')
  a.destroy()
})

test('a reader that stops holds the writer back, and gets everything', async (t) => {
  const streams = pair()
  const [a, b] = streams
  await agreed(streams)
  let written = 0
  const chunk = message(8 * KIB)
  while (written < 4096 * KIB) {
    const hasRoom = a.write(chunk)
    written += chunk.length
    if (!hasRoom) {
      // oxlint-disable-next-line no-await-in-loop -- room comes in time, or never
      const isDrained = await Promise.race([
        once(a, 'drain').then(() => true),
        new Promise((resolve) => setTimeout(() => resolve(false), 50))
      ])
      if (!isDrained) break
    }
  }
  t.true(written < 1024 * KIB, `${written} bytes were taken`)
  a.end()
  let read = 0
  for await (const part of b) read += part.length
  t.is(read, written)
})

// Arguments

for (const [name, options, expected] of [
  ['no options', undefined, 'options must be an object'],
  ['no role', {}, 'role must be a string'],
  ['a wrong role', { role: 'server' }, "role must be 'initiator' or 'responder'"],
  ['a wrong mode', { ...INITIATOR, mode: 'never' }, /^mode must be/],
  ['no info hash', { role: 'initiator' }, /^infoHash must be/],
  ['a short info hash', { ...INITIATOR, infoHash: 'ab' }, /length 20/],
  ['no info hashes', { role: 'responder' }, /^infoHashes must be/],
  ['a Set of Buffers', { ...RESPONDER, infoHashes: new Set([INFO_HASH]) }, /^infoHashes must have/],
  ['no methods', { ...INITIATOR, methods: [] }, /^methods must name/],
  ['a method twice', { ...INITIATOR, methods: ['rc4', 'rc4'] }, /^methods must name/],
  ['an unknown method', { ...INITIATOR, methods: ['aes'] }, /^methods must be/],
  ['a method alone', { ...INITIATOR, methods: 'rc4' }, 'methods must be an array'],
  [
    'a long payload',
    { ...INITIATOR, initialPayload: Buffer.alloc(16 * KIB + 1) },
    /^initialPayload/
  ],
  ['a number as payload', { ...INITIATOR, initialPayload: 7 }, /^initialPayload/],
  ['a negative timeout', { ...INITIATOR, timeout: -1 }, /^timeout must be/],
  ['another policy', { ...RESPONDER, policy: {} }, /^policy must be/],
  ['a number as address', { ...RESPONDER, address: 7 }, 'address must be a string'],
  ['no signal', { ...RESPONDER, signal: {} }, 'signal must be an AbortSignal']
]) {
  test(`wrap() refuses ${name} and leaves the stream alone`, (t) => {
    const [stream] = pipe()
    const before = stream.eventNames()
    t.throws(() => encryption.wrap(stream, options), {
      message: expected
    })
    t.deepEqual(stream.eventNames(), before)
    t.false(stream.destroyed)
  })
}

test('wrap() refuses what is no Duplex, and one with an encoding', (t) => {
  for (const stream of [null, undefined, {}, 7, new EventTarget()]) {
    t.throws(() => encryption.wrap(stream, INITIATOR), { message: 'stream must be a Duplex' })
  }
  const [stream] = pipe()
  stream.setEncoding('utf8')
  t.throws(() => encryption.wrap(stream, INITIATOR), { message: /encoding/ })
})

test('obfuscatedHash() is the hash of req2 and the info hash', (t) => {
  const expected = createHash('sha1').update('req2').update(INFO_HASH).digest()
  t.deepEqual(encryption.obfuscatedHash(HEX), expected)
  t.deepEqual(encryption.obfuscatedHash(INFO_HASH), expected)
  t.throws(() => encryption.obfuscatedHash('ab'), { message: /length 20/ })
})

test('the parts that a wire and other packages use are there', async (t) => {
  const [left, right] = await connectedSockets(t)
  const [a, b] = pair({}, {}, [left, right])
  t.is(b.stream, right)
  t.is(b.remoteAddress, right.remoteAddress)
  t.is(b.remotePort, right.remotePort)
  t.is(a.setNoDelay(true), a)
  const [onPipe] = pair()
  t.is(onPipe.setNoDelay(true), onPipe)
})

async function connectedSockets(t) {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const left = net.connect(server.address().port, '127.0.0.1')
  const [right] = await once(server, 'connection')
  t.teardown(() => {
    server.close()
    left.destroy()
    right.destroy()
  })
  return [left, right]
}

test('nothing of it is loaded before it is asked for', async (t) => {
  const code = `
    const loaded = () => Object.keys(require.cache).filter((file) => file.includes('/encryption/')).length
    const { encryption } = require('.')
    const before = loaded()
    encryption.wrap
    console.log(before, loaded() > 5)`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT })
  t.is(stdout, '1 true\n')
})
