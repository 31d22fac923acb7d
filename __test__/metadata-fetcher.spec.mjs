// `pwp.MetadataFetcher`: the info dictionary from several peers, of which some lie, stall, reject or leave.
import { once } from 'node:events'
import test from 'ava'

import {
  PIECE,
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

const { MetadataFetcher } = pwp

stopTime()

/** Records the drops of a fetcher, each as the index of its wire and the code. */
const dropsOf = (fetcher, wires) => {
  const drops = []
  fetcher.on('drop', (wire, { code }) => {
    drops.push([wires.indexOf(wire), code.replace('ERR_PWP_METADATA_', '')])
  })
  return drops
}

for (const liars of [1, 2, 5]) {
  test(`finds ${liars} liars among ${liars + 1} peers at a bounded cost`, async (t) => {
    const info = infoOf(20 * PIECE)
    const peers = [...Array.from({ length: liars }, () => lying(info)), honest(info)]
    const fetcher = new MetadataFetcher(hashOf(info))
    const wires = peers.map((peer) => wireTo(peer, hashOf(info)))
    const drops = dropsOf(fetcher, wires)
    for (const wire of wires) fetcher.add(wire)
    t.deepEqual(await fetcher.fetch(), info)
    for (const [index, code] of drops) t.true(index < liars && code === 'HASH')
    const asked = peers.reduce((sum, { got }) => sum + got.length, 0)
    t.true(asked <= 21 * (liars + 2), `${asked} requests`)
  })
}

test('goes on with other wires when the only one leaves, and in another fetcher', async (t) => {
  const info = infoOf(9 * PIECE)
  const half = peerOf({
    size: info.length,
    act(send, { piece }, wire) {
      if (piece < 5) send(data(info, piece))
      // Not at once: what it has sent is to arrive.
      else setImmediate(() => wire.destroy())
    }
  })
  const fetcher = new MetadataFetcher(hashOf(info))
  const drops = dropsOf(fetcher, [])
  fetcher.add(wireTo(half, hashOf(info)))
  const fetched = fetcher.fetch()
  await settle()
  t.deepEqual(drops, [[-1, 'CLOSED']])
  const state = fetcher.state()
  t.is(state.size, info.length)
  t.deepEqual(
    state.pieces.map(({ piece }) => piece),
    [0, 1, 2, 3, 4]
  )
  for (const { piece, block } of state.pieces)
    t.deepEqual(block, info.subarray(piece * PIECE, (piece + 1) * PIECE))

  const rest = honest(info)
  fetcher.add(wireTo(rest, hashOf(info)))
  t.deepEqual(await fetched, info)
  t.deepEqual(
    rest.got.map(({ piece }) => piece),
    [5, 6, 7, 8, 9]
  )

  // What `state()` gives may be stored as bytes.
  const pieces = state.pieces.map(({ piece, block }) => ({ piece, block: new Uint8Array(block) }))
  const resumed = new MetadataFetcher(hashOf(info), { resume: { size: state.size, pieces } })
  t.deepEqual(resumed.state(), state)
  const other = honest(info)
  resumed.add(wireTo(other, hashOf(info)))
  t.deepEqual(await resumed.fetch(), info)
  t.is(other.got.length, 5)
})

test('needs no wire for a state that is complete, and fetches one that is wrong again', async (t) => {
  const info = infoOf(100)
  const resume = (block) => ({ resume: { size: info.length, pieces: [{ piece: 0, block }] } })
  t.deepEqual(await new MetadataFetcher(hashOf(info), resume(info)).fetch(), info)
  const fetcher = new MetadataFetcher(hashOf(info), resume(Buffer.alloc(info.length)))
  t.is(fetcher.state(), null)
  fetcher.add(wireTo(honest(info), hashOf(info)))
  t.deepEqual(await fetcher.fetch(), info)
})

test('takes wires before and after their handshakes, and while it fetches', async (t) => {
  const info = infoOf(100)
  const fetcher = new MetadataFetcher(hashOf(info))
  const fetched = fetcher.fetch()
  const wire = pwp()
  t.is(fetcher.add(wire), fetcher)
  fetcher.add(wire)
  await settle()
  const peer = honest(info)
  joined(wire, peer)
  greet(hashOf(info), wire, peer)
  t.deepEqual(await fetched, info)
  t.is(peer.got.length, 1)
  // It is over: nothing more is asked for.
  const late = honest(info)
  fetcher.add(wireTo(late, hashOf(info)))
  await settle()
  t.deepEqual(await fetcher.fetch(), info)
  t.deepEqual(late.got, [])
})

test('asks for nothing before fetch(), and after the last of them is aborted', async (t) => {
  const info = infoOf(100)
  const peer = stalling(info)
  const fetcher = new MetadataFetcher(hashOf(info)).add(wireTo(peer, hashOf(info)))
  await settle()
  t.deepEqual(peer.got, [])
  const controllers = [new AbortController(), new AbortController()]
  const fetches = controllers.map(({ signal }) => fetcher.fetch({ signal }))
  await settle()
  t.is(peer.got.length, 1)
  const reason = new Error('enough')
  for (const [index, controller] of controllers.entries()) {
    controller.abort(reason)
    await t.throwsAsync(fetches[index], { is: reason }) // oxlint-disable-line no-await-in-loop
  }
  fetcher.add(wireTo(honest(info), hashOf(info)))
  await settle()
  t.is(fetcher.state(), null)
  // The answer to what was asked before still counts.
  peer.extended('ut_metadata', data(info, 0))
  t.deepEqual(await fetcher.fetch(), info)
})

test('remove() asks a wire for nothing more, and keeps what it has given', async (t) => {
  const info = infoOf(9 * PIECE)
  const wires = []
  const peer = peerOf({
    size: info.length,
    act(send, { piece }) {
      send(data(info, piece))
      if (piece === 6 && peer.got.length < 9) t.is(fetcher.remove(wires[0]), fetcher)
    }
  })
  const fetcher = new MetadataFetcher(hashOf(info))
  const drops = dropsOf(fetcher, wires)
  wires.push(wireTo(peer, hashOf(info)))
  fetcher.add(wires[0])
  const fetched = fetcher.fetch()
  await settle()
  t.true(fetcher.state().pieces.length > 0)
  t.true(peer.got.length < 9)
  t.deepEqual(drops, [])
  fetcher.add(wires[0])
  t.deepEqual(await fetched, info)
  fetcher.remove(wires[0]).remove(pwp())
})

test('tells which wire was dropped, and why', async (t) => {
  const info = infoOf(100)
  const closed = pwp()
  closed.destroy()
  const silent = pwp()
  const other = pwp()
  joined(other, honest(info))
  greet(Buffer.alloc(20, 5), other)
  const ofOther = wireTo(honest(info), Buffer.alloc(20, 5))
  const wires = [
    closed,
    ofOther,
    wireTo(peerOf(), hashOf(info)),
    wireTo(pwp({ extensions: true }), hashOf(info)),
    wireTo(peerOf({ size: 2 ** 25 + 1 }), hashOf(info)),
    wireTo(peerOf({ size: info.length + 1 }), hashOf(info)),
    silent
  ]
  const fetcher = new MetadataFetcher([hashOf(info)])
  const drops = dropsOf(fetcher, wires)
  for (const wire of wires) fetcher.add(wire)
  t.deepEqual(drops, [], 'nothing is told within add()')
  await settle()
  t.deepEqual(drops.toSorted(), [
    [0, 'CLOSED'],
    [1, 'INFO_HASH'],
    [2, 'MISSING'],
    [3, 'UNSUPPORTED'],
    [4, 'SIZE']
  ])
  const fetched = fetcher.fetch()
  fetcher.add(wireTo(honest(info), hashOf(info))).add(wireTo(honest(info), hashOf(info)))
  t.deepEqual(await fetched, info)
  t.deepEqual(drops.at(-1), [5, 'SIZE'], 'it has announced another size')
})

test('a liar is dropped for ever, and others may be added again', async (t) => {
  const info = infoOf(100)
  const fetcher = new MetadataFetcher(hashOf(info))
  const wires = [wireTo(lying(info), hashOf(info))]
  const drops = dropsOf(fetcher, wires)
  const fetched = fetcher.fetch()
  for (let round = 1; round <= 2; round++) {
    fetcher.add(wires[0])
    await once(fetcher, 'drop') // oxlint-disable-line no-await-in-loop
  }
  t.deepEqual(drops, [
    [0, 'HASH'],
    [0, 'HASH']
  ])
  const late = peerOf({ act: (send, { piece }) => send(data(info, piece)) })
  wires.push(wireTo(late, hashOf(info)))
  fetcher.add(wires[1])
  await once(fetcher, 'drop')
  t.deepEqual(drops.at(-1), [1, 'MISSING'])
  late.extended(0, { metadata_size: info.length })
  await settle()
  fetcher.add(wires[1])
  t.deepEqual(await fetched, info)
})

test('a wire that is added again each time that it is dropped does not block the process', async (t) => {
  const info = infoOf(100)
  const wire = wireTo(peerOf({}), hashOf(info))
  const fetcher = new MetadataFetcher(hashOf(info)).add(wire)
  let drops = 0
  fetcher.on('drop', () => {
    drops++
    // In bounds, should it be called for ever.
    if (drops < 10_000) fetcher.add(wire)
  })
  await settle()
  t.true(drops > 1 && drops < 100, String(drops))
  fetcher.destroy()
})

test('destroy() rejects who waits, and gives all wires free', async (t) => {
  const info = infoOf(100)
  const peer = stalling(info)
  const wire = wireTo(peer, hashOf(info))
  const fetcher = new MetadataFetcher(hashOf(info)).add(wire)
  const fetched = fetcher.fetch()
  await settle()
  fetcher.destroy()
  fetcher.destroy()
  for (const promise of [fetched, fetcher.fetch()])
    await t.throwsAsync(promise, { code: 'ERR_PWP_METADATA_DESTROYED' }) // oxlint-disable-line no-await-in-loop
  t.is(fetcher.state(), null)
  t.is(fetcher.add(wire), fetcher)
  peer.extended('ut_metadata', data(info, 0))
  await settle()
  t.false(wire.destroyed)
})

test('takes info hashes of each kind, all of which must fit', async (t) => {
  const info = infoOf(100)
  const [sha1, sha256] = [hashOf(info), fullHashOf(info)]
  const short = sha256.subarray(0, 20)
  for (const [hashes, onWire] of [
    [sha1, sha1],
    [new Uint8Array(sha1), sha1],
    [sha1.toString('hex'), sha1],
    [sha1.toString('hex').toUpperCase(), sha1],
    [sha256, short],
    [sha256.toString('hex'), short],
    [short, short],
    [[sha1, sha256.toString('hex')], short],
    [[sha1, sha256], sha1]
  ]) {
    const fetcher = new MetadataFetcher(hashes).add(wireTo(honest(info), onWire))
    t.deepEqual(await fetcher.fetch(), info) // oxlint-disable-line no-await-in-loop
  }
  const fetcher = new MetadataFetcher([sha1, fullHashOf(Buffer.from('de'))])
  const wires = [wireTo(honest(info), sha1)]
  const drops = dropsOf(fetcher, wires)
  fetcher.add(wires[0]).fetch()
  await settle()
  t.deepEqual(drops, [[0, 'HASH']])
})

test('a peer that repeats its handshake is no news', async (t) => {
  const info = infoOf(100)
  const peer = stalling(info)
  const wire = wireTo(peer, hashOf(info))
  const fetcher = new MetadataFetcher(hashOf(info)).add(wire)
  const drops = dropsOf(fetcher, [wire])
  const fetched = fetcher.fetch()
  await settle()
  for (let turn = 0; turn < 100; turn++) peer.extended(0, { metadata_size: info.length })
  await settle()
  t.deepEqual(drops, [])
  for (let turn = 0; turn < 17; turn++) peer.extended(0, { metadata_size: 200 + turn })
  await settle()
  t.deepEqual(drops, [[0, 'OFFENCES']])
  fetcher.destroy()
  await t.throwsAsync(fetched)
})

test('throws for wrong arguments at once', (t) => {
  const hash = Buffer.alloc(20)
  for (const wire of [undefined, null, 5, {}, { _getSession: () => ({}) }]) {
    const fetcher = new MetadataFetcher(hash)
    const expected = { name: 'TypeError', message: 'wire must be a Wire of this package' }
    t.throws(() => fetcher.add(wire), expected)
    t.throws(() => fetcher.remove(wire), expected)
  }
  for (const [args, name, message] of [
    [[], 'TypeError', 'infoHash must be a Buffer or Uint8Array'],
    [[Buffer.alloc(19)], 'RangeError', 'infoHash must have 20 or 32 bytes'],
    [[Buffer.alloc(33)], 'RangeError', 'infoHash must have 20 or 32 bytes'],
    [['a'.repeat(41)], 'RangeError', 'infoHash must have 40 or 64 hex digits'],
    [['g'.repeat(40)], 'RangeError', 'infoHash must have 40 or 64 hex digits'],
    [[[]], 'RangeError', 'infoHash must not be empty'],
    [[[hash, 5]], 'TypeError', 'infoHash must be a Buffer or Uint8Array'],
    [[hash, 5], 'TypeError', 'options must be an object'],
    [[hash, { maxSize: 0 }], 'RangeError', /^maxSize must be from 1/],
    [[hash, { requestTimeout: 0 }], 'RangeError', /^requestTimeout must be from 1/],
    [[hash, { requestTimeout: 2 ** 31 }], 'RangeError', /^requestTimeout must be from 1/],
    [[hash, { resume: 5 }], 'TypeError', 'resume must be an object'],
    [[hash, { resume: {} }], 'TypeError', 'resume.size must be a number'],
    [[hash, { resume: { size: 1 } }], 'TypeError', 'resume.pieces must be an array'],
    [[hash, { resume: { size: 1, pieces: [{}] } }], 'TypeError', /piece must be a number$/]
  ])
    t.throws(() => new MetadataFetcher(...args), { name, message }, String(message))
  const block = Buffer.alloc(PIECE)
  const transferred = new Uint8Array(PIECE)
  structuredClone(transferred, { transfer: [transferred.buffer] })
  for (const resume of [
    { size: PIECE, pieces: [{ piece: 0, block: transferred }] },
    { size: 0, pieces: [] },
    { size: 2 ** 25 + 1, pieces: [] },
    { size: PIECE, pieces: [{ piece: 1, block }] },
    { size: PIECE - 1, pieces: [{ piece: 0, block }] },
    { size: PIECE + 1, pieces: [{ piece: 1, block }] },
    {
      size: PIECE,
      pieces: [
        { piece: 0, block },
        { piece: 0, block }
      ]
    }
  ])
    t.throws(() => new MetadataFetcher(hash, { resume }), {
      name: 'RangeError',
      message: 'resume does not fit its size, or maxSize'
    })
  const fetcher = new MetadataFetcher(hash)
  for (const wire of [undefined, {}, new MetadataFetcher(hash)])
    for (const method of ['add', 'remove'])
      t.throws(() => fetcher[method](wire), { name: 'TypeError' })
  t.throws(() => fetcher.add(peerOf()), { code: 'ERR_PWP_METADATA_IN_USE' })
  t.throws(() => fetcher.fetch({ timeout: -1 }), { name: 'RangeError' })
})
