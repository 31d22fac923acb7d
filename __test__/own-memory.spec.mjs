// What a wire keeps, or hands out to be kept, is never a view of larger memory, which would live as long.
import diagnostics from 'node:diagnostics_channel'
import { Writable } from 'node:stream'

import test from 'ava'

import { collectGarbage } from '../testkit/memory/garbage.mjs'
import { bytesOf, cut, frame } from '../testkit/messages.mjs'
import { HANDSHAKE, greeted, pwp, settled, unchoked } from '../testkit/wires.mjs'

const KIB = 1024

/** Bytes that are kept alive by a view. */
const pinned = (view) => view.buffer.byteLength

const ownChunk = (bytes) => {
  const chunk = Buffer.allocUnsafeSlow(bytes.length)
  chunk.set(bytes)
  return chunk
}

/** Chunks as sockets deliver them: each in memory of its own. */
const deliver = (wire, bytes, sizes = []) => {
  for (const chunk of cut(bytes, sizes)) wire.write(ownChunk(chunk))
}

for (const [name, sizes] of Object.entries({ whole: [], cut: [30, 7], 'byte by byte': [1] })) {
  test(`hands out a handshake received ${name} in memory of its own`, (t) => {
    const wire = pwp()
    const delivered = []
    wire.on('handshake', (infoHash, peerId) => delivered.push(infoHash, peerId, wire.peerReserved))
    const listener = (message) => {
      if (message.wire === wire) delivered.push(message.infoHash, message.peerId)
    }
    diagnostics.subscribe('peer-wire-native:handshake', listener)
    deliver(wire, HANDSHAKE, sizes)
    diagnostics.unsubscribe('peer-wire-native:handshake', listener)
    t.deepEqual(delivered.map(pinned), [20, 20, 20, 20, 8])
    t.true(Buffer.concat([delivered[4], delivered[0], delivered[1]]).equals(HANDSHAKE.subarray(20)))
  })

  test(`hands out bitfields received ${name} in memory of their own`, (t) => {
    const wire = greeted()
    const delivered = []
    wire.on('bitfield', (bits) => delivered.push(pinned(bits)))
    const lengths = [1, 64, 65, 2000]
    for (const size of lengths) deliver(wire, frame(5, bytesOf({ size, fill: 1 })), sizes)
    t.deepEqual(delivered, lengths)
  })
}

/** Messages whose payload is handed out, by their event. */
const WITH_PAYLOAD = {
  piece: (payload) => frame(7, 0, 0, payload),
  extended: (payload) => frame(20, Buffer.from([1]), payload),
  unknownmessage: (payload) => frame(payload[0], payload.subarray(1))
}

for (const [event, encode] of Object.entries(WITH_PAYLOAD)) {
  test(`joins a cut payload in memory of its own: ${event}`, (t) => {
    const wire = greeted()
    const delivered = []
    wire.on(event, (...values) => delivered.push(values.at(-1)))
    const payloads = [2, 63, 300, 5000, 16 * KIB].map((size) => bytesOf({ size, fill: 99 }))
    for (const payload of payloads) {
      const message = encode(payload)
      deliver(wire, message, [message.length - 1])
      if (payload.length > 1000) deliver(wire, message, [message.length - 900, 400])
    }
    t.deepEqual(
      delivered.map(pinned),
      delivered.map(({ length }) => length)
    )
    t.true(
      delivered.length === 7 &&
        delivered.every((payload) => payloads.some((one) => one.equals(payload)))
    )
  })

  test(`honors copyBlocks for a payload that is not cut: ${event}`, (t) => {
    const delivered = []
    const wire = greeted({ copyBlocks: true })
    wire.on(event, (...values) => delivered.push(pinned(values.at(-1))))
    const lengths = [1, 64, 4000, 16 * KIB]
    const messages = lengths.map((size) => encode(bytesOf({ size, fill: 99 })))
    deliver(wire, Buffer.concat(messages))
    t.deepEqual(delivered, lengths)
  })
}

