// `wire.metadata()` and `wire.serveMetadata()`: the info dictionary from one peer, BEP 9
// <https://www.bittorrent.org/beps/bep_0009.html>.
import { once, getEventListeners } from 'node:events'
import test from 'ava'

import {
  PIECE,
  connect,
  data,
  fullHashOf,
  greet,
  hashOf,
  honest,
  infoOf,
  joined,
  lying,
  peerOf,
  settle,
  stalling,
  stopTime,
  wireTo
} from '../testkit/metadata.mjs'
import { pwp } from '../testkit/wires.mjs'

stopTime()

for (const length of [0, 100, PIECE - 200, PIECE, 3 * PIECE + 7]) {
  test(`fetches about ${length} bytes from a wire that serves them`, async (t) => {
    const info = infoOf(length)
    const [one, other] = [pwp(), pwp()]
    joined(one, other)
    one.serveMetadata(info)
    const fetched = other.metadata()
    greet(hashOf(info), one, other)
    const metadata = await fetched
    t.deepEqual(metadata, info)
    t.is(metadata.buffer.byteLength, info.length, 'memory of its own')
    t.false(one.destroyed || other.destroyed)
  })
}

test('fetches 10 MiB over TCP from one wire', async (t) => {
  const info = infoOf(10 * 1024 * 1024)
  const [one, other] = [pwp(), pwp()]
  one.serveMetadata(info)
  await connect(t, one, other)
  greet(hashOf(info), one, other)
  t.true((await other.metadata()).equals(info))
})

for (const [title, hash] of [
  ['SHA-1', hashOf],
  ['SHA-256 that is cut', (info) => fullHashOf(info).subarray(0, 20)]
]) {
  test(`checks metadata against an info hash that is a ${title}`, async (t) => {
    const info = infoOf(100)
    t.deepEqual(await wireTo(honest(info), hash(info)).metadata(), info)
    await t.throwsAsync(wireTo(lying(info), hash(info)).metadata(), {
      name: 'ProtocolError',
      code: 'ERR_PWP_METADATA_HASH'
    })
  })
}

/** A peer that answers a turn later, and nothing any more once a second request comes before that. */
const overtaxed = (info, client) => {
  let waiting = 0
  const peer = peerOf({
    size: info.length,
    act: (send, { piece }) => {
      waiting++
      setImmediate(() => {
        if (waiting > 1) return
        waiting--
        send(data(info, piece))
      })
    }
  })
  peer.extendedHandshake.v = client
  return peer
}

for (const fetch of ['wire.metadata()', 'the extension']) {
  test(`asks rTorrent for one block at a time: ${fetch}`, async (t) => {
    const info = infoOf(5 * PIECE)
    const peer = overtaxed(info, 'libTorrent 0.13.8')
    const wire = pwp()
    joined(wire, peer)
    const fetched =
      fetch === 'wire.metadata()'
        ? wire.metadata()
        : new Promise((resolve) => {
            const extension = wire.use(pwp.extensions.utMetadata())
            extension.on('metadata', () => resolve(extension.metadata))
            extension.fetch()
          })
    greet(hashOf(info), wire, peer)
    t.true((await fetched).equals(info))
    t.is(peer.got.length, 6)
  })
}

test('both sides may serve and fetch, before and after their handshakes', async (t) => {
  const info = infoOf(2 * PIECE)
  const [one, other] = [pwp({ extensions: true }), pwp({ extensions: true })]
  joined(one, other)
  greet(hashOf(info), one, other)
  await settle()
  one.serveMetadata(info)
  const metadata = await other.metadata()
  other.serveMetadata(metadata)
  t.is(one.peerExtendedHandshake.metadata_size, info.length)
  t.deepEqual(await one.metadata(), info)
})

test('calls at once share one fetch, and each gets memory of its own', async (t) => {
  const info = infoOf(5 * PIECE)
  const peer = honest(info)
  const wire = wireTo(peer, hashOf(info))
  const all = await Promise.all([wire.metadata(), wire.metadata(), wire.metadata({ timeout: 1e9 })])
  for (const metadata of all) t.deepEqual(metadata, info)
  t.is(new Set(all.map(({ buffer }) => buffer)).size, 3)
  t.is(peer.got.length, 6)
  await wire.metadata()
  t.is(peer.got.length, 12, 'a later call fetches again')
})

