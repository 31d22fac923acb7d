// Bytes as arguments: the real bytes count, whatever the properties of an object say.
import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, pwp, unchoked } from '../testkit/wires.mjs'

const mustBe = (name) => ({ instanceOf: TypeError, message: new RegExp(`^${name} must be `) })

/** All bytes that a wire has sent, in however many chunks. */
const sentBy = (wire) => {
  const chunks = []
  for (let chunk = wire.read(); chunk !== null; chunk = wire.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Bytes with a wrong `length`. */
const lying = (bytes, length) => Object.defineProperty(bytes, 'length', { value: length })
class Liar extends Uint8Array {
  get length() {
    return 3
  }
}

for (const [how, lie] of [
  ['more', (size) => lying(Buffer.alloc(size, 7), size + 100)],
  ['fewer', (size) => lying(new Uint8Array(size).fill(7), 1)],
  ['none', (size) => lying(Buffer.alloc(size, 7), 0)],
  ['another number by their class', (size) => new Liar(size).fill(7)],
  ['something else', (size) => lying(Buffer.alloc(size, 7), 'many')]
]) {
  test(`sends the real bytes when their length says ${how}`, (t) => {
    const wire = pwp()
    const uploads = []
    wire.on('upload', (bytes) => uploads.push(bytes))
    wire.handshake(lie(20), lie(20))
    t.is(sentBy(wire).length, 68)
    wire.bitfield(lie(3))
    t.deepEqual(sentBy(wire), frame(5, Buffer.alloc(3, 7)))
    wire.bitfield({ buffer: lie(3) })
    t.deepEqual(sentBy(wire), frame(5, Buffer.alloc(3, 7)))
    wire.extended(1, lie(9))
    t.deepEqual(sentBy(wire), frame(20, Buffer.of(1), Buffer.alloc(9, 7)))
    for (const size of [10, 5000]) {
      wire.piece(1, 2, lie(size))
      t.deepEqual(sentBy(wire), frame(7, 1, 2, Buffer.alloc(size, 7)))
    }
    t.deepEqual(uploads, [10, 5000])
    t.is(wire.uploaded, 5010)
    t.throws(() => wire.handshake(lie(19), lie(20)), { message: /MUST have length 20/ })
  })
}

test('refuses more bytes than a message can hold', (t) => {
  // Its pages are never touched, so it costs no memory.
  const bytes = new Uint8Array(2 ** 31)
  const wire = pwp()
  const calls = {
    block: () => wire.piece(0, 0, bytes),
    bitfield: () => wire.bitfield(bytes),
    message: () => wire.extended(0, bytes)
  }
  for (const [name, call] of Object.entries(calls)) {
    const { message } = t.throws(call, { instanceOf: RangeError })
    t.true(message.startsWith(`${name}.length must be `), message)
  }
  t.is(wire.read(), null)
})

test('reads the real bytes of a chunk, whatever its length says', (t) => {
  const block = Buffer.alloc(3000, 7)
  const bytes = frame(7, 1, 2, block)
  for (const length of [0, 1, 2990, 1e6, 'many']) {
    const wire = unchoked()
    wire.once('piece', (piece, offset, got) => t.deepEqual(got, block))
    for (let at = 0; at < bytes.length; at += 1000) {
      wire.write(lying(Buffer.from(bytes.subarray(at, at + 1000)), length))
    }
    t.is(wire.downloaded, 3000)
    wire.once('have', (piece) => t.is(piece, 5))
    wire.end(lying(frame(4, 5), length))
  }
})

for (const [what, make] of [
  ['an object', () => Object.create(Buffer.prototype)],
  ['an object with a length', () => Object.create(Buffer.prototype, { length: { value: 9 } })],
  ['a proxy', () => new Proxy(Buffer.alloc(9), {})],
  ['another array', () => Object.setPrototypeOf(new Float64Array(9), Buffer.prototype)]
]) {
  test(`refuses ${what} that poses as a Buffer, and stays usable`, (t) => {
    const wire = greeted()
    t.throws(() => wire.write(make()), mustBe('chunk'))
    t.throws(() => wire.write(make(), () => {}), mustBe('chunk'))
    t.throws(() => wire.end(make()), mustBe('chunk'))
    t.throws(() => wire.piece(0, 0, make()), mustBe('block'))
    wire.once('have', (piece) => t.is(piece, 5))
    wire.write(frame(4, 5))
    t.plan(5)
  })
}
