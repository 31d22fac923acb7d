// Chunks whose memory is detached or resized while a wire reads them: each request is settled once, what is
// delivered is what the peer sent, and the wire reports an error if something is lost.
import test from 'ava'
import { LOSSES, blockOf, blocks } from '../testkit/memory/losses.mjs'
import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, UNCHOKE, pwp, record, settled } from '../testkit/wires.mjs'

const HEAD = Buffer.concat([HANDSHAKE, UNCHOKE])

/** A wire with open requests, and how each was settled. */
const requesting = (count, length, onBlock) => {
  const wire = pwp()
  wire.write(HEAD)
  const outcomes = Array.from({ length: count }, () => [])
  for (let piece = 0; piece < count; piece++) {
    wire.request(piece, 0, length, (error, block) => {
      outcomes[piece].push(error ? error.code : block.equals(blockOf(piece, length)))
      if (block) onBlock?.(piece, block)
    })
  }
  return { wire, outcomes }
}

for (const [how, { lend, lose }] of Object.entries(LOSSES)) {
  for (const [count, length, at] of [
    [3, 16 * 1024, 0],
    [50, 7, 20],
    [40, 1000, 38]
  ]) {
    test(`settles each request once when a chunk of ${count} blocks is ${how} with block ${at}`, async (t) => {
      const { wire, outcomes } = requesting(count, length, (piece, block) => {
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

  test(`reports a chunk of many messages that is ${how} by a listener`, async (t) => {
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

  test(`reports a block whose beginning is ${how} before the rest is received`, async (t) => {
    for (const [length, split] of [
      [20_000, 10_000],
      [300, 299],
      [70_000, 1]
    ]) {
      const { wire, outcomes } = requesting(2, length, (piece, block) => {
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

  test(`reports a chunk that is ${how} while it waits for a listener`, async (t) => {
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
}

/** Ways to make a chunk wait in the stream, after another one that is written first. */
const WAITS = {
  'while the wire is corked': (wire, first, chunk) => {
    wire.cork()
    wire.write(first)
    wire.write(chunk)
    return () => wire.uncork()
  },
  'after another one of a listener': (wire, first, chunk) => {
    wire.once('interested', () => {
      wire.write(first)
      wire.write(chunk)
    })
    return () => wire.write(frame(2))
  },
  'as the last one of a listener': (wire, first, chunk) => {
    wire.once('interested', () => {
      wire.write(first)
      wire.end(chunk)
    })
    return () => wire.write(frame(2))
  },
  'as the last one of a corked wire': (wire, first, chunk) => {
    wire.cork()
    wire.write(first)
    return () => wire.end(chunk)
  }
}

for (const [how, { lend, lose }] of Object.entries(LOSSES)) {
  for (const [where, wait] of Object.entries(WAITS)) {
    test(`finishes when a chunk that waits ${where} is ${how}`, async (t) => {
      const wire = pwp()
      wire.write(HEAD)
      const pieces = []
      const chunk = lend(Buffer.concat([frame(4, 8), frame(4, 9)]))
      const seen = record(wire, ['finish', 'end', 'close'])
      wire.on('have', (piece) => {
        pieces.push(piece)
        if (piece === 1) lose(chunk)
      })
      wire.resume()
      wait(wire, frame(4, 1), chunk)()
      await settled()
      wire.end()
      await settled()
      t.deepEqual(pieces, [1, 8, 9])
      t.is(wire.error, null)
      t.is(wire.writableLength, 0)
      t.deepEqual(seen.toSorted(), ['close', 'end', 'finish'])
    })
  }
}

for (const length of [1, 700, 9000]) {
  test(`finishes when the last chunk is transferred with a message of ${length} bytes in it`, async (t) => {
    const wire = pwp()
    wire.write(HEAD)
    const seen = record(wire, ['extended', 'have', 'finish', 'end', 'close'])
    wire.on('extended', (id, message) => LOSSES.transferred.lose(message))
    wire.resume()
    wire.cork()
    wire.write(Buffer.concat([frame(20, Buffer.alloc(1 + length, 1)), frame(4, 1)]))
    wire.end()
    await settled()
    t.deepEqual(seen.toSorted(), ['close', 'end', 'extended', 'finish'])
    t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
  })
}

test('counts the bytes of a block that its callback has transferred', (t) => {
  for (const length of [1, 500, 40_000]) {
    const { wire } = requesting(1, length, (_, block) => LOSSES.transferred.lose(block))
    wire.write(LOSSES.transferred.lend(blocks(1, length)[0]))
    t.is(wire.downloaded, length)
    t.is(wire.error, null)
  }
})
