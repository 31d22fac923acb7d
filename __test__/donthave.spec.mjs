// The extension lt_donthave (BEP 54), on wires of this package and of bittorrent-protocol.
import { once } from 'node:events'
import test from 'ava'
import BittorrentWire from 'bittorrent-protocol'

import {
  EXTENDED_HANDSHAKE,
  announce,
  announced,
  extended,
  met,
  sentBy
} from '../testkit/extensions.mjs'
import { loadCopy } from '../testkit/memory/copies.mjs'
import { encodeHandshake, frame } from '../testkit/messages.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { SEED } from '../testkit/settings.mjs'
import { surviving } from '../testkit/surviving.mjs'
import { pwp, record, settled } from '../testkit/wires.mjs'

const { ltDonthave } = pwp.extensions

const INFO_HASH = Buffer.alloc(20, 3)

/** The message of the peer about a piece, under our id. */
const lost = (piece) => {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(piece)
  return extended(1, payload)
}

/** A wire that uses the extension, whose peer does not choke us and has it under id 7. */
const using = (options) => {
  const wire = met(options, [ltDonthave()])
  wire.write(Buffer.concat([announce({ m: { lt_donthave: 7 } }), frame(1)]))
  sentBy(wire)
  return wire
}

/** The same with the fast extension. */
const usingFast = (options) => {
  const wire = pwp(options)
  wire.use(ltDonthave())
  wire.handshake(INFO_HASH, INFO_HASH, { fast: true })
  const reserved = [0, 0, 0, 0, 0, 0x10, 0, 4]
  const ids = { infoHash: { size: 20, fill: 3 }, peerId: { size: 20, fill: 4 } }
  wire.write(Buffer.concat([encodeHandshake({ reserved, ...ids }), frame(1)]))
  wire.write(announce({ m: { lt_donthave: 7 } }))
  readAll(wire)
  return wire
}

/** Requests a block of each piece; returns a live list of how they ended. */
const ask = (wire, pieces) => {
  const outcomes = []
  pieces.forEach((piece, at) =>
    wire.request(piece, at, 1, (error) => outcomes.push([at, error?.code ?? error?.message]))
  )
  return outcomes
}

/** What happens, in its order. */
const follow = (wire) => {
  const log = []
  wire.lt_donthave.on('donthave', (piece) => log.push(`lost ${piece}`))
  return log
}

test('is a class that use() takes, with the surface of the package lt_donthave', (t) => {
  const Extension = ltDonthave()
  t.is(Extension.prototype.name, 'lt_donthave')
  const wire = pwp()
  const extension = wire.use(Extension)
  t.is(wire.lt_donthave, extension)
  t.is(typeof extension.donthave, 'function')
  t.false(extension.isReady)
  t.deepEqual(Object.keys(pwp.extensions).includes('ltDonthave'), true)
})

test('tells nothing before our handshake, which the peer need not await', (t) => {
  const wire = pwp()
  wire.use(ltDonthave())
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { lt_donthave: 7 } })]))
  t.true(wire.lt_donthave.isReady)
  wire.lt_donthave.donthave(3)
  t.deepEqual(sentBy(wire), [])
  wire.handshake(INFO_HASH, INFO_HASH)
  wire.lt_donthave.donthave(3)
  t.deepEqual(sentBy(wire), ['handshake', announced({ lt_donthave: 1 }), [7, '\0\0\0\x03']])
})

test('tells on a wire of another copy of the code', (t) => {
  const wire = loadCopy()()
  wire.use(ltDonthave())
  wire.handshake(INFO_HASH, INFO_HASH)
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { lt_donthave: 7 } })]))
  sentBy(wire)
  wire.lt_donthave.donthave(3)
  t.deepEqual(sentBy(wire), [[7, '\0\0\0\x03']])
})

test('is announced, and tells only a peer that has it', (t) => {
  const wire = pwp()
  wire.use(ltDonthave())
  wire.handshake(INFO_HASH, INFO_HASH)
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(sentBy(wire), ['handshake', announced({ lt_donthave: 1 })])
  wire.lt_donthave.donthave(3)
  t.deepEqual(sentBy(wire), [])
  wire.write(announce({ m: { lt_donthave: 7 } }))
  t.true(wire.lt_donthave.isReady)
  wire.lt_donthave.donthave(3)
  wire.lt_donthave.donthave(2 ** 32 - 1)
  t.deepEqual(sentBy(wire), [
    [7, '\0\0\0\x03'],
    [7, '\xff\xff\xff\xff']
  ])
  // It may switch the extension off.
  wire.write(announce({ m: { lt_donthave: 0 } }))
  t.false(wire.lt_donthave.isReady)
  wire.lt_donthave.donthave(3)
  t.deepEqual(sentBy(wire), [])
})