/** Frames of some wire, two of which would share memory. */
const send = (wire) => {
  wire.interested()
  wire.have(5)
  wire.extended(1, Buffer.alloc(100))
}
const SENT = [frame(2), frame(4, 5), frame(20, Buffer.from([1]), Buffer.alloc(100))]

/** Ways in which output is queued, until `read` takes it. */
const WAITING = {
  'without a reader': () => {},
  paused(wire) {
    wire.on('data', () => {})
    wire.pause()
    wire.removeAllListeners('data')
  },
  'for the first turn of a pipe': (wire, sink) => wire.pipe(sink),
  async 'in a sink that takes nothing'(wire, sink) {
    wire.pipe(sink)
    await settled()
    wire.unchoke()
    sink.seen.length = 0
  }
}

for (const [name, start] of Object.entries(WAITING)) {
  for (const where of ['outside of a dispatch', 'in a listener']) {
    test(`keeps output queued ${name}, sent ${where}, in memory of its own`, async (t) => {
      const wire = greeted()
      const sink = new StuckSink()
      await start(wire, sink)
      if (where === 'in a listener') wire.once('choke', () => send(wire))
      else send(wire)
      wire.write(frame(0))
      await settled()
      if (sink.go === null) wire.pipe(sink)
      await settled()
      while (sink.go !== null) sink.step()
      t.true(Buffer.concat(sink.seen).equals(Buffer.concat(SENT)))
      t.deepEqual(
        sink.seen.map(pinned),
        sink.seen.map(({ length }) => length)
      )
    })
  }
}

/** A sink that takes one chunk, and the next one on demand. */
class StuckSink extends Writable {
  seen = []
  go = null

  _write(chunk, encoding, callback) {
    this.seen.push(chunk)
    this.go = callback
  }

  step() {
    const { go } = this
    this.go = null
    go()
  }
}

const busy = unchoked()
busy.resume()

/** Uses up the memory that wires, and Node, may share. */
const churn = () => {
  for (let n = 0; n < 3; n++) Buffer.allocUnsafe((Buffer.poolSize >>> 1) - 8)
  for (let n = 0; n < 10; n++) busy.piece(0, 0, Buffer.alloc(2000))
  const message = frame(20, Buffer.from([1]), Buffer.alloc(16 * KIB))
  for (let n = 0; n < 5; n++) deliver(busy, message, [10 * KIB])
}

/** Bytes outside of V8's heap that something still refers to: finalizers run between collections. */
const held = async () => {
  for (let n = 0; n < 3; n++) {
    collectGarbage()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await settled()
  }
  return process.memoryUsage().arrayBuffers
}

/** What happens to wires, and the most bytes outside of V8's heap that each keeps afterwards. */
const LIVES = {
  'received a handshake and a block': {
    live(wire) {
      wire.request(0, 0, 1000)
      deliver(wire, frame(7, 0, 0, Buffer.alloc(1000)), [600])
    }
  },
  'received a bitfield': { live: (wire) => deliver(wire, frame(5, Buffer.alloc(100))) },
  'ended with a bitfield': {
    most: 2 * KIB,
    live(wire) {
      deliver(wire, frame(5, Buffer.alloc(100)))
      wire.resume()
      wire.destroy()
    }
  },
  'have received part of a message': {
    most: 2 * KIB,
    live: (wire) => deliver(wire, frame(20, Buffer.alloc(500)).subarray(0, 100))
  },
  'have sent a message that nobody reads': { live: (wire) => wire.have(1) }
}

for (const [name, { live, most = KIB }] of Object.entries(LIVES)) {
  test.serial(`keeps little for wires that ${name}`, async (t) => {
    const wires = []
    churn()
    const before = await held()
    for (let n = 0; n < 1000; n++) {
      const wire = unchoked()
      live(wire)
      wires.push(wire)
      churn()
      // oxlint-disable-next-line no-await-in-loop -- wires that live one after the other
      if (n % 100 === 0) await settled()
    }
    const kept = ((await held()) - before) / wires.length
    t.true(kept < most, `${kept} bytes`)
  })
}
