// One random case over TCP: concurrent connections whose ends misbehave in every way.
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { randomFrom } from '../../testkit/random.mjs'
import { settled } from '../../testkit/wires.mjs'
import { HostileEnd, WireEnd } from './ends.mjs'
import { NativeEnd } from './native-end.mjs'

/** Of the handshakes of all wires. */
const INFO_HASH = '01'.repeat(20)

/** Resources that may remain, as the process itself has them. */
const SHARED = /^(PipeWrap|Pipe|TTYWrap)$/

/** Turns of the event loop after which closed handles must be gone. */
const MAX_TURNS = 100

/**
 * @param {number} seed
 * @param {Function} createWire
 * @returns {Promise<{problems: string[], trace: string[]}>}
 */
export const runSocketCase = (seed, createWire) =>
  runCase((random) => connectAll(seed, random, createWire), randomFrom(seed, 'socket'))

/**
 * The same with native wires, which have their sockets themselves.
 *
 * @param {number} seed
 * @param {import('../../index.js')} pwp
 * @returns {Promise<{problems: string[], trace: string[]}>}
 */
export const runNativeCase = (seed, pwp) =>
  runCase((random) => connectNatively(seed, random, pwp), randomFrom(seed, 'native'))

async function runCase(connect, random) {
  const problems = []
  const surface = (error) => problems.push(`uncaught ${error?.stack}`)
  process.on('uncaughtException', surface)
  try {
    const ends = await connect(random)
    const left = await leftBehind()
    if (left.length > 0) problems.push(`left behind: ${left}`)
    return { problems: [...problems, ...check(ends)], trace: ends.map(({ trace }) => trace) }
  } finally {
    process.removeListener('uncaughtException', surface)
  }
}

/** Checks what must hold at every end. */
function check(ends) {
  const isPeerValid = ends.every((end) => end instanceof WireEnd)
  return ends.flatMap((end) => end.check(isPeerValid).map((what) => `${end.trace}: ${what}`))
}

/** What still keeps the process alive some turns after everything is closed. */
async function leftBehind(turns = MAX_TURNS) {
  await settled()
  const left = process.getActiveResourcesInfo().filter((name) => !SHARED.test(name))
  return left.length > 0 && turns > 0 ? leftBehind(turns - 1) : left
}

/**
 * One server with some clients; which client an accepted socket belongs to is left to chance.
 *
 * @returns {Promise<(WireEnd | HostileEnd)[]>} all ends, when all their sockets have closed
 */
async function connectAll(seed, random, createWire) {
  const isHostile = random.chance(0.6)
  const options = { allowHalfOpen: random.chance(0.5), pauseOnConnect: random.chance(0.2) }
  const ends = []
  const open = (name, socket, mayBeHostile) => {
    const dice = randomFrom(seed, name)
    const End = mayBeHostile && dice.chance(0.8) ? HostileEnd : WireEnd
    ends.push(new End(name, socket, dice, createWire))
  }
  let accepted = 0
  const server = net.createServer(options, (socket) => open(`server ${accepted++}`, socket, false))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  for (let index = random.pick([1, 1, 2, 5, 30]); index > 0; index--) {
    open(`client ${index}`, net.connect({ port, host: '127.0.0.1', ...options }), isHostile)
  }
  await sleep(random.pick([5, 20, 60, 150]))
  await Promise.all([once(server.close(), 'close'), ...ends.map(({ socket }) => closed(socket))])
  return ends
}

async function connectNatively(seed, random, pwp) {
  const isHostile = random.chance(0.6)
  const isEncrypted = random.chance(0.3)
  const ends = []
  let accepted = 0
  const open = (name, wire) => ends.push(new NativeEnd(name, wire, randomFrom(seed, name)))
  const mode = random.pick(['require', 'prefer'])
  const server = pwp.createServer(
    {
      uploadBacklog: random.pick([0, 20_000, 2 ** 20]),
      ...(isEncrypted && {
        infoHashes: INFO_HASH,
        encryption: { role: 'responder', mode: 'prefer' }
      })
    },
    (wire) => open(`server ${accepted++}`, wire)
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const to = { port: server.address().port, host: '127.0.0.1' }
  for (let index = random.pick([1, 1, 2, 5, 30]); index > 0; index--) {
    const name = `client ${index}`
    const dice = randomFrom(seed, name)
    if (isHostile && dice.chance(0.8)) ends.push(new HostileEnd(name, net.connect(to), dice))
    else
      open(
        name,
        pwp.connect({ ...to, ...(isEncrypted && { encryption: { role: 'initiator', mode } }) })
      )
  }
  await sleep(random.pick([5, 20, 60, 150]))
  const serverClosed = once(server.close(), 'close')
  await Promise.all(ends.map(({ socket }) => closed(socket)))
  await serverClosed
  return ends
}

/** Destroys a socket that is still open. */
function closed(socket) {
  if (socket.closed) return null
  socket.destroy()
  return new Promise((resolve) => socket.on('close', resolve))
}