for (const value of [-1, 0.5, NaN, 2 ** 32, '1', undefined, null, {}]) {
  test(`donthave() refuses ${String(value)}`, (t) => {
    const wire = using()
    t.throws(() => wire.lt_donthave.donthave(value), { message: /^index must be / })
    t.deepEqual(sentBy(wire), [])
  })
}

test('clears the piece before the event, until the peer has it again', (t) => {
  const wire = using()
  wire.write(Buffer.concat([frame(4, 3), frame(4, 5)]))
  const { peerPieces } = wire
  const seen = []
  wire.lt_donthave.on('donthave', (piece) => seen.push([piece, peerPieces[piece], peerPieces[5]]))
  wire.write(Buffer.concat([lost(3), lost(3), frame(4, 3)]))
  t.deepEqual(seen, [[3, false, true]])
  t.true(peerPieces[3])
  wire.write(lost(3))
  t.is(seen.length, 2)
  t.is(wire.stats().violations, 0)
  t.is(wire.lt_donthave.ignored, 0)
})

test('clears the piece for those who read wire.peerPieces later, or replace it', (t) => {
  const wire = using()
  wire.write(Buffer.concat([frame(5, Buffer.from([0xf0])), lost(1), frame(4, 20), lost(20)]))
  const expected = [true, false, true, true, false, false, false, false]
  t.deepEqual(wire.peerPieces, expected)
  const own = [...expected]
  wire.peerPieces = own
  wire.write(lost(2))
  t.false(own[2])
  // An array that does not know the piece stays as it is.
  wire.peerPieces = []
  wire.write(lost(3))
  t.deepEqual(wire.peerPieces, [])
})

for (const isRead of [false, true]) {
  test(`clears a piece of a peer that has all, ${isRead ? '' : 'not '}read before their number is known`, (t) => {
    const wire = usingFast()
    wire.write(frame(14))
    if (isRead) t.deepEqual(wire.peerPieces, [])
    const log = follow(wire)
    wire.write(Buffer.concat([lost(1), lost(1), lost(2), frame(4, 2)]))
    t.deepEqual(log, ['lost 1', 'lost 2'])
    wire.setPieces(4)
    t.deepEqual(wire.peerPieces.slice(0, 4), [true, false, true, true])
    wire.write(Buffer.concat([lost(3), frame(14)]))
    t.deepEqual(log.slice(2), ['lost 3'])
    t.deepEqual(wire.peerPieces.slice(0, 4), [true, false, true, false])
  })
}

test('fails the requests for the piece after the event, oldest first', (t) => {
  const wire = using()
  wire.write(Buffer.concat([frame(4, 3), frame(4, 5)]))
  const log = follow(wire)
  const note = (name) => (error) => log.push(`${name}: ${error?.message ?? 'block'}`)
  for (const [at, piece] of [3, 5, 3, 5, 3].entries()) wire.request(piece, at, 1, note(at))
  readAll(wire)
  wire.on('have', () => log.push('have'))
  wire.write(Buffer.concat([lost(3), frame(4, 9)]))
  const error = 'peer sent donthave'
  t.deepEqual(log, ['lost 3', `0: ${error}`, `2: ${error}`, `4: ${error}`, 'have'])
  t.deepEqual(
    wire.requests.map(({ piece }) => piece),
    [5, 5]
  )
  // No cancel: the peer knows.
  t.is(readAll(wire).length, 0)
  wire.write(frame(7, 5, 1, Buffer.alloc(1)))
  t.is(log.at(-1), '1: block')
})

test('fails them at the end of a chunk, and requests of the listener are not meant', (t) => {
  const wire = using()
  wire.write(frame(4, 3))
  const outcomes = ask(wire, [3])
  wire.lt_donthave.on('donthave', () => wire.request(3, 0, 1, () => outcomes.push('new')))
  wire.write(lost(3))
  t.deepEqual(outcomes, [[0, 'ERR_PWP_PIECE_LOST']])
  t.is(wire.requests.length, 1)
})

