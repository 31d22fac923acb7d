// Output that is answered with input before the call that sent it has returned, and commands of listeners
// in the middle of a chunk.
import { once } from 'node:events'
import net from 'node:net'
import { Writable } from 'node:stream'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { HANDSHAKE, greeted, pwp, settled, unchoked } from '../testkit/wires.mjs'

const BLOCK = Buffer.alloc(16 * 1024, 7)
const INFO_HASH = Buffer.alloc(20, 1)
const PEER_ID = Buffer.alloc(20, 2)

/** Two wires that pass each other their output synchronously, from within the push. */
const linked = async () => {
  const pair = [pwp(), pwp()]
  const [a, b] = pair
  a.on('data', (chunk) => b.write(chunk))
  b.on('data', (chunk) => a.write(chunk))
  for (const wire of pair) {
    wire.handshake(INFO_HASH, PEER_ID)
    wire.unchoke()
  }
  await settled()
  return pair
}

/** A sink that takes chunks only on demand. */
const lazySink = () => {
  const waiting = []
  const sink = new Writable({ write: (chunk, encoding, callback) => waiting.push(callback) })
  sink.takeAll = async () => {
    while (waiting.length > 0) {
      for (const callback of waiting.splice(0)) callback()
      // oxlint-disable-next-line no-await-in-loop -- what follows is written in a later turn
      await settled()
    }
  }
  return sink
}

/** A wire that answers each request at once, and counts them in `asked`. */
const answering = (options) => {
  const self = { wire: greeted(options), asked: 0 }
  self.wire.on('request', (piece, offset, length, respond) => {
    self.asked++
    respond(null, BLOCK)
  })
  return self
}

test('makes 5,000 requests in callbacks of a peer in the same process that answers at once', async (t) => {
  const [a, b] = await linked()
  const count = 5000
  b.on('request', (piece, offset, length, respond) => respond(null, BLOCK))
  let got = 0
  const next = (error) => {
    if (!error && got++ < count) a.request(got, 0, BLOCK.length, next)
  }
  a.request(0, 0, BLOCK.length, next)
  await settled()
  t.is(got, count + 1)
  t.is(a.requests.length, 0)
})

test('puts nothing between the head of a block and the block', async (t) => {
  const [a, b] = await linked()
  const seen = []
  a.on('request', (piece, offset, length, respond) => {
    a.have(piece)
    respond(null, BLOCK)
  })
  a.on('uninterested', () => a.extended(3, Buffer.from('hello')))
  b.on('have', () => {
    b.uninterested()
    b.interested()
  })
  b.on('piece', (piece, offset, block) => seen.push([piece, block.equals(BLOCK)]))
  b.on('extended', (id, payload) => seen.push([id, payload.toString()]))
  b.interested()
  for (const piece of [1, 2]) b.request(piece, 0, BLOCK.length)
  await settled()
  const byText = seen.map(String).toSorted()
  t.deepEqual(byText, ['1,true', '2,true', '3,hello', '3,hello'])
  t.is(b.error, null)
})

test('delivers all requests that are received while it sends', async (t) => {
  const [a, b] = await linked()
  b.choke()
  b.on('request', (piece, offset, length, respond) => respond(null, BLOCK))
  let answered = 0
  const count = 200
  a.on('unchoke', () => {
    for (let piece = 0; piece < count; piece++) a.request(piece, 0, BLOCK.length, () => answered++)
  })
  b.unchoke()
  // Those held back are delivered in later turns.
  // oxlint-disable-next-line no-await-in-loop
  for (let turn = 0; turn < 20; turn++) await settled()
  t.is(answered, count)
})

test('reads a chunk that a listener writes after the current one', async (t) => {
  const wire = greeted({ uploadBacklog: 20_000 })
  wire.unchoke()
  const message = frame(7, 9, 0, BLOCK)
  const seen = []
  let nested = null
  wire.on('request', (piece, offset, length, respond) => {
    respond(null, BLOCK)
    if (nested !== null) wire.write(nested)
    nested = null
  })
  wire.on('piece', (piece, offset, block) => seen.push(block.equals(BLOCK)))
  wire.on('have', (piece) => seen.push(piece))
  wire.write(Buffer.concat([0, 1, 2].map((piece) => frame(6, piece, 0, BLOCK.length))))
  wire.write(message.subarray(0, 4000))
  // The third request was held back, and is delivered before the rest of the block.
  readAll(wire)
  nested = frame(4, 5)
  wire.write(message.subarray(4000))
  await settled()
  t.deepEqual(seen, [true, 5])
})

