// Rows about many loopback connections: concurrent ones with blocks both ways, and short ones. Cold is the
// first work of a process, warm the second half of it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { inTurn, stopwatch } from '../drive.mjs'
import {
  BLOCK_LEN,
  extended,
  handshake,
  HANDSHAKE_LEN,
  INFO_HASH,
  PEER_ID
} from '../../../testkit/frames.mjs'
import { BARE, EXTENDED_HANDSHAKE, libraryNames } from '../libraries.mjs'
import { startPeer } from '../peers/serve.mjs'
import { connect, FEW_OUTSTANDING, giveBlocks, join, takeBlocks, tapesOf } from './blocks.mjs'
import { exchangeFrames } from './tcp-bare.mjs'

const sides = [...libraryNames, BARE]
const metricsIn = (unit) => [
  { key: 'cold', part: 'cold', unit },
  { key: 'warm', part: 'warm', unit }
]

const busy = {
  name: '200 connections, 100 MB each way',
  metrics: metricsIn('ms/GB'),
  sides,
  fresh: true,
  rounds: 7,
  warmups: 1,
  async prepare({ library, quick }) {
    const task = { connections: quick ? 20 : 200, count: 32, outstanding: FEW_OUTSTANDING }
    return {
      peer: await startPeer('exchange'),
      tapes: tapesOf(library),
      task,
      times: quick ? 3 : 9
    }
  },
  run: exchangeOften,
  check({ exchanges }, { task: { connections, count } }) {
    const expected = { count, wrong: 0 }
    const total = connections * count
    for (const { outcomes, report } of exchanges) {
      for (const { taken, given } of outcomes) {
        assert.deepEqual(taken, expected, 'blocks that a connection took')
        assert.deepEqual(given, expected, 'blocks that a connection gave')
      }
      assert.deepEqual(report, { taken: total, given: total, wrong: 0 }, 'blocks of the far end')
    }
  }
}

const short = {
  name: 'short connections',
  metrics: metricsIn('us/connection'),
  sides,
  fresh: true,
  rounds: 7,
  warmups: 0,
  async prepare({ quick }) {
    const connections = quick ? 100 : 1_000
    return { peer: await startPeer('greeter'), connections, atOnce: 20, times: quick ? 3 : 9 }
  },
  run: comeAndGoOften,
  check({ visits }, { connections }) {
    for (const { outcome, report } of visits) {
      assert.deepEqual(outcome, { handshakes: connections, extended: connections })
      assert.deepEqual(report, { connections, wrong: 0 }, 'connections of the far end')
    }
  }
}

export const rows = [busy, short]

async function exchangeOften(context, { times, ...state }) {
  const exchanges = await inTurn(Array(times), () => exchange(context, state))
  const gigabytes = (2 * state.task.connections * state.task.count * BLOCK_LEN) / 1e9
  return { values: coldAndWarm(exchanges, 1000 / gigabytes), exchanges }
}

/** The first value and the mean of the second half, in the unit of the row. */
function coldAndWarm(parts, perSecond) {
  const costs = parts.map(({ seconds }) => seconds * perSecond)
  const later = costs.slice(Math.ceil(costs.length / 2))
  const sum = later.reduce((total, cost) => total + cost, 0)
  return { cold: costs[0], warm: sum / later.length }
}

/** Runs all connections at once. The clock runs until the far end has its blocks too. */
async function exchange({ library, warmup }, { peer, tapes, task }) {
  const { report } = await peer.begin(task)
  const act = library.create ? exchangeBlocks : exchangeFrames
  const elapsed = stopwatch()
  const sockets = Array.from({ length: task.connections }, () => connect(peer.port))
  const outcomes = await Promise.all(
    sockets.map((socket) => act(socket, { ...task, ...tapes, library, compare: warmup }))
  )
  const result = await report
  const seconds = elapsed()
  for (const socket of sockets) socket.destroy()
  return { seconds, outcomes, report: result }
}

/** Settles when all blocks are received; `given` may still grow. */
async function exchangeBlocks(socket, { library, ...task }) {
  const wire = library.create()
  join(socket, wire)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
  wire.unchoke()
  const given = giveBlocks(wire, task)
  return { taken: await takeBlocks(wire, task), given }
}

async function comeAndGoOften(context, { times, ...state }) {
  const visits = await inTurn(Array(times), () => comeAndGo(context, state))
  return { values: coldAndWarm(visits, 1e6 / state.connections), visits }
}

/** Keeps `atOnce` connections open until enough were made. The clock runs until all are closed. */
async function comeAndGo({ library }, { peer, connections, atOnce }) {
  const hello = helloOf()
  const { report } = await peer.begin({
    connections,
    answer: hello.toString('base64'),
    expected: hello.toString('base64')
  })
  const outcome = { handshakes: 0, extended: 0 }
  const act = library.create ? greet : greetBare
  let left = connections
  const elapsed = stopwatch()
  await Promise.all(Array.from({ length: atOnce }, lane))
  const seconds = elapsed()
  return { seconds, outcome, report: await report }

  async function lane() {
    while (left-- > 0) {
      const socket = connect(peer.port)
      act(socket, { library, outcome, hello })
      // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
      await once(socket, 'close')
    }
  }
}

/** Both ends send the same: a handshake with the extension bit, and an extended handshake. */
function helloOf() {
  const start = handshake()
  start[25] |= 0x10
  const { m, v } = EXTENDED_HANDSHAKE
  const ids = Object.entries(m).map(([name, id]) => `${name.length}:${name}i${id}e`)
  const dictionary = Buffer.from(`d1:md${ids.join('')}e1:v${v.length}:${v}e`)
  return Buffer.concat([start, extended(0, dictionary)])
}

function greet(socket, { library, outcome }) {
  const wire = library.create()
  join(socket, wire)
  wire.on('handshake', () => {
    outcome.handshakes++
    library.greet(wire)
  })
  wire.on('extended', () => {
    outcome.extended++
    wire.destroy()
  })
  wire.handshake(INFO_HASH, PEER_ID)
}

/** Sends the second part once the first has arrived, and ends once all has arrived. */
function greetBare(socket, { outcome, hello }) {
  let bytes = 0
  socket.write(hello.subarray(0, HANDSHAKE_LEN))
  socket.on('data', (chunk) => {
    if (bytes < HANDSHAKE_LEN && bytes + chunk.length >= HANDSHAKE_LEN) {
      outcome.handshakes++
      socket.write(hello.subarray(HANDSHAKE_LEN))
    }
    bytes += chunk.length
    if (bytes < hello.length) return
    outcome.extended++
    socket.end()
  })
}
