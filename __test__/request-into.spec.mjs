// Blocks that are requested into memory of the caller, on native wires and on streams.
import test from 'ava'

import { BLOCK, KINDS, bytesAt, failureOf, meet } from '../testkit/piece-peer.mjs'
import { frame } from '../testkit/messages.mjs'
import { CHOKE, pwp, unchoked } from '../testkit/wires.mjs'

const BYTES = Buffer.from('abcd')

for (const kind of KINDS) {
  test(`${kind}: a block lands in the memory that was given`, async (t) => {
    const [wire] = await meet(t, kind, { serves: true })
    const into = Buffer.alloc(BLOCK + 10, 7)
    const emitted = []
    wire.on('piece', (piece, offset, block) => emitted.push(block))
    const block = await wire.requestBlock(1, BLOCK, BLOCK, { into: into.subarray(5) })
    t.is(block.buffer, into.buffer)
    t.is(block.byteOffset, into.byteOffset + 5)
    t.deepEqual(block, bytesAt(1, BLOCK, BLOCK))
    t.deepEqual(into.subarray(0, 5), Buffer.alloc(5, 7))
    t.deepEqual(into.subarray(5 + BLOCK), Buffer.alloc(5, 7))
    t.deepEqual(emitted, [block])
  })

  test(`${kind}: a callback gets it, and other options work`, async (t) => {
    const [wire, peer] = await meet(t, kind)
    const into = new Uint8Array(new SharedArrayBuffer(BLOCK))
    const { signal } = new AbortController()
    const got = new Promise((resolve) => {
      wire.request(1, 0, BLOCK, { into, signal, timeout: 60_000 }, (error, block) =>
        resolve(error ?? block)
      )
    })
    peer.serve()
    const block = await got
    t.true(Buffer.isBuffer(block))
    t.is(block.buffer, into.buffer)
    t.deepEqual(Buffer.from(into), bytesAt(1, 0, BLOCK))
    peer.isServing = false
    const controller = new AbortController()
    const aborted = wire.requestBlock(1, 0, BLOCK, { into, signal: controller.signal })
    controller.abort(new Error('why'))
    t.is((await failureOf(aborted)).message, 'why')
    const late = await failureOf(wire.requestBlock(1, 0, BLOCK, { into, timeout: 1 }))
    t.is(late.code, 'ERR_PWP_REQUEST_TIMEOUT')
  })
}

test('memory that is gone when the block arrives', async (t) => {
  const wire = unchoked()
  const buffer = new ArrayBuffer(4, { maxByteLength: 8 })
  const gone = new Uint8Array(4)
  const shrunk = new Uint8Array(buffer)
  const outcomes = [gone, shrunk].map((into) => failureOf(wire.requestBlock(3, 16, 4, { into })))
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  buffer.resize(3)
  wire.write(Buffer.concat([frame(7, 3, 16, BYTES), frame(7, 3, 16, BYTES)]))
  const codes = (await Promise.all(outcomes)).map(({ code }) => code)
  t.deepEqual(codes, Array(2).fill('ERR_PWP_MEMORY_CHANGED'))
  t.false(wire.destroyed)
})

test('memory is left alone when there is no block', async (t) => {
  const wire = unchoked()
  const into = Buffer.alloc(4, 7)
  const outcome = failureOf(wire.requestBlock(3, 16, 4, { into }))
  wire.write(CHOKE)
  t.is((await outcome).message, 'peer is choking')
  const late = failureOf(wire.requestBlock(3, 16, 4, { into }))
  t.is((await late).message, 'peer is choking')
  t.deepEqual(into, Buffer.alloc(4, 7))
})

test('wrong memory throws at once', (t) => {
  const wire = pwp()
  for (const into of [new Uint16Array(8), [], new ArrayBuffer(8), 'abcd', {}]) {
    const message = 'options.into must be a Uint8Array'
    t.throws(() => wire.request(1, 2, 4, { into }), { instanceOf: TypeError, message })
    t.throws(() => wire.requestBlock(1, 2, 4, { into }), { instanceOf: TypeError, message })
  }
  const message = 'options.into must have room for the block'
  const into = Object.defineProperty(new Uint8Array(3), 'length', { value: 4 })
  t.throws(() => wire.requestBlock(1, 2, 4, { into }), { instanceOf: RangeError, message })
  const [none, missing] = [{ into: null }, { into: undefined }]
  for (const options of [none, missing]) t.notThrows(() => wire.request(1, 2, 4, options))
})
