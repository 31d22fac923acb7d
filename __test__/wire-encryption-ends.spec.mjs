// How wires with the option `encryption` end: in each phase, by either side, in listeners, in time and by limits.
import test from 'ava'

import { PEER_IDS, exchange, initiator, makePair, responder } from '../testkit/encrypted-wires.mjs'
import { INFO_HASH, encryption, randomness, withRandomness } from '../testkit/encryption.mjs'
import { FakeClock } from '../testkit/fake-clock.mjs'
import { bytesOf } from '../testkit/messages.mjs'
import { HANDSHAKE, pwp, record, settled } from '../testkit/wires.mjs'

const KIB = 1024
const KEY = Buffer.alloc(96, 0x55)
const SIDES = { initiator, responder }

/** A wire whose exchange waits for the peer. */
const waiting = (role, own, options) => {
  const wire = SIDES[role](own, options)
  if (role === 'initiator') wire.handshake(INFO_HASH, PEER_IDS[0])
  return wire
}

/** A pair whose exchange is over, and whose handshakes are read. */
const connected = (own, options) => {
  const pair = [initiator(own, options), responder(own, options)]
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  pair[1].handshake(INFO_HASH, PEER_IDS[1])
  exchange(pair)
  return pair
}

/** Reads everything, so that the wire ends, and what it ended with. */
const ended = async (wire) => {
  wire.resume()
  await settled()
  await settled()
  return wire.error?.code ?? null
}

const withPads = (act) =>
  withRandomness(
    [3, 5].map((fill) =>
      randomness({
        privateKey: Buffer.alloc(20, fill),
        keyPad: Buffer.alloc(4),
        methodPad: Buffer.alloc(2)
      })
    ),
    act
  )

/** All that the other side sends up to its handshake, from which each side can be cut off. */
const sentBy = (role) =>
  withPads(() => {
    const pair = makePair()
    const sent = [[], []]
    pair[0].handshake(INFO_HASH, PEER_IDS[0])
    for (let n = 0; n < 3; n++) {
      for (const side of [0, 1]) {
        const bytes = pair[side].read()
        if (bytes === null) continue
        sent[side].push(bytes)
        pair[1 - side].write(bytes)
      }
    }
    return Buffer.concat(sent[role === 'initiator' ? 0 : 1])
  })

// Ends of the peer

test('a peer that ends within the exchange is an error that says how far it got', async (t) => {
  for (const [role, other] of [
    ['initiator', 'responder'],
    ['responder', 'initiator']
  ]) {
    const bytes = sentBy(other)
    for (let length = 0; length < bytes.length; length++) {
      const wire = withPads(() => {
        // The keys of the first are those of the initiator.
        if (role === 'responder') initiator().handshake(INFO_HASH, PEER_IDS[0])
        const made = waiting(role)
        made.write(bytes.subarray(0, length))
        return made
      })
      const seen = record(wire, ['error', 'close', 'encryption'])
      wire.end()
      // A responder has not begun before anything has come.
      const isNothing = role === 'responder' && length === 0
      const expected = length < 96 ? 'ERR_PWP_ENCRYPTION_REFUSED' : 'ERR_PWP_ENCRYPTION_TRUNCATED'
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.is(await ended(wire), isNothing ? null : expected, `${role}, ${length} bytes`)
      t.deepEqual(seen, isNothing ? ['close'] : ['error', 'close'])
    }
  }
})

test('a peer that ends after the exchange ends as in clear text', async (t) => {
  for (const [tail, expected] of [
    [0, null],
    [3, 'ERR_PWP_TRUNCATED']
  ]) {
    const [a, b] = connected()
    b.interested()
    const bytes = b.read()
    a.write(bytes.subarray(0, tail === 0 ? 5 : tail))
    a.end()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.is(await ended(a), expected)
    t.is(a.encryption.method, 'rc4')
  }
})

test('what was sent before an end of the peer still leaves, enciphered', async (t) => {
  const [a, b] = connected()
  const seen = record(b, ['interested', 'have'])
  const chunks = []
  a.on('data', (chunk) => chunks.push(chunk))
  a.interested()
  a.have(3)
  a.end()
  await settled()
  for (const chunk of chunks) b.write(chunk)
  t.deepEqual(seen, ['interested', 'have'])
})

