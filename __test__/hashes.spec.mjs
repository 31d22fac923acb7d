// Hashes of version 2 (BEP 52) from both ends: when they are spoken, requests, answers, trees.
import { getEventListeners, once } from 'node:events'
import { createServer, connect } from 'node:net'

import test from 'ava'

import { FakeClock } from '../testkit/fake-clock.mjs'
import { loadCopy } from '../testkit/memory/copies.mjs'
import { encodeHandshake, frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { pwp, record, settled } from '../testkit/wires.mjs'

const V1 = Buffer.alloc(20, 1)
const V2 = Buffer.from(Array.from({ length: 32 }, (_, at) => at + 32))
const SHORT = V2.subarray(0, 20)
const PEER_ID = Buffer.from('-XX0001-abcdefghijkl')
const HASH = 32
const MAX = 2 ** 32 - 1

/** The hashes of seven pieces of two blocks each. */
const LAYER = Buffer.concat(Array.from({ length: 7 }, (_, at) => Buffer.alloc(HASH, at + 1)))
const TREE = new pwp.HashTree(LAYER, { baseLayer: 1 })

const part = (baseLayer = 1, index = 2, length = 2, proofLayers = 2) => ({
  root: TREE.root,
  baseLayer,
  index,
  length,
  proofLayers
})

const fieldsOf = ({ root, baseLayer, index, length, proofLayers }) => [
  root,
  baseLayer,
  index,
  length,
  proofLayers
]
const hashRequest = (request) => frame(21, ...fieldsOf(request))
const hashesMessage = (request, hashes) => frame(22, ...fieldsOf(request), hashes)
const hashReject = (request) => frame(23, ...fieldsOf(request))

const handshakeOf = (infoHash, offers = false) =>
  encodeHandshake({
    reserved: [0, 0, 0, 0, 0, 0, 0, offers ? 0x10 : 0],
    infoHash,
    peerId: PEER_ID
  })

/** A wire of version 2; its handshake is read. */
const v2 = (options, makeWire = pwp) => {
  const wire = makeWire(options)
  wire.handshake(V2, PEER_ID)
  wire.write(handshakeOf(SHORT))
  readAll(wire)
  return wire
}

/** The code of the error that a promise is rejected with, or its text. */
const codeOf = async (promise) => {
  try {
    return await promise
  } catch (error) {
    return error.code ?? error.message
  }
}

// When version 2 is spoken

for (const ours of ['v1', 'v2', 'other']) {
  for (const theirs of ['v1', 'v2', 'other']) {
    for (const [weOffer, theyOffer] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true]
    ]) {
      const title = `${ours}${weOffer ? ' with the offer' : ''} and ${theirs}${theyOffer ? ' with the offer' : ''}`
      test(`chooses a version for the info hashes ${title}`, (t) => {
        const hashes = { v1: V1, v2: SHORT, other: Buffer.alloc(20, 9) }
        const isV2 =
          (ours === 'v2' && (theirs === 'v2' || theyOffer)) ||
          (theirs === 'v2' && (ours === 'v2' || weOffer))
        for (const isFirst of [true, false]) {
          const wire = pwp()
          // Without the offer, the info hash of version 2 can only be told as that of the handshake.
          const infoHash = ours === 'v2' ? V2 : hashes[ours]
          const greet = () => wire.handshake(infoHash, PEER_ID, { v2: weOffer ? V2 : false })
          if (isFirst) greet()
          wire.write(handshakeOf(hashes[theirs], theyOffer))
          if (!isFirst) greet()
          t.is(wire.isV2, isV2)
          const events = record(wire, ['hash-reject', 'unknownmessage'])
          wire.write(hashReject(part()))
          t.deepEqual(events, [isV2 ? 'hash-reject' : 'unknownmessage'])
        }
      })
    }
  }
}

