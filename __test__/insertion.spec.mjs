// Bytes that users put into the readable side of a wire: they are read in the place where they were put.
import { PassThrough, Readable } from 'node:stream'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, pwp, settled } from '../testkit/wires.mjs'

const BLOCK = Buffer.alloc(5000, 7)
const OWN = Buffer.from('own bytes')

/** Ways to read a wire, each of which returns what was read. */
const READERS = {
  'a late reader': (wire) => () => wire.read(),
  'a listener': (wire) => {
    const chunks = []
    wire.on('data', (chunk) => chunks.push(chunk))
    return () => Buffer.concat(chunks)
  },
  'a pipe': (wire) => {
    const sink = wire.pipe(new PassThrough())
    return () => sink.read()
  },
  'a pipe that is full': (wire) => {
    const sink = wire.pipe(new PassThrough({ highWaterMark: 1 }))
    return () => sink.read()
  }
}

/** Ways to send something first, and its bytes. */
const SENT = {
  'a have': [(wire) => wire.have(1), frame(4, 1)],
  'a block': [(wire) => wire.piece(1, 0, BLOCK), frame(7, 1, 0, BLOCK)],
  'a handshake and blocks': [
    (wire) => {
      wire.unchoke()
      for (const piece of [1, 2]) wire.piece(piece, 0, BLOCK)
      wire.have(3)
    },
    Buffer.concat([frame(1), ...[1, 2].map((piece) => frame(7, piece, 0, BLOCK)), frame(4, 3)])
  ]
}

/** Ways to insert bytes, and whether they follow what is still unread. */
const WAYS = {
  push: [(wire) => wire.push(OWN), true],
  'push of a string': [(wire) => wire.push(OWN.toString('hex'), 'hex'), true],
  unshift: [(wire) => wire.unshift(OWN), false],
  wrap: [(wire) => wire.wrap(Readable.from([OWN])), true]
}

for (const [reader, read] of Object.entries(READERS)) {
  for (const [what, [send, sent]] of Object.entries(SENT)) {
    for (const [way, [write, isAfterUnread]] of Object.entries(WAYS)) {
      const isUnread = reader === 'a late reader'
      // Bytes put in front of unread ones would precede a block whose head has already been sent.
      if (way === 'unshift' && reader === 'a pipe that is full') continue
      test(`keeps the place of ${way}() in a listener after ${what}, for ${reader}`, async (t) => {
        const wire = greeted()
        const result = read(wire)
        await settled()
        wire.on('have', () => {
          send(wire)
          write(wire)
          if (way !== 'wrap') wire.interested()
        })
        wire.write(frame(4, 1))
        const chunks = []
        for (let turn = 0; turn < 20; turn++) {
          await settled() // oxlint-disable-line no-await-in-loop
          chunks.push(result() ?? '')
        }
        const got = reader === 'a listener' ? chunks.at(-1) : Buffer.concat(chunks.map(Buffer.from))
        const rest = way === 'wrap' ? Buffer.alloc(0) : frame(2)
        const inOrder = isAfterUnread || !isUnread ? [sent, OWN, rest] : [OWN, sent, rest]
        t.is(got.toString('latin1'), Buffer.concat(inOrder).toString('latin1'))
      })
    }
  }
}

test('puts what a reader pushes after what was sent, and before what is sent later', async (t) => {
  for (const count of [1, 2, 5]) {
    const wire = greeted()
    const chunks = []
    let isFirst = true
    wire.on('data', (chunk) => {
      chunks.push(chunk)
      if (!isFirst) return
      isFirst = false
      wire.have(10)
      wire.push(OWN)
      wire.have(11)
      t.is(typeof wire.push(OWN), 'boolean')
      wire.piece(12, 0, BLOCK)
    })
    const pieces = Array.from({ length: count }, (_, piece) => piece)
    wire.on('have', () => pieces.forEach((piece) => wire.piece(piece, 0, BLOCK)))
    await settled() // oxlint-disable-line no-await-in-loop
    wire.write(frame(4, 1))
    const expected = [
      ...pieces.map((piece) => frame(7, piece, 0, BLOCK)),
      frame(4, 10),
      OWN,
      frame(4, 11),
      OWN,
      frame(7, 12, 0, BLOCK)
    ]
    t.true(Buffer.concat(chunks).equals(Buffer.concat(expected)))
  }
})

test('passes what is sent to the push() of a subclass', (t) => {
  const seen = []
  class Logged extends pwp {
    push(chunk, encoding) {
      seen.push(chunk)
      return super.push(chunk, encoding)
    }
  }
  const wire = new Logged()
  wire.have(1)
  wire.push(OWN)
  t.deepEqual(seen, [frame(4, 1), OWN])
  t.deepEqual(wire.read(wire.readableLength), Buffer.concat([frame(4, 1), OWN]))
})
