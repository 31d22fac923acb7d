// Our requests and the queue of the peer: `reqq` of BEP 10, which both sides announce with extensions.
import test from 'ava'

import { FakeClock } from '../testkit/fake-clock.mjs'
import { frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { CHOKE, fast, pwp, settled, unchoked } from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)

const extended = (text) => frame(20, Buffer.from([0]), Buffer.from(text))
const request = (piece) => frame(6, piece, 0, 9)
const block = (piece) => frame(7, piece, 0, Buffer.alloc(9, piece))

/** A wire whose peer has told how many requests it keeps; its output so far is read. */
const telling = (reqq, wire = unchoked({ extensions: true })) => {
  wire.write(extended(`d4:reqqi${reqq}ee`))
  readAll(wire)
  return wire
}

/** Requests these pieces; returns what their callbacks get. */
function ask(wire, pieces) {
  const outcomes = []
  for (const piece of pieces) {
    wire.request(piece, 0, 9, (error, bytes) => outcomes.push([piece, error?.message ?? bytes[0]]))
  }
  return outcomes
}

for (const reqq of [1, 3, 7]) {
  test(`sends at most ${reqq} requests to a peer that keeps ${reqq}, and the others as it answers`, (t) => {
    const wire = telling(reqq)
    const pieces = Array.from({ length: 10 }, (_, piece) => piece)
    const outcomes = ask(wire, pieces)
    t.deepEqual(readAll(wire), Buffer.concat(pieces.slice(0, reqq).map(request)))
    t.is(wire.requests.length, 10)
    for (const piece of pieces) {
      wire.write(block(piece))
      const next = pieces.slice(piece + reqq, piece + reqq + 1)
      t.deepEqual(readAll(wire), Buffer.concat(next.map(request)))
    }
    t.deepEqual(
      outcomes,
      pieces.map((piece) => [piece, piece])
    )
    t.is(wire.requests.length, 0)
  })
}

test('holds no request back without extensions, or while the peer has not told', (t) => {
  const raw = unchoked()
  raw.write(extended('d4:reqqi1ee'))
  const silent = unchoked({ extensions: true })
  for (const wire of [raw, silent, telling(0)]) {
    readAll(wire)
    ask(wire, [0, 1, 2])
    t.deepEqual(readAll(wire), Buffer.concat([0, 1, 2].map(request)))
  }
})

test.serial('sends a request that waits when another is cancelled, or has timed out', async (t) => {
  const clock = new FakeClock()
  clock.install()
  t.teardown(() => clock.restore())
  const wire = telling(1)
  wire.setTimeout(100)
  const outcomes = ask(wire, [0, 1, 2, 3])
  t.deepEqual(readAll(wire), request(0))
  wire.cancel(0, 0, 9)
  t.deepEqual(readAll(wire), Buffer.concat([request(1), frame(8, 0, 0, 9)]))
  // One that waits leaves nothing but the cancel.
  wire.cancel(2, 0, 9)
  t.deepEqual(readAll(wire), frame(8, 2, 0, 9))
  await clock.advance(100, settled)
  t.deepEqual(readAll(wire), request(3))
  t.deepEqual(outcomes, [
    [0, 'request was cancelled'],
    [2, 'request was cancelled'],
    [1, 'request has timed out']
  ])
})

test('sends requests that wait when the peer tells that it keeps more', (t) => {
  const wire = telling(1)
  ask(wire, [0, 1, 2, 3])
  readAll(wire)
  wire.write(extended('d4:reqqi3ee'))
  t.deepEqual(readAll(wire), Buffer.concat([request(1), request(2)]))
})

test('fails requests that wait when the peer chokes, with the fast extension too', (t) => {
  for (const [wire, open] of [
    [telling(1), []],
    [telling(1, readyFast()), [0]]
  ]) {
    const outcomes = ask(wire, [0, 1, 2])
    readAll(wire)
    wire.write(CHOKE)
    const dropped = [0, 1, 2].filter((piece) => !open.includes(piece))
    t.deepEqual(
      outcomes,
      dropped.map((piece) => [piece, 'peer is choking'])
    )
    t.is(wire.requests.length, open.length)
  }
})

test('fails requests that wait when the wire ends', async (t) => {
  const wire = telling(1)
  const outcomes = ask(wire, [0, 1, 2])
  wire.destroy()
  await settled()
  t.deepEqual(
    outcomes,
    [0, 1, 2].map((piece) => [piece, 'wire is closed'])
  )
})

test('two wires never have more requests between them than the other keeps', async (t) => {
  const asking = pwp({ extensions: true })
  const serving = pwp({ extensions: true, maxPeerRequests: 4, policy: 'strict' })
  asking.pipe(serving).pipe(asking)
  asking.handshake(ID, ID, { fast: true })
  serving.handshake(ID, ID, { fast: true })
  serving.unchoke()
  let most = 0
  serving.on('request', (piece, offset, length, respond) => {
    most = Math.max(most, serving.peerRequests.length)
    setImmediate(() => respond(null, Buffer.alloc(length, piece)))
  })
  await new Promise((resolve) => asking.once('unchoke', () => setImmediate(resolve)))
  const pieces = Array.from({ length: 100 }, (_, piece) => piece)
  const outcomes = await Promise.all(
    pieces.map(
      (piece) =>
        new Promise((resolve) =>
          asking.request(piece, 0, 9, (error, bytes) => resolve(error ?? bytes[0]))
        )
    )
  )
  t.deepEqual(outcomes, pieces)
  t.is(most, 4)
  t.is(serving.stats().refusedRequests, 0)
})

function readyFast() {
  const wire = fast({ extensions: true })
  wire.write(frame(1))
  return wire
}
