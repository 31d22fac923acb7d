// Transfers between wires on sockets of each kind, plain and encrypted: the same users, the same counts.
import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'

import { randomFrom } from '../testkit/random.mjs'
import { HOST, connectRaw, dial, ending, listenRaw, nativePair, serve } from '../testkit/native.mjs'
import { SEED } from '../testkit/settings.mjs'
import { Transfer } from '../testkit/transfer.mjs'
import { HANDSHAKE, pwp, settled } from '../testkit/wires.mjs'

const INFO_HASH = Buffer.alloc(20, 1)
const PLAN = { inFlight: 20, blocks: 150, isFast: true, isExtended: true }

const ENCRYPTED = {
  dialing: { encryption: { role: 'initiator', mode: 'require' } },
  accepting: { infoHashes: INFO_HASH, encryption: { mode: 'require' } }
}

/** Pairs of wires by who owns their sockets. */
const PAIRS = {
  'native to native': (t, { dialing, accepting }) => pairByServer(t, dialing, accepting),
  async 'native to a stream'(t, { dialing, accepting }) {
    const server = await listenRaw(t)
    const wire = dial(t, server, dialing)
    const [socket] = await once(server, 'connection')
    return [wire, pwp.attach(socket, asResponder(accepting))]
  },
  async 'a stream to native'(t, { dialing, accepting }) {
    const server = await serve(t, accepting)
    const heard = once(server, 'wire')
    const wire = pwp.attach(await connectRaw(t, server), dialing)
    return accepting === undefined ? [wire, (await heard)[0]] : [wire, heard]
  }
}

const asResponder = (options) =>
  options && { ...options, encryption: { role: 'responder', ...options.encryption } }

/** A server that looks for torrents shows a wire only once the other one has said something. */
const pairByServer = async (t, dialing, accepting) => {
  if (accepting === undefined) return nativePair(t, dialing)
  const server = await serve(t, accepting)
  return [dial(t, server, dialing), once(server, 'wire')]
}

for (const [name, connect] of Object.entries(PAIRS)) {
  for (const [kind, options] of Object.entries({ plain: {}, encrypted: ENCRYPTED })) {
    test(`${name}, ${kind}: gives each request one answer, with the right bytes`, async (t) => {
      const [wire, other] = await connect(t, options)
      const random = randomFrom(SEED, name + kind)
      const transfers = [new Transfer(wire, random, PLAN)]
      transfers[0].greet()
      const second = other instanceof Promise ? (await other)[0] : other
      transfers.push(new Transfer(second, random, PLAN))
      transfers[1].greet()
      const isDone = () => transfers.every(({ counts }) => counts.asked >= PLAN.blocks)
      while (!isDone()) await settled() // oxlint-disable-line no-await-in-loop
      // Some requests are never answered: the end settles them.
      wire.destroy()
      await Promise.all([wire, second].map(ending))
      const isSettled = () => transfers.every(({ counts }) => counts.settled === counts.asked)
      while (!isSettled()) await settled() // oxlint-disable-line no-await-in-loop
      for (const { counts } of transfers) {
        t.like(counts, { repeated: 0, wrong: 0, garbled: 0 })
        t.true(counts.blocks > 50)
      }
      t.is(wire.error, null)
      t.is(second.error, null)
    })
  }
}

test('attach() makes a wire that ends with its socket, and says where it is connected', async (t) => {
  const server = await listenRaw(t)
  const { port } = server.address()
  const socket = net.connect({ host: HOST, port })
  const wire = pwp.attach(socket, { pieces: 9 })
  t.true(wire.connecting)
  t.is(wire.peerAddress, null)
  const heard = once(wire, 'connect')
  const [peer] = await once(server, 'connection')
  await heard
  t.false(wire.connecting)
  t.like(wire, { transport: 'stream', remoteAddress: HOST, remotePort: port, remoteFamily: 'IPv4' })
  t.is(wire.peerAddress, `${HOST}:${port}`)
  t.is(wire.localPort, peer.remotePort)
  peer.write(HANDSHAKE)
  await once(wire, 'handshake')
  wire.handshake(INFO_HASH, INFO_HASH)
  await wire.flushed()
  wire.destroy()
  let length = 0
  peer.on('data', (chunk) => {
    length += chunk.length
  })
  await once(peer, 'end')
  t.is(length, 68, 'what was sent still leaves')
  peer.end()
})

test('attach() passes errors of the socket on, and refuses what is none', async (t) => {
  const server = await listenRaw(t)
  const wire = pwp.attach(net.connect({ host: HOST, port: server.address().port }))
  const [peer] = await once(server, 'connection')
  peer.resetAndDestroy()
  t.like(await ending(wire), { code: 'ECONNRESET' })
  for (const socket of [undefined, {}, 'socket']) {
    t.throws(() => pwp.attach(socket), { instanceOf: TypeError })
  }
  const socket = net.connect({ host: HOST, port: server.address().port })
  t.teardown(() => socket.destroy())
  t.throws(() => pwp.attach(socket, { pieces: -1 }), { instanceOf: RangeError })
  t.is(socket.listenerCount('close'), 0, 'it is left alone')
})

test('fetches metadata over native sockets', async (t) => {
  const info = Buffer.from(
    `d6:lengthi5e4:name5:hello12:piece lengthi16384e6:pieces20:${'a'.repeat(20)}e`
  )
  const { createHash } = await import('node:crypto')
  const infoHash = createHash('sha1').update(info).digest()
  const [wire, other] = await nativePair(t)
  for (const one of [wire, other]) one.handshake(infoHash, INFO_HASH)
  const fetched = wire.metadata()
  other.once('handshake', () => other.serveMetadata(info))
  if (other.peerReserved !== null) other.serveMetadata(info)
  t.true((await fetched).equals(info))
})
