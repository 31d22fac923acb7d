// pwp.fetchPiece(): a piece from several wires, of which some choke, leave, or lie.
import { once } from 'node:events'
import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { BLOCK, KINDS, bytesAt, failureOf, meet, sha1Of } from '../testkit/piece-peer.mjs'
import { pwp } from '../testkit/wires.mjs'

const COUNT = 6
const LENGTH = (COUNT - 1) * BLOCK + 100
const RIGHT = bytesAt(1, 0, LENGTH)
const OPTIONS = { length: LENGTH, hash: sha1Of(1, LENGTH) }

const both = (title, body) => {
  for (const kind of KINDS) test(`${kind}: ${title}`, (t) => body(t, kind))
}

/** A wire whose peer has all eight pieces. */
const meetSeed = async (t, kind, setting) => {
  const met = await meet(t, kind, setting)
  met[1].send(frame(5, Buffer.from([0xff])))
  await once(met[0], 'bitfield')
  return met
}

/** Sends the right blocks of these requests, but for one with these numbers. */
const answer = (peer, requests, isWrong = () => false) => {
  for (const request of requests) {
    if (isWrong(request[1] / BLOCK)) peer.answer(request, Buffer.alloc(request[2], 0xee))
    else peer.answer(request)
  }
}

/** Notes which wires are dropped, and why. */
const noting = (wires) => {
  const drops = []
  const onDrop = (wire, error) => drops.push([wires.indexOf(wire), error.code])
  return { drops, onDrop }
}

both('the first wire that can give the piece does', async (t, kind) => {
  const met = [
    await meet(t, kind, { serves: true }),
    await meetSeed(t, kind, { serves: true, isChoking: true }),
    await meetSeed(t, kind, { serves: true }),
    await meetSeed(t, kind, { serves: true }),
    await meetSeed(t, kind, { serves: true })
  ]
  const wires = met.map(([wire]) => wire)
  wires[2].destroy()
  const { drops, onDrop } = noting(wires)
  t.deepEqual(await pwp.fetchPiece(new Set(wires), 1, { ...OPTIONS, onDrop }), RIGHT)
  t.deepEqual(
    met.map(([, peer]) => peer.asked.length),
    [0, 0, 0, COUNT, 0]
  )
  t.deepEqual(drops, [])
})

both('each goes on with what those before it have got', async (t, kind) => {
  const other = KINDS.find((name) => name !== kind)
  const met = [
    await meetSeed(t, kind, { fast: true }),
    await meetSeed(t, other, { fast: true }),
    await meetSeed(t, kind),
    await meetSeed(t, other, { serves: true })
  ]
  const wires = met.map(([wire]) => wire)
  const [choking, refusing, leaving, serving] = met.map(([, peer]) => peer)
  const { drops, onDrop } = noting(wires)
  const into = Buffer.alloc(LENGTH)
  const outcome = pwp.fetchPiece(wires, 1, { ...OPTIONS, onDrop, into })
  answer(choking, (await choking.take(COUNT)).slice(0, 2))
  choking.choke()
  const requests = await refusing.take(COUNT - 2)
  refusing.answer(requests[0])
  refusing.reject(requests[1])
  answer(leaving, (await leaving.take(COUNT - 3)).slice(0, 1))
  leaving.socket.end()
  const piece = await outcome
  t.is(piece.buffer, into.buffer)
  t.deepEqual(piece, RIGHT)
  t.is(serving.asked.length, COUNT - 4)
  t.deepEqual(drops, [
    [0, 'ERR_PWP_PIECE_CHOKED'],
    [1, 'ERR_PWP_PIECE_REJECTED'],
    [2, 'ERR_PWP_CLOSED']
  ])
})

both('a wire that sends a wrong piece is dropped', async (t, kind) => {
  const met = [await meetSeed(t, kind), await meetSeed(t, kind, { serves: true })]
  const wires = met.map(([wire]) => wire)
  const { drops, onDrop } = noting(wires)
  const outcome = pwp.fetchPiece(wires, 1, { ...OPTIONS, onDrop })
  answer(met[0][1], await met[0][1].take(COUNT), (at) => at === 3)
  t.deepEqual(await outcome, RIGHT)
  t.is(met[1][1].asked.length, COUNT)
  t.deepEqual(drops, [[0, 'ERR_PWP_PIECE_HASH']])
  t.false(wires[0].destroyed)
})

both('of several the one that has lied is found', async (t, kind) => {
  const met = [await meetSeed(t, kind), await meetSeed(t, kind), await meetSeed(t, kind)]
  const wires = met.map(([wire]) => wire)
  const [honest, liar, third] = met.map(([, peer]) => peer)
  const { drops, onDrop } = noting(wires)
  const outcome = pwp.fetchPiece(wires, 1, { ...OPTIONS, onDrop })
  answer(honest, (await honest.take(COUNT)).slice(0, 2))
  honest.choke()
  const requests = await liar.take(COUNT - 2)
  answer(liar, requests, (at) => at === 4)
  // The whole piece from the third one.
  answer(third, await third.take(COUNT))
  t.deepEqual(await outcome, RIGHT)
  t.deepEqual(drops, [
    [0, 'ERR_PWP_PIECE_CHOKED'],
    [1, 'ERR_PWP_PIECE_HASH']
  ])
})

