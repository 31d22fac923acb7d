// Copies of the package's JavaScript on one addon: each has wires of its own, and none reads the numbers of
// another one.
import test from 'ava'
import { loadCopy } from '../testkit/memory/copies.mjs'
import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, UNCHOKE, pwp, settled } from '../testkit/wires.mjs'

const { Wire: Copy } = loadCopy()

const haves = (from, count) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => frame(4, from + index)))

const block = (length, fill) => Buffer.alloc(length, fill)

/** A wire whose peer lets us request. */
const open = (make) => {
  const wire = make()
  wire.write(Buffer.concat([HANDSHAKE, UNCHOKE]))
  wire.unchoke()
  wire.read()
  return wire
}

test('loads the package twice', (t) => {
  t.not(Copy, pwp)
  t.false(open(pwp) instanceof Copy)
})

for (const [count, at, nested] of [
  [3, 0, 1],
  [20, 7, 31],
  [200, 40, 100]
]) {
  test(`delivers ${count} haves while a listener feeds a copy ${nested} more`, (t) => {
    const [wire, other] = [open(pwp), open(Copy)]
    const pieces = []
    const others = []
    other.on('have', (piece) => others.push(piece))
    wire.on('have', (piece) => {
      pieces.push(piece)
      if (piece === at) other.write(haves(1000, nested))
    })
    wire.write(haves(0, count))
    t.deepEqual(
      pieces,
      Array.from({ length: count }, (_, index) => index)
    )
    t.deepEqual(
      others,
      Array.from({ length: nested }, (_, index) => 1000 + index)
    )
  })
}

for (const length of [4, 1000, 20_000]) {
  test(`gives each request its block of ${length} bytes while a copy answers`, (t) => {
    const [wire, other] = [open(pwp), open(Copy)]
    const given = []
    for (let piece = 0; piece < 12; piece++) {
      wire.request(piece, 0, length, (error, bytes) => {
        given.push(error ?? bytes.every((byte) => byte === piece + 1))
        other.write(Buffer.concat([frame(4, 77), frame(6, 5, 0, 16), frame(20, block(9, 1))]))
      })
    }
    const answers = Array.from({ length: 12 }, (_, piece) =>
      frame(7, piece, 0, block(length, piece + 1))
    )
    wire.write(Buffer.concat(answers))
    t.deepEqual(given, Array(12).fill(true))
    t.is(wire.error, null)
    t.is(other.error, null)
  })
}

for (const length of [100, 5000, 40_000]) {
  test(`sends answers of ${length} bytes while a copy sends its own`, (t) => {
    const [wire, other] = [open(pwp), open(Copy)]
    const output = []
    const others = []
    other.on('request', (piece, offset, size, respond) => respond(null, block(size, 9)))
    wire.on('request', (piece, offset, size, respond) => {
      respond(null, block(size, piece))
      other.write(frame(6, piece, 0, 3000))
      other.have(piece)
      wire.have(piece)
    })
    wire.on('data', (bytes) => output.push(bytes))
    other.on('data', (bytes) => others.push(bytes))
    wire.write(Buffer.concat([0, 1, 2, 3].map((piece) => frame(6, piece, 0, length))))
    return settled().then(() => {
      const expected = [0, 1, 2, 3].flatMap((piece) => [
        frame(7, piece, 0, block(length, piece)),
        frame(4, piece)
      ])
      const expectedOthers = [0, 1, 2, 3].flatMap((piece) => [
        frame(7, piece, 0, block(3000, 9)),
        frame(4, piece)
      ])
      t.true(Buffer.concat(output).equals(Buffer.concat(expected)))
      t.true(Buffer.concat(others).equals(Buffer.concat(expectedOthers)))
    })
  })
}

test('queues the commands of each copy separately', (t) => {
  const wires = [pwp(), Copy(), loadCopy()(), pwp(), Copy()]
  for (let round = 0; round < 100; round++) {
    for (const [index, wire] of wires.entries()) wire.have(round * 10 + index)
  }
  for (const [index, wire] of wires.entries()) {
    const expected = Array.from({ length: 100 }, (_, round) => frame(4, round * 10 + index))
    const output = []
    for (let bytes = wire.read(); bytes !== null; bytes = wire.read()) output.push(bytes)
    t.true(Buffer.concat(output).equals(Buffer.concat(expected)))
  }
})
