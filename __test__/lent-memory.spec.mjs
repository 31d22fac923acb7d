// Memory that is detached or resized while a wire uses it: each request is settled once, what is
// delivered is what was sent, and if something is lost the wire says so.
import test from 'ava'
import { frame } from './helpers/messages.mjs'
import { HANDSHAKE, UNCHOKE, pwp, settled } from './helpers/wires.mjs'

const HEAD = Buffer.concat([HANDSHAKE, UNCHOKE])

/** Memory of its own for a chunk, and how to take that away. */
const LOSSES = {
  transferred: {
    lend: (bytes) => Buffer.from(new Uint8Array(bytes).buffer),
    lose: (view) => structuredClone(view, { transfer: [view.buffer] })
  },
  shrunk: {
    lend: (bytes) => fill(new ArrayBuffer(bytes.length, { maxByteLength: bytes.length }), bytes),
    lose: (view) => view.buffer.resize(Math.floor(view.buffer.byteLength / 3))
  },
  'shrunk to nothing': {
    lend: (bytes) =>
      fill(new ArrayBuffer(bytes.length, { maxByteLength: bytes.length * 2 }), bytes),
    lose: (view) => view.buffer.resize(0)
  }
}

const fill = (memory, bytes) => {
  const chunk = Buffer.from(memory)
  chunk.set(bytes)
  return chunk
}

const blockOf = (piece, length) => Buffer.alloc(length, piece + 1)

const blocks = (count, length) =>
  Array.from({ length: count }, (_, piece) => frame(7, piece, 0, blockOf(piece, length)))

/** A wire with open requests, and how each was settled. */
const requesting = (count, length, onBlock) => {
  const wire = pwp()
  wire.write(HEAD)
  const settled = Array.from({ length: count }, () => [])
  for (let piece = 0; piece < count; piece++) {
    wire.request(piece, 0, length, (error, block) => {
      settled[piece].push(error ? error.code : block.equals(blockOf(piece, length)))
      if (block) onBlock?.(piece, block)
    })
  }
  return { wire, settled }
}

for (const [how, { lend, lose }] of Object.entries(LOSSES)) {
  for (const [count, length, at] of [
    [3, 16 * 1024, 0],
    [50, 7, 20],
    [40, 1000, 38]
  ]) {
    test(`a chunk of ${count} blocks is ${how} with block ${at}`, async (t) => {
      const { wire, settled: outcomes } = requesting(count, length, (piece, block) => {
        if (piece === at) lose(block)
      })
      wire.write(lend(Buffer.concat(blocks(count, length))))
      await settled()
      const expected = outcomes.map((_, piece) => [piece <= at || 'ERR_PWP_MEMORY_CHANGED'])
      t.deepEqual(outcomes, expected)
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
      t.true(wire.destroyed)
      t.deepEqual(wire.requests, [])
    })
  }

  test(`a chunk of many messages is ${how} by a listener`, async (t) => {
    for (const at of [0, 31, 62, 130]) {
      const wire = pwp()
      wire.write(HEAD)
      const pieces = []
      const chunk = lend(Buffer.concat(Array.from({ length: 200 }, (_, piece) => frame(4, piece))))
      wire.on('have', (piece) => {
        pieces.push(piece)
        if (piece === at) lose(chunk)
      })
      wire.write(chunk)
      t.deepEqual(
        pieces,
        Array.from({ length: at + 1 }, (_, piece) => piece)
      )
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
    }
    await settled()
  })

  test(`the begin of a block that goes on in the next chunk is ${how}`, async (t) => {
    for (const [length, split] of [
      [20_000, 10_000],
      [300, 299],
      [70_000, 1]
    ]) {
      const { wire, settled: outcomes } = requesting(2, length, (piece, block) => {
        if (piece === 0) lose(block)
      })
      const [first, second] = blocks(2, length)
      wire.write(lend(Buffer.concat([first, second.subarray(0, 13 + split)])))
      wire.write(Buffer.from(second.subarray(13 + split)))
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      t.deepEqual(outcomes, [[true], ['ERR_PWP_MEMORY_CHANGED']])
    }
  })

  test(`a chunk that waits for a listener is ${how}`, async (t) => {
    const wire = pwp()
    wire.write(HEAD)
    const pieces = []
    wire.on('have', (piece) => {
      pieces.push(piece)
      if (piece !== 1) return
      const chunk = lend(frame(4, 9))
      wire.write(chunk)
      lose(chunk)
    })
    wire.write(Buffer.concat([frame(4, 1), frame(4, 2)]))
    await settled()
    t.deepEqual(pieces, [1, 2])
    t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
  })

  test(`a block that is to be sent is ${how}`, async (t) => {
    for (const lost of [0, 1, 2]) {
      const wire = pwp()
      wire.write(HEAD)
      wire.unchoke()
      const output = []
      wire.on('data', (bytes) => output.push(Buffer.from(bytes)))
      wire.on('request', (piece, offset, length, respond) => {
        const block = lend(blockOf(piece, length))
        respond(null, block)
        if (piece === lost) lose(block)
      })
      wire.write(Buffer.concat([0, 1, 2].map((piece) => frame(6, piece, 0, 9000))))
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      const whole = blocks(3, 9000).slice(0, lost)
      t.deepEqual(Buffer.concat(output), Buffer.concat([frame(1), ...whole]))
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
    }
  })
}

test('counts a block that its callback has transferred', (t) => {
  for (const length of [1, 500, 40_000]) {
    const { wire } = requesting(1, length, (_, block) => LOSSES.transferred.lose(block))
    wire.write(LOSSES.transferred.lend(blocks(1, length)[0]))
    t.is(wire.downloaded, length)
    t.is(wire.error, null)
  }
})