test('a responder upgrades a peer that offers it', async (t) => {
  const initiator = pwp()
  const responder = pwp()
  responder.once('handshake', (infoHash, _, extensions) => {
    t.deepEqual(infoHash, V1)
    t.is(extensions.v2, undefined)
    responder.handshake(V2.toString('hex'), PEER_ID, { v2: true })
  })
  const answered = once(initiator, 'handshake')
  initiator.pipe(responder).pipe(initiator)
  initiator.handshake(V1, PEER_ID, { v2: V2 })
  const [infoHash] = await answered
  t.deepEqual(infoHash, SHORT)
  t.true(initiator.isV2 && responder.isV2)
  t.is(responder.peerExtensions.v2, true)
})

for (const [title, infoHash, extensions] of [
  ['32 bytes', V2, undefined],
  ['64 hex digits', V2.toString('hex').toUpperCase(), {}],
  ['32 bytes of another type', new Uint8Array(V2), null],
  ['20 bytes, and the whole as v2', SHORT, { v2: V2 }],
  ['20 bytes, and 20 bytes as v2', SHORT, { v2: SHORT }],
  ['20 bytes, and 40 hex digits as v2', SHORT, { v2: SHORT.toString('hex') }],
  ['32 bytes, and 64 hex digits as v2', V2, { v2: V2.toString('hex') }]
]) {
  test(`handshake() takes an info hash of version 2 as ${title}`, (t) => {
    const wire = pwp()
    wire.handshake(infoHash, PEER_ID, extensions)
    const sent = readAll(wire)
    t.is(sent.length, 68)
    t.deepEqual(sent.subarray(28, 48), SHORT)
    t.is(sent[27], extensions?.v2 ? 0x10 : 0)
    wire.write(handshakeOf(SHORT))
    t.true(wire.isV2)
  })
}

test('handshake() refuses what is no info hash of version 2, and changes nothing', (t) => {
  const wire = pwp()
  for (const wrong of [Buffer.alloc(31), Buffer.alloc(33), 'ab'.repeat(31), 'zz'.repeat(32)]) {
    t.throws(() => wire.handshake(wrong, PEER_ID), { message: /MUST have length 20/ })
    t.throws(() => wire.handshake(V1, PEER_ID, { v2: wrong }), {
      instanceOf: RangeError,
      message: /^extensions\.v2/
    })
  }
  for (const wrong of [1, {}, []]) {
    t.throws(() => wire.handshake(V1, PEER_ID, { v2: wrong }), {
      instanceOf: TypeError,
      message: /^extensions\.v2/
    })
  }
  t.throws(() => wire.handshake(V2, PEER_ID, { v2: Buffer.alloc(32) }), {
    instanceOf: RangeError,
    message: /^extensions\.v2/
  })
  t.is(wire.read(), null)
})

test('isV2 is false without version 2, and stays true after the end', async (t) => {
  t.false(pwp().isV2)
  const wire = v2()
  t.true(wire.isV2)
  wire.destroy()
  await settled()
  t.true(wire.isV2)
  t.is(pwp.prototype.isV2, undefined)
})

test('infoHashes takes info hashes of version 2, and what was offered', (t) => {
  for (const infoHashes of [V2, V2.toString('hex'), [V1, V2], new Set([SHORT.toString('hex')])]) {
    const wire = pwp({ infoHashes })
    wire.write(handshakeOf(SHORT))
    t.false(wire.destroyed)
    const other = pwp({ infoHashes })
    other.write(handshakeOf(Buffer.alloc(20, 9)))
    t.is(other.error.code, 'ERR_PWP_INFO_HASH')
  }
  t.throws(() => pwp({ infoHashes: new Set([V2.toString('hex')]) }), { message: /40 lower-case/ })
  for (const [extensions, isServed] of [
    [{ v2: V2 }, true],
    [{ v2: true }, false]
  ]) {
    const wire = pwp({ infoHashes: V1 })
    wire.handshake(V1, PEER_ID, extensions)
    wire.write(handshakeOf(SHORT))
    t.is(wire.destroyed, !isServed)
  }
})

