// Violations that real clients commit: tolerated and counted by default, final for a strict wire.
import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, pwp, unchoked } from '../testkit/wires.mjs'

const judges = (title, { events, code, bytes, options }) => {
  test(`tolerates and counts ${title}`, (t) => {
    const wire = greeted(options)
    const delivered = []
    for (const name of ['have', 'bitfield', 'piece', 'request']) {
      wire.on(name, (...values) => delivered.push([name, ...values.slice(0, 3)]))
    }
    wire.unchoke()
    wire.write(bytes)
    t.deepEqual(delivered, events)
    t.is(wire.error, null)
    t.is(wire.stats().violations, 1)
  })

  test(`closes a strict wire after ${title}`, (t) => {
    const wire = greeted({ ...options, policy: 'strict' })
    wire.unchoke()
    wire.write(bytes)
    t.true(wire.error instanceof pwp.ProtocolError)
    t.is(wire.error.code, code)
    t.is(wire.stats().violations, 1)
  })
}

judges('a have that is too long', {
  bytes: frame(4, 1, Buffer.from('more')),
  events: [['have', 1]],
  code: 'ERR_PWP_MESSAGE_LENGTH'
})

judges('a bitfield after a have', {
  bytes: Buffer.concat([frame(4, 1), frame(5, Buffer.of(0x80))]),
  events: [
    ['have', 1],
    ['bitfield', Buffer.of(0x80)]
  ],
  code: 'ERR_PWP_BITFIELD_LATE'
})

judges('a second bitfield', {
  bytes: Buffer.concat([frame(5, Buffer.of(0x80)), frame(5, Buffer.of(0xc0))]),
  events: [
    ['bitfield', Buffer.of(0x80)],
    ['bitfield', Buffer.of(0xc0)]
  ],
  code: 'ERR_PWP_BITFIELD_LATE'
})

judges('a bitfield with spare bits', {
  options: { pieces: 10 },
  bytes: frame(5, Buffer.of(0xff, 0xff)),
  events: [['bitfield', Buffer.of(0xff, 0xc0)]],
  code: 'ERR_PWP_BITFIELD_SPARE_BITS'
})

judges('a block that was not requested', {
  bytes: frame(7, 1, 2, Buffer.from('bits')),
  events: [['piece', 1, 2, Buffer.from('bits')]],
  code: 'ERR_PWP_UNSOLICITED_BLOCK'
})

for (const [piece, offset] of [
  [0, 0],
  [1, 16384],
  [2 ** 32 - 1, 2 ** 32 - 1]
]) {
  judges(`a request for no bytes at ${offset} of piece ${piece}`, {
    bytes: frame(6, piece, offset, 0),
    events: [],
    code: 'ERR_PWP_REQUEST_LENGTH'
  })
}

for (const piece of [10, 11, 2 ** 32 - 1]) {
  judges(`a request for piece ${piece} of ten`, {
    options: { pieces: 10 },
    bytes: frame(6, piece, 0, 1),
    events: [],
    code: 'ERR_PWP_PIECE_INDEX'
  })
}

test('counts and does not deliver requests that no block can answer', (t) => {
  const wire = greeted({ pieces: 10 })
  wire.unchoke()
  wire.on('request', (piece, offset, length) => t.deepEqual([piece, offset, length], [9, 1, 2]))
  const asked = [frame(6, 9, 1, 0), frame(6, 9, 1, 2), frame(6, 10, 0, 1), frame(6, 0, 0, 0)]
  wire.write(Buffer.concat(asked))
  t.is(wire.peerRequests.length, 1)
  t.is(wire.stats().unanswerableRequests, 3)
  t.is(wire.stats().violations, 3)
  t.is(wire.stats().received.messages.request, 4)
  t.plan(5)
})

test('a strict wire accepts messages that follow the rules', (t) => {
  const wire = unchoked({ policy: 'strict', pieces: 10 })
  wire.unchoke()
  t.plan(3)
  wire.on('request', () => t.pass())
  wire.request(1, 0, 4, (error) => t.is(error, null))
  wire.write(Buffer.concat([frame(7, 1, 0, Buffer.from('bits')), frame(6, 9, 0, 1), frame(4, 9)]))
  t.is(wire.error, null)
})

test('delivers and counts a block that was in flight when we cancelled its request', (t) => {
  const wire = unchoked()
  wire.request(1, 0, 4, (error) => t.is(error.message, 'request was cancelled'))
  wire.cancel(1, 0, 4)
  wire.on('piece', (piece, offset, block) => t.is(String(block), 'bits'))
  wire.write(frame(7, 1, 0, Buffer.from('bits')))
  t.is(wire.stats().violations, 1)
  t.plan(3)
})
