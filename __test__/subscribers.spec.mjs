// Subscribers of the diagnostics channels that subscribe in the middle of a chunk, or act on the wire.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, settled, unchoked } from '../testkit/wires.mjs'

const RECEIVED = 'peer-wire-native:message:received'
const SENT = 'peer-wire-native:message:sent'
const CLOSE = 'peer-wire-native:close'

const have = (piece) => frame(4, piece)

/** Messages of a peer, each with the name that listeners and subscribers record for it. */
const CHUNKS = {
  haves: Array.from({ length: 40 }, (_, piece) => ['have', have(piece)]),
  'blocks and requests': [0, 1, 2, 3].flatMap((piece) => [
    ['piece', frame(7, piece, 0, Buffer.alloc(9))],
    ['request', frame(6, piece, 0, 9)]
  ]),
  'all kinds': [
    ['have', have(1)],
    ['extended', frame(20, Buffer.from([1, 2]))],
    ['port', frame(9, Buffer.from([1, 2]))],
    ['have', have(2)],
    ['interested', frame(2)],
    ['have', have(3)],
    ['cancel', frame(8, 0, 0, 9)],
    ['have', have(4)]
  ]
}

/** A wire on which any of these messages is valid. */
const ready = () => {
  const wire = unchoked()
  wire.unchoke()
  for (const piece of [0, 1, 2, 3]) wire.request(piece, 0, 9)
  return wire
}

/** Subscribes, and returns a function that unsubscribes. */
const watch = (name, listener) => {
  subscribe(name, listener)
  return () => unsubscribe(name, listener)
}

for (const [what, messages] of Object.entries(CHUNKS)) {
  for (const at of [0, 1, 2, messages.length - 2]) {
    for (const sends of [false, true]) {
      const name = `${what} from the listener of number ${at}${sends ? ', with answers' : ''}`
      test.serial(`publishes each message after its listeners: ${name}`, (t) => {
        const wire = ready()
        const seen = []
        const stops = []
        const listen = () => {
          const index = seen.filter((entry) => entry.startsWith('listener')).length
          seen.push(`listener ${index}`)
          if (index === at) {
            stops.push(watch(RECEIVED, ({ frame: { kind } }) => seen.push(`<- ${kind}`)))
            stops.push(watch(SENT, ({ frame: { kind } }) => seen.push(`-> ${kind}`)))
          } else if (sends) {
            wire.port(1)
          }
        }
        for (const event of new Set(messages.map(([kind]) => kind))) wire.on(event, listen)
        wire.write(Buffer.concat(messages.map(([, bytes]) => bytes)))
        for (const stop of stops) stop()
        const expected = []
        for (const [index, [kind]] of messages.entries()) {
          expected.push(`listener ${index}`)
          if (index > at) expected.push(`<- ${kind}`)
          if (index > at && sends) expected.push('-> port')
        }
        t.deepEqual(seen, expected)
      })
    }
  }
}

test.serial(
  'publishes the messages after a callback, or the listener of another wire, that subscribes',
  (t) => {
    for (const isOther of [false, true]) {
      const wire = ready()
      const seen = []
      let stop = null
      const start = () => {
        stop = watch(RECEIVED, ({ wire: from, frame: { kind } }) => {
          if (from === wire) seen.push(`<- ${kind}`)
        })
      }
      const other = greeted()
      other.on('have', start)
      wire.request(7, 0, 9, () => {
        seen.push('callback')
        if (isOther) other.write(have(1))
        else start()
      })
      wire.on('have', (piece) => seen.push(`have ${piece}`))
      wire.write(Buffer.concat([have(1), frame(7, 7, 0, Buffer.alloc(9)), have(2), have(3)]))
      stop()
      t.deepEqual(seen, ['have 1', 'callback', 'have 2', '<- have', 'have 3', '<- have'])
    }
  }
)

test.serial(
  'keeps pieces and requests right after a subscription in the middle of a chunk',
  (t) => {
    const wire = ready()
    const answered = []
    wire.request(5, 0, 9, (error, block) => answered.push(error ?? block.length))
    let stop = null
    wire.once('have', () => {
      stop = watch(RECEIVED, () => {})
    })
    const delivered = []
    wire.on('request', (piece) => delivered.push(piece))
    const block = frame(7, 5, 0, Buffer.alloc(9))
    wire.write(Buffer.concat([have(1), have(2), block, frame(6, 8, 0, 9), have(3)]))
    stop()
    t.deepEqual(answered, [9])
    t.deepEqual(delivered, [8])
    t.deepEqual(Object.keys(wire.peerPieces), ['1', '2', '3'])
    t.is(wire.stats().received.messages.have, 3)
  }
)

const WAYS_TO_CLOSE = {
  'destroy()': (wire) => wire.destroy(),
  'destroy() in a listener': (wire) => {
    wire.once('have', () => wire.destroy())
    wire.write(Buffer.concat([have(1), have(2)]))
  },
  'a violation': (wire) => wire.write(frame(4)),
  'the end of the input': (wire) => wire.resume().end()
}

for (const [how, close] of Object.entries(WAYS_TO_CLOSE)) {
  test.serial(
    `delivers nothing that a subscriber writes when the wire closes by ${how}`,
    async (t) => {
      for (const bytes of [
        have(9),
        Buffer.concat([frame(6, 1, 0, 9), frame(7, 0, 0, Buffer.alloc(9))]),
        Buffer.concat([frame(0), frame(20, Buffer.from([1, 2])), frame(4)])
      ]) {
        const wire = ready()
        const late = []
        for (const name of ['have', 'request', 'piece', 'choke', 'extended', 'download']) {
          wire.on(name, () => wire.destroyed && late.push(name))
        }
        let closes = 0
        const stop = watch(CLOSE, ({ wire: closing }) => {
          if (closing !== wire) return
          closes++
          wire.write(bytes)
          wire.write(Uint8Array.from(bytes))
        })
        close(wire)
        await settled() // oxlint-disable-line no-await-in-loop
        stop()
        t.is(closes, 1)
        t.deepEqual(late, [])
        t.is(wire.peerRequests.length, 0)
      }
    }
  )
}