test('fails requests also for a piece that the peer never had, without an event', (t) => {
  const wire = using()
  const outcomes = ask(wire, [3])
  const log = follow(wire)
  wire.write(lost(3))
  t.deepEqual(outcomes, [[0, 'ERR_PWP_PIECE_LOST']])
  t.deepEqual(log, [])
})

test('leaves requests to the rejects of a peer with the fast extension', (t) => {
  const wire = usingFast({ policy: 'strict' })
  wire.write(frame(4, 3))
  const log = follow(wire)
  const outcomes = ask(wire, [3])
  wire.write(lost(3))
  t.deepEqual(log, ['lost 3'])
  t.deepEqual(outcomes, [])
  wire.write(frame(16, 3, 0, 1))
  t.deepEqual(outcomes, [[0, 'request was rejected']])
  t.is(wire.error, null)
})

test('fails what waits for room with the peer, and sends what follows', (t) => {
  const wire = using()
  wire.write(announce({ reqq: 1 }))
  readAll(wire)
  const outcomes = ask(wire, [3, 5, 3])
  t.deepEqual(readAll(wire), frame(6, 3, 0, 1))
  wire.write(lost(3))
  const code = 'ERR_PWP_PIECE_LOST'
  t.deepEqual(outcomes, [
    [0, code],
    [2, code]
  ])
  t.deepEqual(readAll(wire), frame(6, 5, 1, 1))
})

test('a listener may cancel, abort, end or write', async (t) => {
  const acts = {
    cancel: [(wire) => wire.cancel(3, 0, 1), 'request was cancelled'],
    abort: [(wire, controller) => controller.abort('stop'), 'stop'],
    destroy: [(wire) => wire.resume().destroy(), 'peer sent donthave'],
    end: [(wire) => wire.resume().end(), 'peer sent donthave'],
    again: [(wire) => wire.write(lost(3)), 'peer sent donthave']
  }
  for (const [name, [act, expected]] of Object.entries(acts)) {
    const wire = using()
    wire.write(frame(4, 3))
    const outcomes = []
    const controller = new AbortController()
    const { signal } = controller
    wire.request(3, 0, 1, { signal }, (error) => outcomes.push(error.message ?? error))
    wire.request(5, 0, 1, (error) => outcomes.push(error.message))
    wire.lt_donthave.on('donthave', () => act(wire, controller))
    wire.write(lost(3))
    await settled() // oxlint-disable-line no-await-in-loop
    t.is(outcomes[0], expected, name)
    t.is(outcomes.length, wire.destroyed ? 2 : 1, name)
  }
})

// What a peer may not send

for (const length of [0, 1, 3, 5, 8, 100]) {
  test(`ignores and counts a message of ${length} bytes`, (t) => {
    const wire = using()
    wire.write(frame(4, 0))
    const log = follow(wire)
    const outcomes = ask(wire, [0])
    wire.write(extended(1, Buffer.alloc(length)))
    t.deepEqual([log, outcomes], [[], []])
    t.is(wire.lt_donthave.ignored, 1)
    t.is(wire.stats().violations, 1)
    t.true(wire.peerPieces[0])
    const strict = using({ policy: 'strict' })
    const open = ask(strict, [0])
    strict.write(Buffer.concat([extended(1, Buffer.alloc(length)), frame(4, 1)]))
    t.is(strict.error.code, 'ERR_PWP_MESSAGE_LENGTH')
    const { id, limit } = strict.error
    t.deepEqual([id, strict.error.length, limit], [20, length + 2, 6])
    t.deepEqual(open, [[0, 'ERR_PWP_MESSAGE_LENGTH']])
    t.is(strict.peerPieces[1], undefined)
  })
}

for (const [pieces, limit] of [
  [0, 4_194_304],
  [9, 9]
]) {
  test(`ignores and counts pieces from ${limit} on with pieces: ${pieces}`, (t) => {
    const wire = using({ pieces })
    const log = follow(wire)
    wire.write(Buffer.concat([limit - 1, limit, 2 ** 32 - 1].map(lost)))
    t.deepEqual(log, [])
    t.is(wire.lt_donthave.ignored, 2)
    t.is(wire.stats().violations, 2)
    t.is(wire.peerPieces.length, 0)
    const strict = using({ pieces, policy: 'strict' })
    strict.write(lost(limit - 1))
    t.is(strict.error, null)
    strict.write(lost(limit))
    t.is(strict.error.code, 'ERR_PWP_PIECE_INDEX')
    t.deepEqual([strict.error.piece, strict.error.limit], [limit, limit])
  })
}