test('a wire that ends itself during the exchange sends nothing more, and has no error', async (t) => {
  for (const role of Object.keys(SIDES)) {
    const wire = waiting(role)
    wire.write(KEY)
    const sent = wire.read()
    wire.interested()
    wire.destroy()
    t.true(wire.destroyed)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.is(await ended(wire), null)
    t.false(sent.includes('BitTorrent'))
    t.is(wire.read(), null)
  }
})

test('a request that waits for the exchange gets an error when it fails', async (t) => {
  const wire = waiting('responder', { mode: 'require' })
  const errors = []
  wire.peerChoking = false
  wire.request(0, 0, 5, (error) => errors.push(error))
  wire.write(HANDSHAKE)
  await ended(wire)
  t.is(errors.length, 1)
  t.is(errors[0], wire.error)
  t.is(wire.error.code, 'ERR_PWP_ENCRYPTION_PLAIN')
})

// Listeners

for (const role of Object.keys(SIDES)) {
  test(`an ${role} may be destroyed when it is settled what is encrypted`, async (t) => {
    const pair = makePair()
    const side = role === 'initiator' ? 0 : 1
    const seen = record(pair[side], ['handshake', 'close', 'error'])
    pair[side].on('encryption', () => pair[side].destroy())
    pair[0].handshake(INFO_HASH, PEER_IDS[0])
    pair[1].handshake(INFO_HASH, PEER_IDS[1])
    exchange(pair)
    t.is(await ended(pair[side]), null)
    t.deepEqual(seen, ['close'])
    t.is(pair[side].encryption.method, 'rc4')
  })

  test(`an ${role} may be destroyed by each reader of its output`, async (t) => {
    for (let place = 0; place < 4; place++) {
      const pair = makePair()
      const side = role === 'initiator' ? 0 : 1
      const other = pair[1 - side]
      const seen = record(pair[side], ['close', 'error'])
      let left = place
      pair[side].on('data', (chunk) => {
        if (left-- === 0) pair[side].destroy()
        other.write(chunk)
      })
      other.on('data', (chunk) => {
        if (!pair[side].destroyed) pair[side].write(chunk)
      })
      pair[0].handshake(INFO_HASH, PEER_IDS[0])
      pair[1].handshake(INFO_HASH, PEER_IDS[1])
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await settled()
      if (!pair[side].destroyed) pair[side].destroy()
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.is(await ended(pair[side]), null)
      t.deepEqual(seen, ['close'])
    }
  })
}

test('a listener may send, and what throws in it is thrown later', async (t) => {
  const pair = makePair()
  const seen = record(pair[0], ['encryption', 'handshake', 'unchoke'])
  pair[1].on('encryption', () => {
    pair[1].handshake(INFO_HASH, PEER_IDS[1])
    pair[1].unchoke()
  })
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  exchange(pair)
  t.deepEqual(seen, ['encryption', 'handshake', 'unchoke'])
  await settled()
})

test('a wire may be destroyed while a torrent is looked up, and when it is answered', async (t) => {
  for (const isAsync of [false, true]) {
    let wire = null
    let answer = null
    const infoHashes = () => {
      if (!isAsync) wire.destroy()
      return isAsync ? new Promise((resolve) => (answer = resolve)) : INFO_HASH
    }
    wire = responder({ infoHashes }, { infoHashes: null })
    const pair = [initiator(), wire]
    const seen = record(wire, ['encryption', 'handshake', 'close', 'error'])
    pair[0].handshake(INFO_HASH, PEER_IDS[0])
    exchange(pair)
    if (isAsync) {
      wire.destroy()
      answer(INFO_HASH)
    }
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.is(await ended(wire), null)
    t.deepEqual(seen, ['close'])
    t.true(wire.writableFinished)
  }
})

test('an end of the peer waits for the answer about its torrent', async (t) => {
  let answer = null
  const infoHashes = () => new Promise((resolve) => (answer = resolve))
  const pair = [initiator(), responder({ infoHashes }, { infoHashes: null })]
  const seen = record(pair[1], ['encryption', 'handshake', 'close', 'error'])
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  exchange(pair)
  pair[1].end()
  await settled()
  t.deepEqual(seen, [])
  answer(INFO_HASH)
  t.is(await ended(pair[1]), null)
  t.deepEqual(seen, ['encryption', 'handshake', 'close'])
})