both('those that took part are asked alone when nobody else is left', async (t, kind) => {
  const met = [await meetSeed(t, kind, { fast: true }), await meetSeed(t, kind)]
  const wires = met.map(([wire]) => wire)
  const [first, second] = met.map(([, peer]) => peer)
  const { drops, onDrop } = noting(wires)
  const outcome = failureOf(pwp.fetchPiece(wires, 1, { ...OPTIONS, onDrop }))
  const requests = await first.take(COUNT)
  answer(first, requests.slice(0, 2), (at) => at === 0)
  first.reject(requests[2])
  answer(second, await second.take(COUNT - 2))
  answer(first, await first.take(COUNT), (at) => at === 0)
  answer(second, await second.take(COUNT), (at) => at === 5)
  const error = await outcome
  t.true(error instanceof AggregateError)
  t.is(error.code, 'ERR_PWP_NO_WIRE_LEFT')
  t.deepEqual(error.partial.ranges, [])
  t.deepEqual(
    error.errors.map(({ code, wires: blamed }) => [
      code,
      blamed.map((wire) => wires.indexOf(wire))
    ]),
    [
      ['ERR_PWP_PIECE_REJECTED', [0]],
      ['ERR_PWP_PIECE_HASH', [0, 1]],
      ['ERR_PWP_PIECE_HASH', [0]],
      ['ERR_PWP_PIECE_HASH', [1]]
    ]
  )
  t.deepEqual(drops, [
    [0, 'ERR_PWP_PIECE_REJECTED'],
    [0, 'ERR_PWP_PIECE_HASH'],
    [1, 'ERR_PWP_PIECE_HASH']
  ])
})

both('what the caller had may be wrong, too', async (t, kind) => {
  const [wire, peer] = await meetSeed(t, kind, { serves: true })
  const resume = { index: 1, ranges: [[0, BLOCK]], bytes: Buffer.alloc(LENGTH) }
  const { drops, onDrop } = noting([wire])
  t.deepEqual(await pwp.fetchPiece([wire], 1, { ...OPTIONS, resume, onDrop }), RIGHT)
  t.is(peer.asked.length, COUNT - 1 + COUNT)
  t.deepEqual(drops, [])
})

both('when no wire is left the error has what has arrived', async (t, kind) => {
  const met = [
    await meetSeed(t, kind),
    await meetSeed(t, kind, { isChoking: true }),
    await meet(t, kind)
  ]
  const wires = met.map(([wire]) => wire)
  const [[, peer]] = met
  const { drops, onDrop } = noting(wires)
  const outcome = failureOf(pwp.fetchPiece(wires, 1, { ...OPTIONS, onDrop }))
  answer(peer, (await peer.take(COUNT)).slice(0, 2))
  peer.socket.end()
  const error = await outcome
  t.is(error.code, 'ERR_PWP_NO_WIRE_LEFT')
  t.deepEqual(error.partial.ranges, [[0, 2 * BLOCK]])
  t.deepEqual(
    error.errors.map(({ code, wire }) => [code, wires.indexOf(wire)]),
    [
      ['ERR_PWP_CLOSED', 0],
      ['ERR_PWP_PIECE_CHOKED', 1],
      ['ERR_PWP_PIECE_MISSING', 2]
    ]
  )
  // The others were not asked.
  t.deepEqual(drops, [[0, 'ERR_PWP_CLOSED']])
  const [other, helper] = await meetSeed(t, kind, { serves: true })
  const resume = error.partial
  t.deepEqual(await pwp.fetchPiece([other], 1, { ...OPTIONS, resume }), RIGHT)
  t.is(helper.asked.length, COUNT - 2)
})

both('a wire that unchokes meanwhile is asked', async (t, kind) => {
  const met = [await meetSeed(t, kind, { isChoking: true, serves: true }), await meetSeed(t, kind)]
  const wires = met.map(([wire]) => wire)
  const [first, second] = met.map(([, peer]) => peer)
  const outcome = pwp.fetchPiece(wires, 1, OPTIONS)
  await second.take(COUNT)
  first.unchoke()
  await once(wires[0], 'unchoke')
  second.choke()
  t.deepEqual(await outcome, RIGHT)
  t.is(first.asked.length, COUNT)
})

both('a signal ends it with what has arrived', async (t, kind) => {
  const met = [await meetSeed(t, kind), await meetSeed(t, kind, { serves: true })]
  const wires = met.map(([wire]) => wire)
  const controller = new AbortController()
  const { signal } = controller
  const outcome = failureOf(pwp.fetchPiece(wires, 1, { ...OPTIONS, signal }))
  const [request] = await met[0][1].take(COUNT)
  met[0][1].answer(request)
  await once(wires[0], 'download')
  controller.abort('why')
  const error = await outcome
  t.is(error.name, 'AbortError')
  t.is(error.cause, 'why')
  t.deepEqual(error.partial.ranges, [[0, BLOCK]])
  t.deepEqual(met[1][1].asked, [])
  const again = await failureOf(pwp.fetchPiece(wires, 1, { ...OPTIONS, signal }))
  t.is(again.name, 'AbortError')
})

test('without wires there is nobody left', async (t) => {
  const error = await failureOf(pwp.fetchPiece([], 1, OPTIONS))
  t.is(error.code, 'ERR_PWP_NO_WIRE_LEFT')
  t.deepEqual(error.errors, [])
})

test('mistakes throw at once', (t) => {
  const wire = pwp({ maxMessageLength: 10_000 })
  const wrong = {
    'wires must be an iterable': [5, 1, OPTIONS],
    'wires must have only wires of this package': [[{}], 1, OPTIONS],
    'index must be a number': [[wire], '1', OPTIONS],
    'options.length must be a number': [[wire], 1, {}],
    'options.onDrop must be a function': [[wire], 1, { ...OPTIONS, onDrop: 5 }],
    'options.blockLength must be at most 9991, which maxMessageLength allows': [[wire], 1, OPTIONS]
  }
  for (const [message, args] of Object.entries(wrong))
    t.throws(() => pwp.fetchPiece(...args), { message })
})
