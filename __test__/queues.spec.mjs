// Long queues of requests: the work is proportional to their length, in any order of settling.
import test from 'ava'

import { chunksOf, shuffled } from '../testkit/frames.mjs'
import { frame } from '../testkit/messages.mjs'
import { greeted, unchoked } from '../testkit/wires.mjs'

/** Our requests that are open at once. */
const OURS = 10_000

/** Unanswered requests of the peer at once. */
const OF_PEER = 2000

/** Number of short queues that together hold as many requests as a long one. */
const PARTS = 50

/** Most time of a long queue, relative to the short ones: with quadratic work it would be 50. */
const MOST_GROWTH = 20

/** Runs, of which the fastest counts. */
const RUNS = 3

const LENGTH = 4
const BLOCK = Buffer.alloc(LENGTH)

const ORDERS = {
  'oldest first': (count) => Array.from({ length: count }, (_, n) => n),
  'newest first': (count) => Array.from({ length: count }, (_, n) => count - 1 - n),
  'in random order': (count) => shuffled(count)
}

/** Each prepares a wire and returns the function to time, which returns how many requests are left. */
const WAYS = {
  'requests are answered': [
    OURS,
    (order) => {
      const wire = asking(order)
      return feeding(wire, wire.requests, order, (n) => frame(7, n, 0, BLOCK))
    }
  ],
  'requests are cancelled': [
    OURS,
    (order) => {
      const wire = asking(order)
      return () => {
        for (const n of order) wire.cancel(n, 0, LENGTH)
        return wire.requests.length
      }
    }
  ],
  'requests of the peer are answered': [
    OF_PEER,
    (order) => {
      const { wire, responds } = asked(order)
      return () => {
        for (const n of order) responds[n](null, BLOCK)
        return wire.peerRequests.length
      }
    }
  ],
  'requests of the peer are cancelled': [
    OF_PEER,
    (order) => {
      const { wire } = asked(order)
      return feeding(wire, wire.peerRequests, order, (n) => frame(8, n, 0, LENGTH))
    }
  ]
}

for (const [way, [count, prepare]] of Object.entries(WAYS)) {
  for (const [name, orderOf] of Object.entries(ORDERS)) {
    test.serial(`${way} ${name} in proportional time`, (t) => {
      const [short, long] = [PARTS, 1].map((parts) => {
        const orders = Array.from({ length: parts }, () => orderOf(count / parts))
        return quickest(t, () => orders.map((order) => prepare(order)))
      })
      t.true(long < short * MOST_GROWTH, `${short} ms and ${long} ms`)
    })
  }
}

const asking = (order) => {
  const wire = unchoked()
  wire.resume()
  for (let n = 0; n < order.length; n++) wire.request(n, 0, LENGTH)
  return wire
}

const asked = (order) => {
  const wire = greeted()
  wire.resume()
  wire.unchoke()
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push(respond))
  wire.write(Buffer.concat(order.map((_, n) => frame(6, n, 0, LENGTH))))
  return { wire, responds }
}

const feeding = (wire, open, order, frameAt) => {
  const chunks = chunksOf(Buffer.concat(order.map(frameAt)), 64 * 1024)
  return () => {
    for (const chunk of chunks) wire.write(chunk)
    return open.length
  }
}

/** In ms of CPU time of this process, which other processes disturb little. */
const quickest = (t, prepare) => {
  const times = Array.from({ length: RUNS }, () => {
    const settles = prepare()
    const begin = process.cpuUsage()
    for (const settle of settles) t.is(settle(), 0)
    const { user, system } = process.cpuUsage(begin)
    return (user + system) / 1000
  })
  return Math.min(...times)
}