test('memory of a chunk that is taken away while a torrent is looked up is an error', async (t) => {
  let answer = null
  const infoHashes = () => new Promise((resolve) => (answer = resolve))
  const pair = [initiator(), responder({ infoHashes }, { infoHashes: null })]
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  pair[1].write(pair[0].read())
  pair[0].write(pair[1].read())
  const bytes = pair[0].read()
  const chunk = new Uint8Array(new ArrayBuffer(bytes.length))
  chunk.set(bytes)
  pair[1].write(chunk)
  structuredClone(chunk.buffer, { transfer: [chunk.buffer] })
  answer(INFO_HASH)
  await settled()
  t.is(pair[1].error.code, 'ERR_PWP_MEMORY_CHANGED')
})

test('memory of a block that is taken away before it is sent is an error', async (t) => {
  const [a, b] = connected()
  b.unchoke()
  const block = new Uint8Array(16 * KIB)
  b.on('request', (piece, offset, length, respond) => {
    respond(null, block)
    structuredClone(block.buffer, { transfer: [block.buffer] })
  })
  exchange([a, b])
  a.request(0, 0, 16 * KIB, () => {})
  exchange([a, b])
  t.is(await ended(b), 'ERR_PWP_MEMORY_CHANGED')
})

// Hostile peers

test('random bytes end with a typed error, and nothing in clear text has left', async (t) => {
  for (const role of Object.keys(SIDES)) {
    for (const size of [1, 96, 700, 2000, 40 * KIB]) {
      const wire = waiting(role, { mode: 'prefer' })
      const sent = []
      wire.on('data', (chunk) => sent.push(chunk))
      wire.write(bytesOf({ size, fill: 7 }))
      wire.end()
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.regex(await ended(wire), /^ERR_PWP_ENCRYPTION_/, `${role}, ${size} bytes`)
      t.false(Buffer.concat(sent).includes('BitTorrent'))
    }
  }
})

test('a changed byte of the exchange fails, or is of a pad', async (t) => {
  const bytes = sentBy('initiator')
  let failed = 0
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] ^= 0x80
    const wire = withPads(() => {
      initiator().handshake(INFO_HASH, PEER_IDS[0])
      const made = responder()
      made.write(changed)
      return made
    })
    const isSettled = wire.encryption !== null
    wire.end()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const code = await ended(wire)
    if (!isSettled) t.regex(code, /^ERR_PWP_ENCRYPTION_/, `byte ${at}`)
    if (!isSettled) failed++
  }
  t.true(failed > 96)
})

// Limits

const { Policy } = encryption

test('the policy limits bytes before the exchange is over', (t) => {
  const bytes = sentBy('initiator')
  for (const maxBytes of [95, 96, 150]) {
    const wire = responder({ policy: new Policy({ maxBytes }) })
    wire.write(bytes)
    t.is(wire.error?.code, 'ERR_PWP_ENCRYPTION_TOO_LONG', `${maxBytes} bytes`)
    t.is(wire.error.limit, maxBytes)
  }
})

test('the policy counts responders from their first byte until the exchange is over', (t) => {
  const policy = new Policy({ maxUnfinished: 2 })
  const wires = [1, 2, 3].map(() => responder({ policy }))
  t.is(policy.unfinished, 0)
  for (const wire of wires) wire.write(KEY.subarray(0, 1))
  t.is(policy.unfinished, 2)
  t.deepEqual(
    wires.map((wire) => wire.error?.code ?? null),
    [null, null, 'ERR_PWP_ENCRYPTION_TOO_MANY']
  )
  wires[0].destroy()
  t.is(policy.unfinished, 1)
  const pair = makePair({}, { policy })
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  exchange(pair)
  t.is(pair[1].encryption.method, 'rc4')
  t.is(policy.unfinished, 1)
  wires[1].destroy()
  t.is(policy.unfinished, 0)
})