test('takes any messages, in any cuts', (t) => {
  const random = randomFrom(SEED)
  for (let round = 0; round < 50; round++) {
    const wire = usingFast({ pieces: random.pick([0, 16]) })
    const log = follow(wire)
    const has = Array(16).fill(false)
    const expected = []
    const messages = Array.from({ length: 60 }, () => {
      const piece = random.below(16)
      if (random.chance(0.4)) {
        has[piece] = true
        return frame(4, piece)
      }
      if (random.chance(0.2)) return extended(1, Buffer.alloc(random.pick([0, 2, 7])))
      if (has[piece]) expected.push(`lost ${piece}`)
      has[piece] = false
      return lost(piece)
    })
    if (random.chance(0.5)) t.is(wire.peerPieces.length, 0)
    let rest = Buffer.concat(messages)
    while (rest.length > 0) {
      const length = random.between(1, 30)
      wire.write(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    t.deepEqual(log, expected)
    t.deepEqual(
      has.map((_, piece) => wire.peerPieces[piece] === true),
      has
    )
  }
})

// With bittorrent-protocol

const MAKERS = {
  'peer-wire-native': () => pwp(),
  'bittorrent-protocol': () => new BittorrentWire()
}

for (const [one, other] of [
  ['peer-wire-native', 'peer-wire-native'],
  ['peer-wire-native', 'bittorrent-protocol'],
  ['bittorrent-protocol', 'peer-wire-native'],
  ['bittorrent-protocol', 'bittorrent-protocol']
]) {
  for (const isFast of [false, true]) {
    test(`tells ${one} of a piece that ${other} has lost, ${isFast ? 'with' : 'without'} fast`, async (t) => {
      const wires = [one, other].map((name) => MAKERS[name]())
      for (const wire of wires) wire.use(ltDonthave())
      const [wire, peer] = wires
      wire.pipe(peer).pipe(wire)
      const unchoke = once(wire, 'unchoke')
      for (const each of wires) each.handshake(INFO_HASH, Buffer.alloc(20, 1), { fast: isFast })
      await once(wires[0], 'extended')
      if (!peer.lt_donthave.isReady) await once(peer, 'extended')
      peer.have(3)
      peer.have(5)
      peer.unchoke()
      await unchoke
      const has = (piece) =>
        Array.isArray(wire.peerPieces)
          ? wire.peerPieces[piece] === true
          : wire.peerPieces.get(piece)
      t.true(has(3))
      const outcomes = ask(wire, [3, 5, 3])
      const event = once(wire.lt_donthave, 'donthave')
      peer.lt_donthave.donthave(3)
      t.deepEqual(await event, [3])
      await settled()
      t.deepEqual([has(3), has(5)], [false, true])
      const code = 'ERR_PWP_PIECE_LOST'
      t.deepEqual(
        outcomes,
        isFast
          ? []
          : [
              [0, code],
              [2, code]
            ]
      )
      t.deepEqual(
        wire.requests.map(({ piece }) => piece),
        isFast ? [3, 5, 3] : [5]
      )
      for (const each of wires) each.destroy()
    })
  }
}

test.serial('requests for a lost piece fail even if peerPieces cannot be changed', async (t) => {
  const wire = using()
  wire.write(frame(4, [0, 0, 0, 3]))
  Object.freeze(wire.peerPieces)
  const outcomes = ask(wire, [3])
  const thrown = await surviving(() => {
    wire.write(lost(3))
    t.deepEqual(outcomes, [[0, 'ERR_PWP_PIECE_LOST']])
  })
  t.is(thrown.length, 1)
})

test('ignores and counts malformed messages on a wire of bittorrent-protocol', (t) => {
  const wire = new BittorrentWire()
  const extension = wire.use(ltDonthave()) ?? wire.lt_donthave
  const log = record(extension, ['donthave'])
  for (const length of [0, 3, 5]) extension.onMessage(new Uint8Array(length))
  extension.onMessage(new Uint8Array(4).fill(255))
  t.is(extension.ignored, 3)
  t.deepEqual(log, [])
  t.is(wire.peerPieces.buffer.length, 0)
  wire.destroy()
})