test('uses the extension that is in use already', async (t) => {
  const info = infoOf(100)
  const [one, other] = [pwp(), pwp()]
  const serving = one.use(pwp.extensions.utMetadata(info))
  const fetching = other.use(pwp.extensions.utMetadata())
  joined(one, other)
  greet(hashOf(info), one, other)
  t.deepEqual(await other.metadata(), info)
  t.is(one.ut_metadata, serving)
  t.is(other.ut_metadata, fetching)
  // It was not the extension that fetched.
  t.is(fetching.metadata, undefined)
})

test('refuses an extension of another package', (t) => {
  const wire = peerOf()
  for (const call of [() => wire.metadata(), () => wire.serveMetadata(infoOf(1))])
    t.throws(call, { code: 'ERR_PWP_METADATA_IN_USE' })
})

const FAILURES = {
  'does not have the extension protocol': ['UNSUPPORTED', () => pwp(), { extended: false }],
  'does not have the extension': ['UNSUPPORTED', () => pwp({ extensions: true })],
  'announces no size': ['MISSING', () => peerOf()],
  'announces a size of 0': ['MISSING', () => peerOf({ size: 0 })],
  'announces a negative size': ['MISSING', () => peerOf({ size: -1 })],
  'announces 2^31 bytes': ['SIZE', () => peerOf({ size: 2 ** 31 })],
  'announces 2^32 bytes': ['MISSING', () => peerOf({ size: 2 ** 32 })],
  'announces a byte more than the default limit': ['SIZE', () => peerOf({ size: 2 ** 25 + 1 })],
  lies: ['HASH', lying],
  'closes after its handshake': [
    'CLOSED',
    (info) => peerOf({ size: info.length, act: (_, __, wire) => wire.destroy() })
  ],
  'sends nothing but nonsense': [
    'OFFENCES',
    (info) =>
      peerOf({
        size: info.length,
        act(send) {
          for (let n = 0; n < 20; n++) send(Buffer.from('d8:msg_typei1e5:piecei-5ee'))
        }
      })
  ]
}

for (const [title, [code, makePeer, announced]] of Object.entries(FAILURES)) {
  test(`rejects with a typed error if the peer ${title}`, async (t) => {
    const info = infoOf(100)
    const peer = makePeer(info)
    const wire = pwp()
    joined(wire, peer)
    const fetched = wire.metadata()
    wire.handshake(hashOf(info), Buffer.alloc(20, 1))
    peer.handshake(hashOf(info), Buffer.alloc(20, 2), announced)
    const error = await t.throwsAsync(fetched, { instanceOf: pwp.ProtocolError })
    t.is(error.code, `ERR_PWP_METADATA_${code}`)
    if (code !== 'CLOSED') t.false(wire.destroyed, 'the wire stays')
  })
}

test('rejects if our own handshake does not announce the extension protocol', async (t) => {
  const info = infoOf(100)
  const wire = pwp()
  const peer = honest(info)
  joined(wire, peer)
  wire.handshake(hashOf(info), Buffer.alloc(20, 1), { extended: false })
  greet(hashOf(info), peer)
  await t.throwsAsync(wire.metadata(), { code: 'ERR_PWP_METADATA_UNSUPPORTED' })
})

for (const [title, end] of [
  ['is destroyed', (wire) => wire.destroy()],
  ['ends', (wire) => wire.end()],
  ['fails', (wire) => wire.write(Buffer.alloc(100, 0xff))]
]) {
  test(`rejects if the wire ${title}, before and after`, async (t) => {
    const wire = pwp()
    wire.on('error', () => {})
    wire.resume()
    const fetched = wire.metadata()
    await settle()
    end(wire)
    const error = await t.throwsAsync(fetched, { code: 'ERR_PWP_METADATA_CLOSED' })
    if (title === 'fails') t.is(error.cause, wire.error)
    await settle()
    await t.throwsAsync(wire.metadata(), { code: 'ERR_PWP_METADATA_CLOSED' })
  })
}

test('our info hash counts, whatever the peer sends', async (t) => {
  const info = infoOf(100)
  const wire = pwp()
  const peer = honest(info)
  joined(wire, peer)
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  peer.handshake(Buffer.alloc(20, 9), Buffer.alloc(20, 2))
  t.deepEqual(await wire.metadata(), info)
})

test('honors maxSize, at and above it', async (t) => {
  const info = infoOf(PIECE)
  const fetch = (maxSize) => wireTo(honest(info), hashOf(info)).metadata({ maxSize })
  t.deepEqual(await fetch(info.length), info)
  const error = await t.throwsAsync(fetch(info.length - 1), { code: 'ERR_PWP_METADATA_SIZE' })
  t.like(error, { length: info.length, limit: info.length - 1 })
})

