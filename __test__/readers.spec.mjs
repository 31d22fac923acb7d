// Readers of a wire get everything that was sent before it closed, and the reason why it closed.
import { once } from 'node:events'
import { PassThrough, Readable, Writable, promises } from 'node:stream'
import { buffer } from 'node:stream/consumers'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, settled } from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)
const BLOCK = Buffer.alloc(16 * 1024, 7)

/** What is sent, and its size in bytes. */
const SENT = [
  [73, (wire) => (wire.handshake(ID, ID), wire.unchoke())],
  [27, (wire) => [1, 2, 3].forEach((piece) => wire.have(piece))],
  [4 * (13 + BLOCK.length), (wire) => [0, 1, 2, 3].forEach((piece) => wire.piece(piece, 0, BLOCK))],
  [0, () => {}]
]

const enough = new Error('enough')
const inListener = (act) => (wire, send) => {
  wire.on('have', () => {
    send(wire)
    act(wire)
  })
  wire.write(Buffer.concat([frame(4, 1), frame(4)]))
}

/** Ways to close a wire, and the code or text of the error that says why. */
const ENDS = {
  'destroy() in a listener': [null, inListener((wire) => wire.destroy())],
  'destroy(error) in a listener': ['enough', inListener((wire) => wire.destroy(enough))],
  'a violation': ['ERR_PWP_MESSAGE_LENGTH', inListener(() => {})],
  'destroy() right after commands': [null, (wire, send) => (send(wire), wire.destroy())],
  'destroy(error) right after commands': [
    'enough',
    (wire, send) => (send(wire), wire.destroy(enough))
  ]
}

const each = async (chunks, take) => {
  for await (const chunk of chunks) take(chunk)
}

/** Readers that get everything, whenever they start. */
const READERS = {
  'for await': each,
  'iterator()': (wire, take) => each(wire.iterator({ destroyOnReturn: false }), take),
  'Readable.from()': (wire, take) => each(Readable.from(wire), take),
  'map()': (wire, take) =>
    each(
      wire.map((chunk) => chunk),
      take
    ),
  'a pipeline into a function': (wire, take) =>
    promises.pipeline(wire, (chunks) => each(chunks, take)),
  'a pipeline through a generator': (wire, take) =>
    promises.pipeline(
      wire,
      async function* (chunks) {
        for await (const chunk of chunks) {
          take(chunk)
          yield chunk
        }
      },
      new PassThrough().resume()
    )
}

const reasonOf = (reading) =>
  reading.then(
    () => null,
    ({ code, message }) => code ?? message
  )

/** Reads until the wire has ended; returns why it closed, and how many bytes were read. */
const outcome = async (read, wire, begin, close) => {
  let length = 0
  const start = () => reasonOf(read(wire, (chunk) => (length += chunk.length)))
  if (begin === 'after') close()
  const reading = start()
  if (begin === 'before') await settled()
  if (begin !== 'after') close()
  const reason = await reading
  // A pipeline gets an error before its functions have read the bytes before it.
  await settled()
  return [reason, length]
}

for (const [name, read] of Object.entries(READERS)) {
  for (const [how, [error, close]] of Object.entries(ENDS)) {
    test(`${name} gets all that was sent before ${how}`, async (t) => {
      for (const begin of ['before', 'with', 'after']) {
        for (const [length, send] of SENT) {
          const wire = greeted()
          // oxlint-disable-next-line no-await-in-loop -- one wire after the other
          const got = await outcome(read, wire, begin, () => close(wire, send))
          t.deepEqual(got, [error, length], begin)
        }
      }
    })
  }
}

for (const [name, read] of Object.entries({
  'consumers.buffer()': buffer,
  'toArray()': async (wire) => Buffer.concat(await wire.toArray()),
  "once('end')": async (wire) => {
    const chunks = []
    wire.on('data', (chunk) => chunks.push(chunk))
    await once(wire, 'end')
    return Buffer.concat(chunks)
  }
})) {
  test(`${name} returns all that was sent before destroy()`, async (t) => {
    for (const [length, send] of SENT) {
      const wire = greeted()
      const bytes = read(wire)
      ENDS['destroy() in a listener'][1](wire, send)
      t.is((await bytes).length, length) // oxlint-disable-line no-await-in-loop
    }
  })
}

for (const [how, [error, close]] of Object.entries(ENDS)) {
  test(`a pipeline passes all that was sent before ${how} to its sink`, async (t) => {
    for (const [length, send] of SENT) {
      const wire = greeted()
      let got = 0
      const sink = new Writable({
        write: (chunk, encoding, done) => {
          got += chunk.length
          done()
        }
      })
      const done = reasonOf(promises.pipeline(wire, sink))
      await settled() // oxlint-disable-line no-await-in-loop
      close(wire, send)
      // oxlint-disable-next-line no-await-in-loop
      t.deepEqual([await done, got], [error ?? 'ERR_STREAM_PREMATURE_CLOSE', length])
    }
  })

  test(`a web reader gets all that was sent before ${how}, and nothing is thrown`, async (t) => {
    for (const [length, send] of SENT.slice(0, 2)) {
      const wire = greeted()
      const reader = Readable.toWeb(wire).getReader()
      const read = reader.read()
      await settled() // oxlint-disable-line no-await-in-loop
      close(wire, send)
      // Outside of a listener each message is sent as a chunk of its own.
      const first = how.includes('commands') ? (length === 73 ? 68 : 9) : length
      t.is((await read).value.byteLength, first) // oxlint-disable-line no-await-in-loop
      // oxlint-disable-next-line no-await-in-loop
      await t.throwsAsync(reader.read(), error === null ? { name: 'AbortError' } : undefined)
    }
  })
}

test('writes all that was sent to a socket that is destroyed when the wire closes', async (t) => {
  for (const [length, send] of SENT) {
    let got = 0
    const sink = new Writable({
      write: (chunk, encoding, done) => {
        got += chunk.length
        done()
      }
    })
    const wire = greeted()
    wire.pipe(sink)
    wire.on('close', () => sink.destroy())
    await settled() // oxlint-disable-line no-await-in-loop
    ENDS['destroy() in a listener'][1](wire, send)
    t.is(got, length)
  }
})

test('honors destroyOnReturn when a loop is left', async (t) => {
  for (const destroyOnReturn of [undefined, true, false]) {
    const wire = greeted()
    for (const piece of [1, 2]) wire.have(piece)
    // oxlint-disable-next-line no-await-in-loop
    for await (const chunk of wire.iterator({ destroyOnReturn })) {
      t.true(chunk.length >= 9)
      break
    }
    t.is(wire.destroyed, destroyOnReturn !== false)
    t.is(wire.listenerCount('readable') + wire.listenerCount('end'), 0)
  }
})

test('for await ends with the input, and throws if that ended inside a message', async (t) => {
  for (const [rest, error] of [
    [frame(4, 1), null],
    [frame(4, 1).subarray(0, 7), 'ERR_PWP_TRUNCATED'],
    [Buffer.alloc(3), 'ERR_PWP_TRUNCATED']
  ]) {
    const wire = greeted()
    const close = () => {
      wire.have(1)
      wire.end(rest)
    }
    // oxlint-disable-next-line no-await-in-loop
    t.deepEqual(await outcome(each, wire, 'before', close), [error, 9])
  }
})
