// Which peers a native server shows: those that want a torrent that is served, as soon as that is known.
import { once } from 'node:events'
import test from 'ava'

import { HOST, connectRaw, dial, ending, serve } from '../testkit/native.mjs'
import { HANDSHAKE, pwp, settled } from '../testkit/wires.mjs'

const SERVED = Buffer.alloc(20, 1)
const OTHER = Buffer.alloc(20, 7)
const ID = Buffer.alloc(20, 2)
const HEX = SERVED.toString('hex')

const { Policy } = pwp.encryption

/** Options of a server that encrypts. */
const encrypted = (mode = 'prefer', more = {}) => ({
  infoHashes: HEX,
  encryption: { mode, ...more }
})

const handshakeFor = (infoHash) => Buffer.concat([HANDSHAKE.subarray(0, 28), infoHash, ID])

/** A server and the wires that it shows, with what each of them emits. */
const watch = async (t, options) => {
  const shown = []
  const server = await serve(t, options, (wire, infoHash) => {
    const log = []
    shown.push({ wire, infoHash, log })
    for (const name of ['encryption', 'info-hash', 'handshake', 'close'])
      wire.on(name, () => log.push(name))
  })
  return { server, shown }
}

const greet = (wire, infoHash = SERVED) => {
  wire.handshake(infoHash, ID)
  return wire
}

for (const [name, infoHashes] of [
  ['a string', HEX],
  ['bytes', SERVED],
  ['an array', [OTHER, SERVED]],
  ['a Set', new Set([HEX])],
  ['a function', (infoHash) => infoHash.equals(SERVED)]
]) {
  test(`shows a plain peer when its torrent is known, by ${name}`, async (t) => {
    const { server, shown } = await watch(t, {
      infoHashes: name === 'an array' ? [SERVED] : infoHashes
    })
    const socket = await connectRaw(t, server)
    const handshake = handshakeFor(SERVED)
    socket.write(handshake.subarray(0, 40))
    await settled()
    t.is(shown.length, 0)
    const heard = once(server, 'wire')
    socket.write(handshake.subarray(40, 48))
    await heard
    const [{ wire, infoHash, log }] = shown
    t.deepEqual(infoHash, SERVED)
    t.deepEqual(log, ['info-hash'], 'its listeners hear of the torrent')
    socket.write(handshake.subarray(48))
    await once(wire, 'handshake')
    t.deepEqual(log, ['info-hash', 'handshake'])
  })

  test(`closes a peer that wants another torrent without showing it, by ${name}`, async (t) => {
    const wanted = name === 'an array' ? [SERVED] : infoHashes
    const { server, shown } = await watch(t, { infoHashes: wanted })
    const refused = once(server, 'refuse')
    const socket = await connectRaw(t, server)
    const { localPort } = socket
    socket.write(handshakeFor(OTHER))
    const [error, place] = await refused
    t.is(error.code, 'ERR_PWP_INFO_HASH')
    t.like(place, { remoteAddress: HOST, remotePort: localPort, localPort: server.address().port })
    if (!socket.destroyed) await once(socket.resume(), 'close')
    t.is(shown.length, 0)
    t.is(server.connections, 0)
  })
}

test('follows a Set that changes', async (t) => {
  const infoHashes = new Set()
  const { server, shown } = await watch(t, { infoHashes })
  const refused = once(server, 'refuse')
  const early = greet(dial(t, server))
  t.is((await refused)[0].code, 'ERR_PWP_INFO_HASH')
  await ending(early)
  infoHashes.add(HEX)
  const heard = once(server, 'wire')
  greet(dial(t, server))
  await heard
  t.is(shown.length, 1)
})

for (const mode of ['accept', 'prefer', 'require']) {
  test(`mode ${mode}: shows an encrypted peer after the exchange, before its handshake`, async (t) => {
    const { server, shown } = await watch(t, encrypted(mode))
    const heard = once(server, 'wire')
    const wire = dial(t, server, {
      encryption: { role: 'initiator', mode: 'require', infoHash: SERVED }
    })
    await heard
    const [{ wire: other, infoHash, log }] = shown
    t.deepEqual(infoHash, SERVED)
    if (other.encryption === null) await once(other, 'encryption')
    t.like(other.encryption, { method: 'rc4', infoHash: SERVED })
    t.deepEqual(log, ['encryption'])
    greet(wire)
    await once(other, 'handshake')
    t.deepEqual(log, ['encryption', 'info-hash', 'handshake'])
    greet(other)
    await once(wire, 'handshake')
  })
}