test('honors a signal, also one that is aborted already', async (t) => {
  const info = infoOf(100)
  const wire = wireTo(stalling(info), hashOf(info))
  const reason = new Error('no longer wanted')
  await t.throwsAsync(wire.metadata({ signal: AbortSignal.abort(reason) }), { is: reason })
  t.is(wire.ut_metadata, undefined, 'nothing was done')
  const controller = new AbortController()
  const [first, second] = [wire.metadata({ signal: controller.signal }), wire.metadata()]
  await settle()
  controller.abort(reason)
  await t.throwsAsync(first, { is: reason })
  // Without a reason it is a DOMException, which ava does not count as an error.
  const error = await wire.metadata({ signal: AbortSignal.abort() }).catch((thrown) => thrown)
  t.is(error.name, 'AbortError')
  // The other call goes on.
  wire.destroy()
  await t.throwsAsync(second, { code: 'ERR_PWP_METADATA_CLOSED' })
})

test('a later call gets an answer though an earlier one got none', async (t) => {
  const info = infoOf(100)
  const peer = stalling(info)
  const wire = wireTo(peer, hashOf(info))
  const controller = new AbortController()
  const first = wire.metadata({ signal: controller.signal })
  await settle()
  controller.abort()
  await first.catch(() => {})
  const second = wire.metadata()
  await settle()
  t.is(peer.got.length, 2)
  peer.extended('ut_metadata', data(info, 0))
  t.deepEqual(await second, info)
})

test('leaves nothing on a signal that is not aborted', async (t) => {
  const info = infoOf(100)
  const { signal } = new AbortController()
  let added = 0
  for (const [name, by] of [
    ['addEventListener', 1],
    ['removeEventListener', -1]
  ]) {
    const method = signal[name]
    signal[name] = function (...args) {
      added += by
      return Reflect.apply(method, this, args)
    }
  }
  await wireTo(honest(info), hashOf(info)).metadata({ signal })
  await t.throwsAsync(wireTo(lying(info), hashOf(info)).metadata({ signal }))
  t.is(added, 0)
})

