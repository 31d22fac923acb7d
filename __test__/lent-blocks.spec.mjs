// Blocks whose memory is detached or resized before they are sent: everything before the lost block is sent
// unchanged, nothing after it, and the wire reports an error.
import test from 'ava'
import { LOSSES, blockOf, blocks } from '../testkit/memory/losses.mjs'
import { frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { HANDSHAKE, UNCHOKE, pwp, settled } from '../testkit/wires.mjs'

const HEAD = Buffer.concat([HANDSHAKE, UNCHOKE])

/** As postMessage() does; memory marked as untransferable is refused, or skipped by older runtimes. */
const tryTransfer = (bytes) => {
  try {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  } catch (error) {
    if (error.name !== 'DataCloneError') throw error
  }
}

for (const [how, { lend, lose }] of Object.entries(LOSSES)) {
  test(`reports a block that is ${how} before it is sent`, async (t) => {
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

  test(`reports a block that is ${how} by a listener of 'upload'`, async (t) => {
    for (const [length, isDispatching] of [
      [1, true],
      [2048, false],
      [2049, true],
      [40_000, false]
    ]) {
      const wire = pwp()
      wire.write(HEAD)
      const output = []
      wire.on('data', (bytes) => output.push(Buffer.from(bytes)))
      const block = lend(blockOf(5, length))
      const send = () => {
        wire.have(1)
        wire.piece(5, 0, block)
        wire.have(2)
      }
      wire.on('upload', () => lose(block))
      wire.on('interested', send)
      if (isDispatching) wire.write(frame(2))
      else send()
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      t.deepEqual(Buffer.concat(output), frame(4, 1))
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
    }
  })

  test(`sends the block before one that is ${how} by a listener of 'upload'`, async (t) => {
    const wire = pwp()
    wire.write(HEAD)
    const output = []
    wire.on('data', (bytes) => output.push(Buffer.from(bytes)))
    const lent = [0, 1].map((piece) => lend(blockOf(piece, 9000)))
    let uploads = 0
    wire.on('upload', () => ++uploads === 2 && lose(lent[1]))
    wire.on('interested', () => {
      wire.have(1)
      for (const [piece, block] of lent.entries()) wire.piece(piece, 0, block)
    })
    wire.write(frame(2))
    await settled()
    t.deepEqual(Buffer.concat(output), Buffer.concat([frame(4, 1), ...blocks(1, 9000)]))
    t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
  })

  test(`sends nothing after a block that is ${how}, also if the reader sends it`, async (t) => {
    const wire = pwp()
    wire.write(HEAD)
    const output = []
    wire.on('data', (bytes) => {
      output.push(Buffer.from(bytes))
      wire.interested()
    })
    wire.on('interested', () => {
      const block = lend(blockOf(0, 9000))
      wire.have(1)
      wire.piece(0, 0, block)
      lose(block)
    })
    await settled()
    wire.write(frame(2))
    await settled()
    t.deepEqual(Buffer.concat(output), frame(4, 1))
    t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
  })

  test(`sends everything before a block that is ${how}`, async (t) => {
    for (const [count, length, isRead] of [
      [1, 2049, true],
      [3, 9000, false],
      [2000, 40_000, true]
    ]) {
      const wire = pwp()
      wire.write(HEAD)
      const haves = Array.from({ length: count }, (_, piece) => frame(4, piece))
      const output = []
      if (isRead) wire.on('data', (bytes) => output.push(Buffer.from(bytes)))
      wire.on('interested', () => {
        for (let piece = 0; piece < count; piece++) wire.have(piece)
        const block = lend(blockOf(7, length))
        wire.piece(7, 0, block)
        wire.have(1)
        lose(block)
      })
      wire.write(frame(2))
      if (!isRead) output.push(readAll(wire))
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      t.true(Buffer.concat(output).equals(Buffer.concat(haves)))
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
    }
  })

  test(`reports a block that is ${how} by the reader of its head`, async (t) => {
    for (const [count, length, lost] of [
      [1, 2049, 0],
      [3, 5000, 1],
      [5, 40_000, 4]
    ]) {
      const wire = pwp()
      wire.write(HEAD)
      const given = Array.from({ length: count }, (_, piece) => lend(blockOf(piece, length)))
      const output = []
      wire.on('data', (bytes) => {
        output.push(Buffer.from(bytes))
        if (output.length === 2 * lost + 1) lose(given[lost])
      })
      wire.on('interested', () => {
        given.forEach((block, piece) => wire.piece(piece, 0, block))
        wire.have(1)
      })
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      wire.write(frame(2))
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      const whole = blocks(lost, length)
      const head = frame(7, lost, 0, blockOf(lost, length)).subarray(0, 13)
      t.deepEqual(Buffer.concat(output), Buffer.concat([...whole, head]))
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
      t.true(wire.readableEnded)
    }
  })
}

/** Ways to read queued output. */
const READERS = {
  'is read late': (wire, output) => output.push(readAll(wire)),
  'flows late': (wire, output) => wire.on('data', (bytes) => output.push(bytes)),
  'is iterated over': async (wire, output) => {
    for await (const bytes of wire) output.push(bytes)
  }
}

for (const [how, { lend, lose }] of Object.entries(LOSSES)) {
  for (const [when, read] of Object.entries(READERS)) {
    test(`keeps the content of a block that is ${how} while it is queued, until the wire ${when}`, async (t) => {
      for (const length of [2049, 16_384, 100_000]) {
        const wire = pwp()
        wire.write(HEAD)
        const output = []
        const given = [0, 1, 2].map((piece) => lend(blockOf(piece, length)))
        wire.have(1)
        given.forEach((block, piece) => wire.piece(piece, 0, block))
        given.forEach(lose)
        read(wire, output)
        // oxlint-disable-next-line no-await-in-loop
        await settled()
        wire.end()
        // oxlint-disable-next-line no-await-in-loop
        await settled()
        t.true(Buffer.concat(output).equals(Buffer.concat([frame(4, 1), ...blocks(3, length)])))
        t.is(wire.error, null)
        t.is(wire.bufferedAmount, 0)
      }
    })
  }
}

for (const [count, length] of [
  [2000, 5000],
  [4000, 2049],
  [9000, 20_000]
]) {
  test(`keeps its output when a reader transfers the memory of frames it has read, of ${count}`, async (t) => {
    const wire = pwp()
    wire.write(HEAD)
    const output = []
    wire.on('data', (bytes) => {
      output.push(Buffer.from(bytes))
      tryTransfer(bytes)
    })
    wire.on('interested', () => {
      for (let piece = 0; piece < count; piece++) wire.have(piece)
      for (const piece of [7, 8]) wire.piece(piece, 0, blockOf(piece, length))
      wire.have(9)
    })
    wire.write(frame(2))
    await settled()
    const haves = Array.from({ length: count }, (_, piece) => frame(4, piece))
    const frames = [7, 8].map((piece) => frame(7, piece, 0, blockOf(piece, length)))
    t.true(Buffer.concat(output).equals(Buffer.concat([...haves, ...frames, frame(4, 9)])))
    t.is(wire.error, null)
  })
}