test('closes an encrypted peer that wants another torrent without showing it', async (t) => {
  const { server, shown } = await watch(t, encrypted())
  const refused = once(server, 'refuse')
  const wire = dial(t, server, {
    encryption: { role: 'initiator', mode: 'require', infoHash: OTHER }
  })
  t.is((await refused)[0].code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
  await ending(wire)
  t.is(shown.length, 0)
})

test('shows a plain peer of a server that encrypts, unless that is required', async (t) => {
  const { server, shown } = await watch(t, encrypted('prefer'))
  const heard = once(server, 'wire')
  greet(dial(t, server))
  await heard
  const [{ wire, log }] = shown
  t.like(wire.encryption, { method: 'none' })
  if (!log.includes('handshake')) await once(wire, 'handshake')
  t.deepEqual(log, ['info-hash', 'handshake'])

  const strict = await watch(t, encrypted('require'))
  const refused = once(strict.server, 'refuse')
  greet(dial(t, strict.server))
  t.is((await refused)[0].code, 'ERR_PWP_ENCRYPTION_PLAIN')
  t.is(strict.shown.length, 0)
})

test('asks plain peers of a server for the torrents of its encryption, too', async (t) => {
  const { server, shown } = await watch(t, { encryption: { infoHashes: [HEX] } })
  const refused = once(server, 'refuse')
  greet(dial(t, server), OTHER)
  t.is((await refused)[0].code, 'ERR_PWP_INFO_HASH')
  const heard = once(server, 'wire')
  greet(dial(t, server))
  await heard
  t.is(shown.length, 1)
})

test('shows each peer at once where all torrents are served', async (t) => {
  const { server, shown } = await watch(t, {})
  const heard = once(server, 'wire')
  await connectRaw(t, server)
  await heard
  t.is(shown[0].infoHash, null)
})

test('tells of a peer that leaves before it is shown', async (t) => {
  const { server, shown } = await watch(t, { infoHashes: HEX })
  const refused = once(server, 'refuse')
  const socket = await connectRaw(t, server)
  socket.end()
  t.is((await refused)[0], null)
  const truncated = once(server, 'refuse')
  const other = await connectRaw(t, server)
  other.end(handshakeFor(SERVED).subarray(0, 30))
  t.is((await truncated)[0].code, 'ERR_PWP_TRUNCATED')
  t.is(shown.length, 0)
})

for (const [name, options] of [
  ['plain', { infoHashes: HEX }],
  ['encrypted', encrypted()],
  ['without torrents', {}]
]) {
  test(`${name}: bounds unfinished handshakes of an address, and of all`, async (t) => {
    const handshakePolicy = new Policy({ maxUnfinishedPerAddress: 2, timeout: 0 })
    const { server } = await watch(t, { ...options, handshakePolicy })
    await connectRaw(t, server)
    const second = await connectRaw(t, server)
    const refused = once(server, 'refuse')
    await connectRaw(t, server)
    t.like((await refused)[0], { code: 'ERR_PWP_TOO_MANY_HANDSHAKES_OF_ADDRESS', limit: 2 })
    t.is(handshakePolicy.unfinished, 2)
    // Another address has places of its own.
    await connectRaw(t, server, { localAddress: '127.0.0.2' })
    while (handshakePolicy.unfinished < 3) await settled() // oxlint-disable-line no-await-in-loop
    second.destroy()
    while (handshakePolicy.unfinished > 2) await settled() // oxlint-disable-line no-await-in-loop
    const wire = greet(dial(t, server))
    const [known] = await once(server, 'wire')
    if (name === 'without torrents') await once(known, 'info-hash')
    t.is(handshakePolicy.unfinished, 2, 'a known torrent leaves its place')
    t.false(wire.destroyed)
  })

  test(`${name}: bounds the time of a handshake`, async (t) => {
    const handshakePolicy = new Policy({ timeout: 50 })
    const policy = options.encryption ? { encryption: { ...options.encryption, timeout: 50 } } : {}
    const { server } = await watch(t, { ...options, ...policy, handshakePolicy })
    if (name === 'without torrents') {
      const heard = once(server, 'wire')
      await connectRaw(t, server)
      const [wire] = await heard
      t.like(await ending(wire), { code: 'ERR_PWP_HANDSHAKE_TIMEOUT', limit: 50 })
    } else {
      const refused = once(server, 'refuse')
      const socket = await connectRaw(t, server)
      t.regex((await refused)[0].code, /^ERR_PWP_(HANDSHAKE|ENCRYPTION)_TIMEOUT$/)
      if (!socket.destroyed) await once(socket.resume(), 'close')
    }
    while (handshakePolicy.unfinished > 0) await settled() // oxlint-disable-line no-await-in-loop
    t.is(server.connections, 0)
  })
}

test('counts an exchange that has cost keys in vain for longer', async (t) => {
  const handshakePolicy = new Policy({ penalty: 100_000, maxUnfinishedPerAddress: 1 })
  const { server } = await watch(t, { ...encrypted('require'), handshakePolicy })
  const refused = once(server, 'refuse')
  dial(t, server, { encryption: { role: 'initiator', mode: 'require', infoHash: OTHER } })
  t.is((await refused)[0].code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
  t.is(handshakePolicy.unfinished, 0)
  const again = once(server, 'refuse')
  await connectRaw(t, server)
  t.is((await again)[0].code, 'ERR_PWP_TOO_MANY_HANDSHAKES_OF_ADDRESS')
})

test('waits for no peer that was not shown when it closes', async (t) => {
  const { server, shown } = await watch(t, { infoHashes: HEX })
  await connectRaw(t, server)
  while (server.connections === 0) await settled() // oxlint-disable-line no-await-in-loop
  const closed = once(server, 'close')
  server.close()
  await closed
  t.is(shown.length, 0)
})

test('goes on after a listener of wire that throws', async (t) => {
  const { server } = await watch(t, { infoHashes: HEX })
  const errors = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => errors.push(error.message))
  try {
    const heard = once(server, 'wire')
    server.once('wire', () => {
      throw new Error('of a listener')
    })
    greet(dial(t, server))
    const [wire] = await heard
    if (wire.peerReserved === null) await once(wire, 'handshake')
    await settled()
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  t.deepEqual(errors, ['of a listener'])
})
