// Answers that do not fit the request: stores give them when a peer requests what is not there, and the
// application that passes them on must not suffer.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { spawnSync } from 'node:child_process'
import test from 'ava'
import { ROOT } from '../testkit/processes/command.mjs'
import { frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { greeted, settled } from '../testkit/wires.mjs'

const CHANNEL = 'peer-wire-native:answer:dropped'

/** Answers that stores have been seen to give to a request for 100 bytes. */
const ANSWERS = {
  nothing: undefined,
  null: null,
  'no bytes': Buffer.alloc(0),
  'a byte less': Buffer.alloc(99),
  'a byte more': Buffer.alloc(101),
  'the whole piece': Buffer.alloc(32 * 1024),
  'a byte less, with a length that lies': Object.defineProperty(Buffer.alloc(99), 'length', {
    value: 100
  }),
  'a string': 'x'.repeat(100),
  'an array': Array(100).fill(0),
  'an ArrayBuffer': new ArrayBuffer(100),
  'a view of other numbers': new Uint16Array(100),
  'an object with a length': { length: 100 },
  false: false
}

/** A wire whose peer may send requests, and the requests it has delivered. */
const serving = () => {
  const wire = greeted()
  wire.unchoke()
  readAll(wire)
  const asked = []
  wire.on('request', (...args) => asked.push(args))
  return { wire, asked }
}

for (const [title, answer] of Object.entries(ANSWERS)) {
  test(`drops an answer that is ${title}`, (t) => {
    const { wire, asked } = serving()
    const uploads = []
    wire.on('upload', (bytes) => uploads.push(bytes))
    wire.write(Buffer.concat([frame(6, 1, 2, 100), frame(6, 1, 102, 100)]))
    const [[, , , respond], [, , , respondNext]] = asked
    t.notThrows(() => respond(null, answer))
    t.is(wire.peerRequests.length, 1)
    t.is(wire.stats().droppedAnswers, 1)
    respond(null, Buffer.alloc(100))
    respondNext(null, Buffer.alloc(100, 7))
    t.deepEqual(readAll(wire), frame(7, 1, 102, Buffer.alloc(100, 7)))
    t.deepEqual(uploads, [100])
    t.is(wire.stats().droppedAnswers, 1)
    t.is(wire.error, null)
  })
}

test('piece() drops an argument that is not a block if a request is open for it, and throws otherwise', (t) => {
  const { wire } = serving()
  for (const [index, answer] of [undefined, null, 'text', { length: 100 }].entries()) {
    wire.write(frame(6, index, 8, 100))
    t.notThrows(() => wire.piece(index, 8, answer))
    t.is(wire.stats().droppedAnswers, index + 1)
    t.is(wire.peerRequests.length, 0)
    t.throws(() => wire.piece(index, 8, answer), { instanceOf: TypeError, message: /block/ })
  }
  t.is(wire.read(), null)
})

test('does not count a declined request or a late answer as a dropped answer', (t) => {
  const { wire, asked } = serving()
  wire.write(Buffer.concat([1, 2, 3].map((piece) => frame(6, piece, 0, 10))))
  asked[0][3](new Error('not now'), Buffer.alloc(3))
  asked[1][3](new Error('not now'))
  wire.choke()
  asked[2][3](null, Buffer.alloc(3))
  t.is(wire.stats().droppedAnswers, 0)
})

test('delivers requests that are held back when a dropped answer makes room', async (t) => {
  for (const answer of [undefined, Buffer.alloc(5), Buffer.alloc(70_000)]) {
    const wire = greeted({ uploadBacklog: 20_000 })
    wire.unchoke()
    const pieces = []
    const responds = []
    wire.on('request', (piece, offset, length, respond) => {
      pieces.push(piece)
      responds.push(respond)
    })
    wire.write(Buffer.concat([0, 1, 2, 3].map((piece) => frame(6, piece, 0, 16_384))))
    t.deepEqual(pieces, [0, 1])
    responds[0](null, answer)
    responds[1](null, answer)
    t.is(wire.stats().droppedAnswers, 2)
    // oxlint-disable-next-line no-await-in-loop
    await settled()
    t.deepEqual(pieces, [0, 1, 2, 3])
  }
})

test('publishes a dropped answer', (t) => {
  const { wire, asked } = serving()
  const published = []
  const note = (message) => message.wire === wire && published.push(message)
  subscribe(CHANNEL, note)
  t.teardown(() => unsubscribe(CHANNEL, note))
  const answers = [undefined, Buffer.alloc(2), 'text']
  for (const [index, answer] of answers.entries()) {
    wire.write(frame(6, index, 5, 9))
    asked[index][3](null, answer)
  }
  const requests = answers.map((answer, piece) => ({
    wire,
    request: { piece, offset: 5, length: 9 },
    answer
  }))
  t.deepEqual(published, requests)
})

test('warns once per process, however many copies of the package there are', (t) => {
  const program = `
    import { loadCopy } from './testkit/memory/copies.mjs'
    import { HANDSHAKE, pwp } from './testkit/wires.mjs'
    import { frame } from './testkit/messages.mjs'
    process.on('warning', ({ name, code, message }) => console.log(name, code, message))
    for (const make of [pwp, loadCopy(), pwp]) {
      const wire = make()
      wire.write(HANDSHAKE)
      wire.unchoke()
      wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length - 1)))
      wire.write(Buffer.concat([frame(6, 1, 2, 30), frame(6, 2, 2, 40)]))
    }
  `
  const args = ['--no-warnings', '--input-type=module', '--eval', program]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8'
  })
  t.is(status, 0, stderr)
  t.regex(stdout, /^PeerWireWarning PWP_ANSWER_DROPPED .* 30 bytes and was given 29 bytes/)
  t.is(stdout.match(/PWP_ANSWER_DROPPED/g).length, 1)
})
