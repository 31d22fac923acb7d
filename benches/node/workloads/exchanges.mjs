// Rows about key exchanges: what one costs, what a peer can make us spend, and how long many at once stop us.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { inTurn, loopStopwatch, stopwatch } from '../drive.mjs'
import { encryption, pipe, RESPONDER } from '../../../testkit/encryption.mjs'
import { startPeer } from '../peers/serve.mjs'
import { agree, ENCRYPTING, start } from './agreements.mjs'
import { connect, join } from './blocks.mjs'

const rate = { key: 'rate', unit: 'exchanges/s', isRate: true }
const loop = { key: 'loop', part: 'event loop', unit: 'us/exchange' }

/** Fewer for bittorrent-protocol, which takes as long for them. */
const countFor = ({ library, quick }, count) => {
  const own = library.name === 'ours' ? count : count / 50
  return quick ? own / 10 : own
}

const keyExchange = {
  name: 'key exchange, both ends',
  metrics: [rate, loop],
  sides: ENCRYPTING,
  prepare: (context) => ({ count: countFor(context, 1000) }),
  async run({ library }, { count }) {
    const measured = measureExchanges(count)
    const ends = await inTurn(Array(count), () => agree(library))
    const values = measured()
    for (const { close } of ends) close()
    return { values, methods: ends.map(({ method }) => method) }
  },
  check({ methods }, { count }) {
    assert.deepEqual(methods, Array(count).fill('rc4'))
  }
}

const wasted = {
  name: 'key and nothing else from a peer',
  metrics: [rate, loop],
  sides: ENCRYPTING,
  prepare: (context) => ({ count: countFor(context, 1000) }),
  async run({ library }, { count }) {
    const act = library.name === 'ours' ? wasteStream : wasteWire
    const measured = measureExchanges(count)
    const answers = await inTurn(Array(count), () => act(library))
    return { values: measured(), answers }
  },
  check({ answers }, { count }) {
    assert.equal(answers.length, count)
    for (const length of answers) assert.ok(length >= KEY_LEN, 'bytes of an answer')
  }
}

/** All keys come at the same time, over loopback. */
const atOnce = {
  name: '100 exchanges at once, longest stop',
  metrics: [{ key: 'stop', unit: 'ms' }],
  sides: ENCRYPTING,
  fresh: true,
  rounds: 5,
  warmups: 0,
  async prepare({ quick }) {
    return { peer: await startPeer('initiators'), connections: quick ? 20 : 100 }
  },
  async run({ library }, { peer, connections }) {
    const { report } = await peer.begin({ connections })
    const sockets = Array.from({ length: connections }, () => connect(peer.port))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    const act = library.name === 'ours' ? respondByStream : respondByWire
    const agreed = Promise.all(sockets.map((socket) => act(socket, library)))
    const stop = await longestStop(agreed)
    const methods = await agreed
    for (const socket of sockets) socket.destroy()
    return { values: { stop: stop * 1000 }, methods, report: await report }
  },
  check({ methods, report }, { connections }) {
    assert.deepEqual(methods, Array(connections).fill('rc4'))
    assert.deepEqual(report, { agreed: connections })
  }
}

export const rows = [keyExchange, wasted, atOnce]

const KEY_LEN = 96
/** A key of a peer: any number in the middle of those that there are. */
const KEY = Buffer.alloc(KEY_LEN, 0x5a)

/** Each end of an exchange counts only itself. */
const policy = new encryption.Policy({ maxUnfinished: 1e6, maxUnfinishedPerAddress: 1e6 })

function measureExchanges(count) {
  const [elapsed, loopElapsed] = [stopwatch(), loopStopwatch()]
  return () => ({ rate: count / elapsed(), loop: (loopElapsed() * 1e6) / count })
}

/** @returns {Promise<number>} bytes of the answer */
async function wasteStream() {
  const [near, far] = pipe()
  const stream = encryption.wrap(near, { ...RESPONDER, policy })
  far.write(KEY)
  const [answer] = await once(far, 'data')
  const closed = once(stream, 'close')
  stream.destroy()
  await closed
  return answer.length
}

async function wasteWire({ encrypting }) {
  const { wire } = start(encrypting, 'responder')
  wire.write(KEY)
  const [answer] = await once(wire, 'data')
  wire.destroy()
  return answer.length
}

async function respondByStream(socket) {
  const stream = encryption.wrap(socket, { ...RESPONDER, mode: 'require', policy })
  const [{ method }] = await once(stream, 'encryption')
  return method
}

function respondByWire(socket, { encrypting }) {
  const { wire, agreed } = start(encrypting, 'responder')
  join(socket, wire)
  return agreed
}

/** @returns {Promise<number>} seconds of the longest turn of the event loop until then */
function longestStop(done) {
  let longest = 0
  return new Promise((resolve, reject) => {
    let isOver = false
    const end = () => {
      isOver = true
    }
    done.then(end, reject)
    next()

    function next() {
      const elapsed = stopwatch()
      setImmediate(() => {
        longest = Math.max(longest, elapsed())
        if (isOver) resolve(longest)
        else next()
      })
    }
  })
}