test('the policy counts those of an address: that of the option, or of the stream', async (t) => {
  const policy = new Policy({ maxUnfinishedPerAddress: 1 })
  const { PassThrough } = await import('node:stream')
  const run = async (address, remoteAddress) => {
    const source = Object.assign(new PassThrough(), { remoteAddress })
    const wire = responder({ policy, address })
    source.pipe(wire)
    source.write(KEY.subarray(0, 1))
    await settled()
    return wire.error?.code ?? null
  }
  t.is(await run(undefined, '10.0.0.1'), null)
  t.is(await run(undefined, '10.0.0.1'), 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS')
  t.is(await run('10.0.0.1', '10.0.0.9'), 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS')
  t.is(await run(undefined, '10.0.0.2'), null)
  t.is(await run(undefined, undefined), null)
})

test.serial(
  'an exchange that has cost keys and failed counts for its address for a while',
  async (t) => {
    const clock = new FakeClock()
    clock.install()
    try {
      const policy = new Policy({ maxUnfinishedPerAddress: 1, penalty: 1000 })
      const codeAfter = (bytes) => {
        const wire = responder({ policy, address: '10.0.0.1' })
        wire.write(bytes)
        if (wire.error === null) wire.destroy()
        return wire.error?.code ?? null
      }
      t.is(codeAfter(KEY), null)
      t.is(codeAfter(Buffer.alloc(1000, 0x55)), 'ERR_PWP_ENCRYPTION_SYNC')
      t.is(codeAfter(KEY), 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS')
      await clock.advance(999, settled)
      t.is(codeAfter(KEY), 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS')
      await clock.advance(1, settled)
      t.is(codeAfter(KEY), null)
    } finally {
      clock.restore()
    }
  }
)

for (const role of Object.keys(SIDES)) {
  test.serial(`an ${role} has the time of the option, or of the policy`, async (t) => {
    const clock = new FakeClock()
    clock.install()
    try {
      for (const own of [{ timeout: 3000 }, { policy: new Policy({ timeout: 3000 }) }]) {
        const wire = waiting(role, own)
        const other = waiting(role, own)
        other.write(KEY)
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await clock.advance(2999, settled)
        t.false(wire.destroyed)
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await clock.advance(1, settled)
        t.is(wire.error.code, 'ERR_PWP_ENCRYPTION_TIMEOUT')
        t.is(wire.error.limit, 3000)
        t.is(other.error.cause.code, 'ERR_PWP_ENCRYPTION_TRUNCATED')
      }
      const pair = connected({ timeout: 3000 })
      await clock.advance(3001, settled)
      t.false(pair[0].destroyed || pair[1].destroyed)
    } finally {
      clock.restore()
    }
  })
}

test.serial('bytes of the exchange put off the limit on inactivity', async (t) => {
  const clock = new FakeClock()
  clock.install()
  try {
    const wire = waiting('responder', { timeout: 0 }, { inactivityTimeout: 100 })
    for (let n = 0; n < 5; n++) {
      wire.write(KEY.subarray(0, 1))
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await clock.advance(99, settled)
    }
    t.false(wire.destroyed)
    await clock.advance(1, settled)
    t.is(wire.error.code, 'ERR_PWP_INACTIVITY_TIMEOUT')
  } finally {
    clock.restore()
  }
})

// Memory

test('a wire without encryption has nothing of it', (t) => {
  const wire = pwp()
  t.false(Object.hasOwn(wire._getSession(), 'encryption'))
  t.false(Object.hasOwn(wire, 'encryption'))
  wire.encryption = 'mine'
  t.is(wire.encryption, 'mine')
})

test('a small frame that nobody reads keeps no memory of others', (t) => {
  const [a, b] = connected()
  a.interested()
  t.is(a.read().buffer.byteLength, 5)
  b.unchoke()
  t.is(b.read().buffer.byteLength, 5)
})

test('many wires in a row release what they have', async (t) => {
  for (let n = 0; n < 300; n++) {
    const pair = connected()
    t.is(pair[0].encryption.method, 'rc4')
    for (const wire of pair) wire.destroy()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await settled()
    t.is(pair[0]._getSession().encryption.exchange, null)
    t.is(pair[1]._getSession().port.cipher, null)
  }
})