test('sends what was sent before a listener ended the socket', async (t) => {
  const server = net.createServer((socket) => {
    const wire = pwp()
    socket.pipe(wire).pipe(socket)
    wire.on('handshake', () => {
      wire.handshake(INFO_HASH, PEER_ID)
      wire.have(1)
      wire.piece(1, 0, BLOCK)
      socket.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  client.write(HANDSHAKE)
  let length = 0
  for await (const chunk of client) length += chunk.length
  server.close()
  t.is(length, 68 + 9 + 13 + BLOCK.length)
})

test('delivers requests that were held back when it is also piped elsewhere', async (t) => {
  const self = answering({ uploadBacklog: 100_000 })
  const { wire } = self
  const [first, second] = [lazySink(), lazySink()]
  wire.pipe(first)
  await settled()
  wire.unchoke()
  wire.write(Buffer.concat(Array.from({ length: 20 }, (_, i) => frame(6, i, 0, BLOCK.length))))
  t.true(self.asked < 20)
  wire.pipe(second)
  await settled()
  for (let i = 0; i < 30; i++) {
    // oxlint-disable-next-line no-await-in-loop -- both drain in turn
    await Promise.all([first.takeAll(), second.takeAll()])
  }
  t.is(self.asked, 20)
})

test('gives its output to the listener that has replaced the pipe', async (t) => {
  const wire = greeted()
  const sink = new Writable({ write: (chunk, encoding, callback) => callback() })
  wire.pipe(sink)
  await settled()
  wire.have(1)
  wire.removeAllListeners('data')
  const own = []
  wire.on('data', (chunk) => own.push(chunk))
  wire.have(2)
  t.deepEqual(Buffer.concat(own), frame(4, 2))
})

test('counts bytes, not objects, if it is piped into a stream in object mode', async (t) => {
  const self = answering({ uploadBacklog: 100_000 })
  const { wire } = self
  const sink = new Writable({ objectMode: true, write: () => {} })
  wire.pipe(sink)
  await settled()
  wire.unchoke()
  for (let i = 0; i < 200; i++) wire.write(frame(6, i, 0, BLOCK.length))
  await settled()
  t.true(self.asked < 50, `${self.asked}`)
})

test('delivers each block once when callbacks cancel requests for others in the same chunk', (t) => {
  const wire = unchoked()
  const count = 200
  const outcomes = Array.from({ length: count }, () => 0)
  for (let piece = 0; piece < count; piece++) {
    wire.request(piece, 0, 4, (error) => {
      outcomes[piece]++
      if (!error) wire.cancel((piece * 7 + 3) % count, 0, 4)
    })
  }
  const chunk = Array.from({ length: count }, (_, i) => frame(7, count - 1 - i, 0, Buffer.alloc(4)))
  wire.write(Buffer.concat(chunk))
  t.deepEqual(new Set(outcomes), new Set([1]))
  t.is(wire.requests.length, 0)
})

for (const [moment, open, listen] of [
  ['in the listener of the choke', 0, (wire, act) => wire.once('choke', act)],
  ['in the listener of a choke, one open', 1, (wire, act) => wire.once('choke', act)],
  ['in the callback of a dropped request', 1, () => {}],
  ['in the last callback of three', 3, () => {}]
]) {
  for (const [after, rest] of [
    ['nothing follows', []],
    ['a have follows', [frame(4, 1)]]
  ]) {
    test(`drops a request made ${moment} as if the peer did not choke, when ${after}`, (t) => {
      const wire = unchoked()
      const seen = []
      const again = () => {
        wire.peerChoking = false
        wire.request(9, 0, 5, (error) => seen.push(`9: ${error.message}`))
      }
      wire.on('have', () => seen.push('have'))
      listen(wire, again)
      for (let n = 1; n <= open; n++) {
        wire.request(n, 0, 5, (error) => {
          seen.push(`${n}: ${error.message}`)
          if (n === open) again()
        })
      }
      wire.write(Buffer.concat([frame(0), ...rest]))
      const expected = Array.from({ length: open }, (_, n) => `${n + 1}: peer is choking`)
      const made = seen.filter((entry) => entry.startsWith('9')).length
      t.is(made, listen.length > 0 && open > 0 ? 2 : 1)
      t.deepEqual(seen, [
        ...expected,
        ...Array.from({ length: made }, () => '9: peer is choking'),
        ...(rest.length > 0 ? ['have'] : [])
      ])
      t.deepEqual(wire.requests, [])
    })
  }
}