test('one signal serves many wires with one listener, whatever other listeners do', async (t) => {
  const infoHash = hashOf(infoOf(100))
  const controller = new AbortController()
  const { signal } = controller
  const rejected = Array.from({ length: 20 }, () => {
    const wire = pwp()
    wire.handshake(infoHash, Buffer.alloc(20, 1))
    return wire.metadata({ signal }).catch((error) => error)
  })
  // Node warns above ten.
  t.is(getEventListeners(signal, 'abort').length, 1)
  controller.abort(new Error('enough'))
  const errors = await Promise.all(rejected)
  t.deepEqual(
    errors.map(({ message }) => message),
    Array(20).fill('enough')
  )
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('names the error by which a wire was closed as the cause', async (t) => {
  const wire = pwp()
  const fetched = wire.metadata()
  const reason = new Error('of the user')
  wire.destroy(reason)
  const error = await t.throwsAsync(fetched, { code: 'ERR_PWP_METADATA_CLOSED' })
  t.is(error.cause, reason)
  const other = pwp()
  const second = other.metadata()
  other.destroy()
  t.false('cause' in (await t.throwsAsync(second, { code: 'ERR_PWP_METADATA_CLOSED' })))
})

test('takes bytes whose properties lie for what they are', (t) => {
  const info = infoOf(100)
  for (const name of ['length', 'byteOffset', 'buffer']) {
    const odd = Object.defineProperty(Buffer.from(info), name, { value: 5 })
    const wire = pwp()
    wire.serveMetadata(odd)
    t.deepEqual(wire.ut_metadata.metadata, info)
    t.true(wire.extendedHandshake.metadata_size === info.length)
  }
})

test('a handshake that cannot be changed keeps serveMetadata() from changing anything', (t) => {
  const info = infoOf(100)
  const wire = pwp({ extensions: true })
  wire.use(pwp.extensions.utMetadata())
  wire.extendedHandshake = Object.freeze({})
  t.throws(() => wire.serveMetadata(info), { name: 'TypeError' })
  t.is(wire.ut_metadata.metadata, undefined)
  wire.extendedHandshake = {}
  wire.serveMetadata(info)
  t.deepEqual(wire.ut_metadata.metadata, info)
  t.is(wire.extendedHandshake.metadata_size, info.length)
})

test('throws for wrong arguments at once, and changes nothing', (t) => {
  const wire = pwp()
  for (const [options, name, message] of [
    [5, 'TypeError', 'options must be an object'],
    [{ signal: 5 }, 'TypeError', 'signal must be an AbortSignal'],
    [{ signal: {} }, 'TypeError', 'signal must be an AbortSignal'],
    [{ signal: { aborted: false } }, 'TypeError', 'signal must be an AbortSignal'],
    [{ signal: { aborted: true } }, 'TypeError', 'signal must be an AbortSignal'],
    [{ timeout: '5' }, 'TypeError', 'timeout must be a number'],
    [{ timeout: -1 }, 'RangeError', /^timeout must be from 0/],
    [{ timeout: 2 ** 31 }, 'RangeError', /^timeout must be from 0/],
    [{ timeout: NaN }, 'RangeError', /^timeout must be from 0/],
    [{ maxSize: 0 }, 'RangeError', /^maxSize must be from 1/],
    [{ maxSize: 1.5 }, 'RangeError', /^maxSize must be an integer/],
    [{ maxSize: 2 ** 31 }, 'RangeError', /^maxSize must be from 1/]
  ])
    t.throws(() => wire.metadata(options), { name, message }, JSON.stringify(options))
  for (const [info, name, message] of [
    [undefined, 'TypeError', 'info must be a Buffer or Uint8Array'],
    ['de', 'TypeError', 'info must be a Buffer or Uint8Array'],
    [Buffer.alloc(0), 'RangeError', /^info.length must be from 1/]
  ])
    t.throws(() => wire.serveMetadata(info), { name, message })
  t.is(wire.ut_metadata, undefined)
  t.throws(() => pwp.prototype.metadata.call({}), { name: 'TypeError' })
})

test('serves only metadata that has the info hash of the wire', async (t) => {
  const info = infoOf(100)
  const message = 'info does not have the info hash of the wire'
  const known = pwp()
  greet(hashOf(info), known)
  t.throws(() => known.serveMetadata(infoOf(100)), { name: 'RangeError', message })
  t.is(known.ut_metadata, undefined)
  known.serveMetadata(info)
  known.serveMetadata(info)

  // Not known yet: noticed with the handshake.
  const wire = pwp()
  wire.serveMetadata(infoOf(100))
  const warned = once(wire.ut_metadata, 'warning')
  const peer = peerOf()
  joined(wire, peer)
  greet(hashOf(info), wire, peer)
  t.is((await warned)[0].message, 'metadata does not have the info hash of the wire')
  await settle()
  t.is(peer.peerExtendedHandshake.metadata_size, undefined)
  peer.extended('ut_metadata', Buffer.from('d8:msg_typei0e5:piecei0ee'))
  await settle()
  t.like(peer.got, [{ msg_type: 2, piece: 0 }])
})

test('announces metadata that are served late in a further handshake', async (t) => {
  const info = infoOf(100)
  const [one, other] = [pwp({ extensions: true }), pwp({ extensions: true })]
  joined(one, other)
  const met = once(other, 'extended-handshake')
  greet(hashOf(info), one, other)
  await met
  t.is(other.peerExtendedHandshake.metadata_size, undefined)
  const announced = once(other, 'extended-handshake')
  one.serveMetadata(info)
  await announced
  t.is(other.peerExtendedHandshake.metadata_size, info.length)
  t.deepEqual(await other.metadata(), info)
})

test('rejects if the extended handshake of the peer came before the wire read any', async (t) => {
  const info = infoOf(100)
  const wire = wireTo(honest(info), hashOf(info))
  await settle()
  await t.throwsAsync(wire.metadata(), { code: 'ERR_PWP_METADATA_MISSED' })
  // A further one says it again.
  const early = pwp()
  const peer = honest(info)
  joined(early, peer)
  greet(hashOf(info), early, peer)
  await settle()
  peer.extended(0, {})
  early.use(pwp.extensions.utMetadata())
  peer.extended(0, {})
  await settle()
  t.deepEqual(await early.metadata(), info)
})

test('an unused wire has neither the extension nor a handshake of it', (t) => {
  const wire = pwp()
  greet(Buffer.alloc(20, 1), wire)
  t.false('ut_metadata' in wire)
  t.is(wire.extendedHandshake, null)
})