// Our requests

test('two wires over TCP exchange hashes and check them', async (t) => {
  const server = createServer((socket) => {
    const wire = pwp()
    socket.on('error', () => {})
    socket.pipe(wire).pipe(socket)
    wire.handshake(V2, PEER_ID)
    wire.on('hash-request', (request, respond) => respond(null, TREE.hashesFor(request)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect(server.address().port, '127.0.0.1')
  t.teardown(() => {
    socket.destroy()
    server.close()
  })
  const wire = pwp()
  socket.pipe(wire).pipe(socket)
  const greeted = once(wire, 'handshake')
  wire.handshake(V2, PEER_ID)
  await greeted
  const [all, two, above] = await Promise.all([
    wire.requestHashes(part(1, 0, 8, 2)),
    wire.requestHashes({ ...part(), root: TREE.root.toString('hex') }),
    wire.requestHashes(part(2, 2, 2, 1))
  ])
  t.deepEqual(all, Buffer.concat([LAYER, TREE.hashesFor(part(1, 6, 2, 2)).subarray(32, 64)]))
  t.deepEqual(two, LAYER.subarray(64, 128))
  t.is(above.length, 64)
  // What the tree does not have is rejected.
  t.is(await codeOf(wire.requestHashes(part(0, 0, 2, 3))), 'ERR_PWP_HASHES_REJECTED')
  t.is(wire.stats().violations, 0)
})

test('an answer under every cut gives the same hashes', async (t) => {
  const request = part()
  const message = hashesMessage(request, TREE.hashesFor(request))
  const results = []
  for (let at = 1; at < message.length; at++) {
    const wire = v2({ policy: 'strict' })
    const events = record(wire, ['hashes'])
    const answer = wire.requestHashes(request)
    wire.write(message.subarray(0, at))
    wire.write(message.subarray(at))
    t.is(events.length, 1)
    results.push(answer)
  }
  for (const hashes of await Promise.all(results)) t.deepEqual(hashes, LAYER.subarray(64, 128))
})

test("'hashes' and 'hash-reject' show what arrives, after the request has ended", async (t) => {
  const wire = v2()
  const request = part()
  const hashes = TREE.hashesFor(request)
  const seen = []
  wire.on('hashes', (...args) => seen.push(['hashes', ...args]))
  wire.on('hash-reject', (...args) => seen.push(['hash-reject', ...args]))
  const answer = wire.requestHashes(request)
  t.deepEqual(readAll(wire), hashRequest(request))
  wire.write(hashesMessage(request, hashes))
  wire.write(hashesMessage(request, hashes))
  wire.write(hashReject(request))
  t.deepEqual(seen, [
    ['hashes', request, hashes, true],
    ['hashes', request, hashes, false],
    ['hash-reject', request]
  ])
  t.deepEqual(await answer, LAYER.subarray(64, 128))
  t.is(wire.stats().violations, 2)
  const { received } = wire.stats()
  t.is(received.messages.hashes, 2)
  t.is(received.messages.hashReject, 1)
})

test('hashes that do not fit the root reject the promise, or close a strict wire', async (t) => {
  const request = part()
  const wrong = TREE.hashesFor(request)
  wrong[100] ^= 1
  const wire = v2()
  const answer = wire.requestHashes(request)
  wire.write(hashesMessage(request, wrong))
  const error = await t.throwsAsync(answer, { instanceOf: pwp.ProtocolError })
  t.like(error, { code: 'ERR_PWP_HASHES', baseLayer: 1, index: 2, length: 2 })
  t.false(wire.destroyed)

  const strict = v2({ policy: 'strict' })
  const refused = strict.requestHashes(request)
  strict.write(hashesMessage(request, wrong))
  t.is(await codeOf(refused), 'ERR_PWP_HASHES')
  t.is(strict.error.code, 'ERR_PWP_HASHES')
})

test('a partial proof is checked against its parent', async (t) => {
  const request = part(1, 2, 2, 0)
  const hashes = TREE.hashesFor(request)
  const upper = TREE.hashesFor(part(2, 0, 2, 1)).subarray(HASH, 2 * HASH)
  const wire = v2()
  const right = wire.requestHashes({ ...request, parent: upper })
  const wrong = wire.requestHashes({ ...request, parent: TREE.root })
  wire.write(hashesMessage(request, hashes))
  wire.write(hashesMessage(request, hashes))
  t.deepEqual(await right, hashes)
  t.is(await codeOf(wrong), 'ERR_PWP_HASHES')
})

for (const [title, wire, code] of [
  ['without version 2', pwp(), 'ERR_PWP_NO_V2'],
  ['with version 2', v2(), 'ERR_PWP_CLOSED']
]) {
  test(`requestHashes() rejects ${title} once the wire is closed`, async (t) => {
    const before = codeOf(wire.requestHashes(part()))
    wire.destroy()
    t.is(await before, code)
    t.is(await codeOf(wire.requestHashes(part())), 'ERR_PWP_CLOSED')
    await settled()
    t.is(await codeOf(wire.requestHashes(part())), 'ERR_PWP_CLOSED')
  })
}

test('requestHashes() rejects when the wire ends or fails', async (t) => {
  const ended = v2()
  const open = ended.requestHashes(part())
  ended.end()
  t.is(await codeOf(open), 'ERR_PWP_CLOSED')
  const failed = v2()
  const failing = failed.requestHashes(part())
  failed.write(frame(4))
  t.is(await codeOf(failing), 'ERR_PWP_MESSAGE_LENGTH')
})

test('requestHashes() ends by its signal, and the late answer is no violation', async (t) => {
  const wire = v2({ policy: 'strict' })
  const request = part()
  const message = hashesMessage(request, TREE.hashesFor(request))
  const controller = new AbortController()
  const reason = new Error('no longer')
  const aborted = wire.requestHashes(request, { signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(aborted), reason)
  wire.write(message)
  t.false(wire.destroyed)
  readAll(wire)
  // One that is aborted already is not sent.
  t.is(await t.throwsAsync(wire.requestHashes(request, { signal: controller.signal })), reason)
  t.is(wire.read(), null)
  // Its signal no longer matters once it has ended.
  const other = new AbortController()
  const answered = wire.requestHashes(request, { signal: other.signal })
  wire.write(message)
  await answered
  other.abort()
  t.is(wire.stats().violations, 0)
})

test('requestHashes() of many requests with one signal listens to it once', async (t) => {
  const wires = [v2(), v2()]
  const { signal } = new AbortController()
  const answered = wires.map((wire) => wire.requestHashes(part(), { signal }))
  t.is(getEventListeners(signal, 'abort').length, 1)
  for (const wire of wires) wire.write(hashesMessage(part(), TREE.hashesFor(part())))
  await Promise.all(answered)
  t.is(getEventListeners(signal, 'abort').length, 0)
  const controller = new AbortController()
  const open = wires.flatMap((wire) =>
    Array.from({ length: 20 }, () => wire.requestHashes(part(), { signal: controller.signal }))
  )
  t.is(getEventListeners(controller.signal, 'abort').length, 1)
  // A reason that is not truthy.
  const old = wires[0].requestHashes(part(), { signal: AbortSignal.abort(null) })
  t.is((await t.throwsAsync(old, { any: true })).name, 'AbortError')
  controller.abort('no longer')
  const outcomes = await Promise.allSettled(open)
  t.true(outcomes.every(({ reason }) => reason === 'no longer'))
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

// jest resets modules. What is loaded late then queues commands where this wire does not look for them.
test('a wire of another copy of the code gives hashes up, and rejects', async (t) => {
  const wire = v2({}, loadCopy())
  const controller = new AbortController()
  const given = wire.requestHashes(part(), { signal: controller.signal })
  t.is(readAll(wire).length, 53)
  controller.abort('stop')
  await t.throwsAsync(given, { any: true, is: 'stop' })
  wire.write(hashesMessage(part(), TREE.hashesFor(part())))
  t.is(wire.stats().violations, 0)
  wire.write(hashRequest(part()))
  t.deepEqual(readAll(wire), hashReject(part()))
})

test.serial(
  'requestHashes() ends by its timeout, and the late answer is no violation',
  async (t) => {
    const clock = new FakeClock()
    clock.install()
    t.teardown(() => clock.restore())
    const wire = v2({ policy: 'strict' })
    const request = part()
    const message = hashesMessage(request, TREE.hashesFor(request))
    const slow = wire.requestHashes(request, { timeout: 100 })
    const quick = wire.requestHashes(part(1, 0, 8, 2), { timeout: 100 })
    wire.write(hashesMessage(part(1, 0, 8, 2), TREE.hashesFor(part(1, 0, 8, 2))))
    await clock.advance(99, settled)
    t.is(await Promise.race([codeOf(slow), 'open']), 'open')
    await clock.advance(1, settled)
    t.is(await codeOf(slow), 'ERR_PWP_HASHES_TIMEOUT')
    t.is((await quick).length, 8 * HASH)
    wire.write(message)
    t.false(wire.destroyed)
  }
)

test('requestHashes() that throws for the reader of the output leaves no promise to handle', async (t) => {
  const wire = v2()
  wire.on('data', () => {
    throw new Error('reader')
  })
  t.throws(() => wire.requestHashes(part()), { message: 'reader' })
  // A rejection that nobody handles would fail this file.
  wire.destroy()
  await settled()
})

test('requestHashes() has at most a thousand requests open', async (t) => {
  const wire = v2()
  const open = Array.from({ length: 1_000 }, () => codeOf(wire.requestHashes(part())))
  t.is(await codeOf(wire.requestHashes(part())), 'ERR_PWP_TOO_MANY_HASH_REQUESTS')
  wire.destroy()
  t.deepEqual(new Set(await Promise.all(open)), new Set(['ERR_PWP_CLOSED']))
})

for (const [field, wrong, instanceOf] of [
  ['root', Buffer.alloc(31), RangeError],
  ['root', 'ab', RangeError],
  ['root', undefined, TypeError],
  ['parent', Buffer.alloc(33), RangeError],
  ['parent', 5, TypeError],
  ['baseLayer', -1, RangeError],
  ['baseLayer', '1', TypeError],
  ['baseLayer', 51, RangeError],
  ['index', 1, RangeError],
  ['index', 1.5, RangeError],
  ['index', 8, RangeError],
  ['index', MAX + 1, RangeError],
  ['length', 0, RangeError],
  ['length', 1, RangeError],
  ['length', 3, RangeError],
  ['length', 16_384, RangeError],
  ['length', 2 ** 31, RangeError],
  ['proofLayers', undefined, TypeError],
  ['proofLayers', NaN, RangeError]
]) {
  test(`requestHashes() throws for the ${field} ${String(wrong)}, in any state`, (t) => {
    const closed = v2()
    closed.destroy()
    for (const wire of [pwp(), v2(), closed]) {
      const sent = readAll(wire).length
      const request = { ...part(1, 2, 2, 2), [field]: wrong }
      if (field === 'length') request.index = 0
      t.throws(() => wire.requestHashes(request), {
        instanceOf,
        message: new RegExp(`^request\\.${field}`)
      })
      t.is(readAll(wire).length, 0, `${sent}`)
    }
  })
}

test('requestHashes() throws for a wrong request although the signal is aborted', (t) => {
  const wire = v2()
  const options = { signal: AbortSignal.abort() }
  t.throws(() => wire.requestHashes(part(1, 0, 3), options), { message: /^request\.length/ })
})

test('requestHashes() and hashesFor() read each field once', async (t) => {
  const wire = v2()
  const reads = []
  const get = (fields, key) => {
    reads.push(key)
    return fields[key]
  }
  const fields = { ...part(), parent: TREE.root }
  const request = new Proxy(fields, { get })
  const options = new Proxy({ timeout: 1, signal: null }, { get })
  const open = wire.requestHashes(request, options)
  TREE.hashesFor(request)
  const names = Object.keys(fields)
  t.deepEqual(reads.toSorted(), [...names, ...names, 'signal', 'timeout'].toSorted())
  wire.destroy()
  t.is(await codeOf(open), 'ERR_PWP_CLOSED')
})

test('requests and options for hashes that cannot be read are refused, with the reason', (t) => {
  const wire = v2()
  const cause = new Error('no')
  const broken = new Proxy(
    {},
    {
      get() {
        throw cause
      }
    }
  )
  for (const [name, call] of [
    ['request', () => wire.requestHashes(broken)],
    ['options', () => wire.requestHashes(part(), broken)],
    ['request', () => TREE.hashesFor(broken)],
    ['options', () => new pwp.HashTree(LAYER, broken)],
    ['options', () => pwp.pieceRoot(LAYER, broken)]
  ]) {
    const error = t.throws(call, { instanceOf: TypeError, message: `${name} cannot be read` })
    t.is(error.cause, cause)
  }
})

// A number there would otherwise be taken for no options, and hash for another layer.
for (const options of [1, 16_384, 'baseLayer', true, [], Math.log2]) {
  test(`HashTree and pieceRoot() refuse ${typeof options} ${String(options)} as options`, (t) => {
    const expected = { instanceOf: TypeError, message: 'options must be an object' }
    t.throws(() => new pwp.HashTree(LAYER, options), expected)
    t.throws(() => pwp.pieceRoot(LAYER, options), expected)
  })
}

test('requestHashes() throws for wrong options, and for an answer above maxMessageLength', (t) => {
  const wire = v2({ maxMessageLength: 176 })
  for (const [options, message] of [
    [5, /^options/],
    [[], /^options must be/],
    [{ signal: 5 }, /^options\.signal/],
    [{ signal: {} }, /^options\.signal/],
    [{ signal: { aborted: false, addEventListener() {} } }, /^options\.signal/],
    [{ timeout: -1 }, /^options\.timeout/],
    [{ timeout: '5' }, /^options\.timeout/]
  ]) {
    t.throws(() => wire.requestHashes(part(), options), { message })
  }
  for (const request of [undefined, null, 5]) {
    t.throws(() => wire.requestHashes(request), { instanceOf: TypeError, message: /^request/ })
  }
  t.throws(() => wire.requestHashes(part()), { message: /^request\.length.*maxMessageLength/ })
  t.is(wire.read(), null)
})

// Requests of the peer

test("'hash-request' is answered once, with as many hashes as requested", async (t) => {
  const wire = v2()
  const request = part()
  const hashes = TREE.hashesFor(request)
  const asked = []
  wire.on('hash-request', (...args) => asked.push(args))
  wire.write(Buffer.concat([hashRequest(request), hashRequest(request), hashRequest(request)]))
  t.is(asked.length, 3)
  t.deepEqual(asked[0][0], request)
  asked[1][1](null, new Uint8Array(hashes))
  t.deepEqual(readAll(wire), hashesMessage(request, hashes))
  asked[0][1](new Error('no'))
  t.deepEqual(readAll(wire), hashReject(request))
  for (const [, respond] of asked.slice(0, 2)) {
    respond(null, hashes)
    respond(null, 'hashes')
    respond(new Error('again'))
  }
  t.is(readAll(wire).length, 0)
  wire.destroy()
  asked[2][1](null, hashes)
  await settled()
  asked[2][1](null, hashes)
  asked[2][1](null, 'hashes')
  t.is(wire.stats().droppedAnswers, 0)
})

test('an answer that does not fit is rejected and counted, and nothing is thrown', (t) => {
  const request = part()
  for (const wrong of ['hashes', 5, [], Buffer.alloc(0), Buffer.alloc(63), LAYER]) {
    const wire = v2()
    wire.on('hash-request', (_, respond) => respond(null, wrong))
    wire.write(hashRequest(request))
    t.deepEqual(readAll(wire), hashReject(request))
    t.is(wire.stats().droppedAnswers, 1)
  }
})

test('no hashes reject, as a tree has none for what a peer may request, and nothing is counted', (t) => {
  const request = part(0, 0, 2, 0)
  for (const none of [TREE.hashesFor(request), undefined]) {
    const wire = v2()
    wire.on('hash-request', (_, respond) => respond(null, none))
    wire.write(hashRequest(request))
    t.deepEqual(readAll(wire), hashReject(request))
    t.is(wire.stats().droppedAnswers, 0)
  }
})

test('without a listener each request is rejected', (t) => {
  const wire = v2()
  wire.write(hashRequest(part()))
  t.deepEqual(readAll(wire), hashReject(part()))
  t.is(wire.stats().violations, 0)
})

for (const [title, request] of [
  ['no hashes', part(1, 0, 0, 0)],
  ['one hash', part(1, 0, 1, 0)],
  ['three hashes', part(1, 0, 3, 0)],
  ['2 ** 31 hashes', part(1, 0, 2 ** 31, 0)],
  ['an index that is no multiple', part(1, 1, 2, 0)],
  ['more layers than any tree has', part(MAX, 0, 2, MAX)]
]) {
  test(`a request for ${title} is rejected, or closes a strict wire`, (t) => {
    const wire = v2()
    wire.on('hash-request', () => t.fail())
    wire.write(hashRequest(request))
    t.deepEqual(readAll(wire), hashReject(request))
    t.is(wire.stats().violations, 1)
    const strict = v2({ policy: 'strict' })
    strict.write(hashRequest(request))
    t.like(strict.error, { code: 'ERR_PWP_HASH_REQUEST', length: request.length })
  })
}

for (const [title, message] of [
  ['a request of 48 bytes', frame(21, Buffer.alloc(47))],
  ['a request of 50 bytes', frame(21, Buffer.alloc(49))],
  ['hashes without one', frame(22, Buffer.alloc(48))],
  ['half a hash', frame(22, Buffer.alloc(48 + 80))],
  ['a reject without fields', frame(23)]
]) {
  test(`${title} closes the wire`, (t) => {
    const wire = v2()
    wire.write(message)
    t.is(wire.error.code, 'ERR_PWP_MESSAGE_LENGTH')
  })
}

test('what nobody asked for is counted, or closes a strict wire', (t) => {
  const request = part()
  for (const [message, code] of [
    [hashesMessage(request, TREE.hashesFor(request)), 'ERR_PWP_UNSOLICITED_HASHES'],
    [hashReject(request), 'ERR_PWP_UNSOLICITED_HASH_REJECT']
  ]) {
    const wire = v2()
    wire.write(message)
    t.is(wire.stats().violations, 1)
    const strict = v2({ policy: 'strict' })
    strict.write(message)
    t.like(strict.error, { code, baseLayer: 1, index: 2, length: 2 })
  }
})

test('a peer that requests without reading ends its wire, which holds little', (t) => {
  const request = part(1, 0, 512, 8)
  const answer = Buffer.alloc(512 * HASH, 7)
  const wire = v2({ uploadBacklog: 100_000 })
  wire.on('hash-request', (_, respond) => respond(null, answer))
  const flood = Buffer.concat(Array.from({ length: 100 }, () => hashRequest(request)))
  let most = 0
  for (let round = 0; round < 1_000 && !wire.destroyed; round++) {
    wire.write(flood)
    most = Math.max(most, wire.bufferedAmount)
  }
  t.is(wire.error.code, 'ERR_PWP_REQUEST_FLOOD')
  t.true(most < 1_000_000, `${most}`)
})

test('a peer that reads may request without end', (t) => {
  const request = part(1, 0, 512, 8)
  const answer = Buffer.alloc(512 * HASH, 7)
  const wire = v2()
  wire.on('hash-request', (_, respond) => respond(null, answer))
  for (let round = 0; round < 1_000; round++) {
    wire.write(hashRequest(request))
    t.is(readAll(wire).length, 53 + answer.length)
  }
  t.is(wire.stats().sent.messages.hashes, 1_000)
})

// Trees

test('HashTree gives the root of BEP 52, and answers what it has', (t) => {
  t.is(TREE.rootLayer, 4)
  t.is(TREE.root.length, HASH)
  t.deepEqual(TREE.hashesFor(part()).subarray(0, 64), LAYER.subarray(64, 128))
  t.is(TREE.hashesFor({ ...part(), root: Buffer.alloc(HASH) }), null)
  t.is(TREE.hashesFor(part(0, 0, 2, 0)), null)
  t.is(TREE.hashesFor(part(1, 8, 8, 0)), null)
  t.is(TREE.hashesFor(part(1, 0, 3, 0)), null)
  const one = new pwp.HashTree(LAYER.subarray(0, HASH))
  t.deepEqual(one.root, LAYER.subarray(0, HASH))
})

test('HashTree and pieceRoot() throw for wrong arguments', (t) => {
  const { HashTree, pieceRoot } = pwp
  t.throws(() => new HashTree(), { instanceOf: TypeError, message: /^hashes/ })
  t.throws(() => new HashTree(Buffer.alloc(0)), { instanceOf: RangeError, message: /^hashes/ })
  t.throws(() => new HashTree(Buffer.alloc(33)), { instanceOf: RangeError, message: /^hashes/ })
  for (const baseLayer of [-1, 51, 1.5]) {
    t.throws(() => new HashTree(LAYER, { baseLayer }), {
      instanceOf: RangeError,
      message: /baseLayer/
    })
  }
  t.throws(() => TREE.hashesFor(), { instanceOf: TypeError, message: /^request/ })
  t.throws(() => TREE.hashesFor({ ...part(), index: -1 }), { message: /^request\.index/ })
  t.throws(() => TREE.hashesFor({ ...part(), root: 'a' }), { message: /^request\.root/ })
  t.throws(() => pieceRoot('a'), { instanceOf: TypeError, message: /^piece/ })
  t.throws(() => pieceRoot(Buffer.alloc(0)), { instanceOf: RangeError, message: /^piece/ })
  for (const pieceLength of [0, 16_383, 49_152, 2 ** 31]) {
    t.throws(() => pieceRoot(Buffer.alloc(1), { pieceLength }), {
      instanceOf: RangeError,
      message: /^options\.pieceLength/
    })
  }
  t.throws(() => pieceRoot(Buffer.alloc(20_000), { pieceLength: 16_384 }), {
    message: /pieceLength/
  })
})

test('pieceRoot() gives the hashes of a tree of blocks', (t) => {
  const { HashTree, pieceRoot } = pwp
  const piece = Buffer.alloc(40_000, 3)
  const blocks = [0, 1, 2].map((at) => pieceRoot(piece.subarray(at * 16_384, (at + 1) * 16_384)))
  const alone = new HashTree(Buffer.concat(blocks))
  t.deepEqual(pieceRoot(piece), alone.root)
  t.deepEqual(pieceRoot(piece, { pieceLength: 65_536 }), alone.root)
  const zeros = Buffer.alloc(HASH)
  const padded = new HashTree(Buffer.concat([...blocks, ...Array.from({ length: 5 }, () => zeros)]))
  t.deepEqual(pieceRoot(piece, { pieceLength: 131_072 }), padded.root)
})
