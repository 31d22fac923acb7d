// What encrypted streams accept of the sealed part of an exchange, and refuse. Each limit below, at and above it.
import test from 'ava'

import {
  VERIFICATION,
  agree,
  exchangeWith,
  keyOf,
  secretWith,
  uint16,
  uint32
} from '../testkit/encryption-peer.mjs'
import {
  INFO_HASH,
  INITIATOR,
  RESPONDER,
  closed,
  encryption,
  pipe,
  randomness,
  withRandomness
} from '../testkit/encryption.mjs'

const KIB = 1024
const RC4 = 2
const PLAINTEXT = 1
const UNKNOWN = 1 << 20

const HASH_OF_OTHER = Buffer.alloc(20, 9)

/** How our stream ends the exchange with a peer that sends this. */
const outcomeOf = async (role, next, { infoHash = INFO_HASH, ...options } = {}) => {
  const [left, right] = pipe()
  const stream = encryption.wrap(left, { ...role, ...options })
  exchangeWith(right, infoHash, next)
  const outcome = await Promise.race([
    new Promise((resolve) => stream.once('encryption', ({ method }) => resolve(method))),
    closed(stream)
  ])
  stream.destroy()
  return outcome
}

/** What an initiator sends after the keys. */
const offer = ({ methods = RC4, pad = 0, payload = 0, verification = VERIFICATION } = {}) => {
  const parts = [verification, uint32(methods), uint16(pad), Buffer.alloc(Math.min(pad, 600))]
  parts.push(uint16(payload), Buffer.alloc(payload))
  return ({ names, a }) => Buffer.concat([names, a(Buffer.concat(parts))])
}

/** What a responder sends after the keys. */
const selection = ({ method = RC4, pad = 0, before = 0 } = {}) => {
  const parts = [VERIFICATION, uint32(method), uint16(pad), Buffer.alloc(Math.min(pad, 600))]
  return ({ b }) => Buffer.concat([Buffer.alloc(before, 0x33), b(Buffer.concat(parts))])
}

for (const [title, options, expected] of [
  ['nothing unusual', {}, 'rc4'],
  ['a pad of 511 bytes', { pad: 511 }, 'rc4'],
  ['a pad of 512 bytes', { pad: 512 }, 'rc4'],
  ['a pad of 513 bytes', { pad: 513 }, { code: 'PAD_TOO_LONG', length: 513, limit: 512 }],
  ['the longest pad', { pad: 0xffff }, { code: 'PAD_TOO_LONG', length: 0xffff, limit: 512 }],
  ['payload of 16 KiB', { payload: 16 * KIB }, 'rc4'],
  [
    'payload above 16 KiB',
    { payload: 16 * KIB + 1 },
    { code: 'PAYLOAD_TOO_LONG', length: 16 * KIB + 1, limit: 16 * KIB }
  ],
  ['methods that are not known, too', { methods: UNKNOWN | 4 | RC4 }, 'rc4'],
  ['plaintext alone', { methods: PLAINTEXT }, 'plaintext'],
  ['no method', { methods: 0 }, { code: 'NO_SHARED_METHOD', offered: 0, accepted: 3 }],
  ['AES alone', { methods: 4 }, { code: 'NO_SHARED_METHOD', offered: 4, accepted: 3 }],
  ['a wrong verification', { verification: Buffer.alloc(8, 1) }, { code: 'VERIFICATION' }]
]) {
  test(`a responder that is offered ${title}`, async (t) => {
    const outcome = await outcomeOf(RESPONDER, offer(options))
    if (typeof expected === 'string') t.is(outcome, expected)
    else t.like(outcome, { ...expected, code: `ERR_PWP_ENCRYPTION_${expected.code}` })
  })
}

for (const [title, options, expected, methods] of [
  ['nothing unusual', {}, 'rc4'],
  ['plaintext', { method: PLAINTEXT }, 'plaintext'],
  ['a pad of 512 bytes', { pad: 512 }, 'rc4'],
  ['a pad of 513 bytes', { pad: 513 }, { code: 'PAD_TOO_LONG', length: 513, limit: 512 }],
  ['a selection after 512 bytes', { before: 512 }, 'rc4'],
  ['a selection after 513 bytes', { before: 513 }, { code: 'SYNC', length: 520 }],
  ['no method', { method: 0 }, { code: 'METHOD_NOT_OFFERED', selected: 0, offered: 3 }],
  ['two methods', { method: 3 }, { code: 'METHOD_NOT_OFFERED', selected: 3, offered: 3 }],
  ['AES', { method: 4 }, { code: 'METHOD_NOT_OFFERED', selected: 4, offered: 3 }],
  [
    'plaintext without an offer of it',
    { method: PLAINTEXT },
    { code: 'METHOD_NOT_OFFERED', selected: 1, offered: 2 },
    ['rc4']
  ]
]) {
  test(`an initiator that gets ${title}`, async (t) => {
    const outcome = await outcomeOf(INITIATOR, selection(options), { methods })
    if (typeof expected === 'string') t.is(outcome, expected)
    else t.like(outcome, { ...expected, code: `ERR_PWP_ENCRYPTION_${expected.code}` })
  })
}

for (const [role, next] of [
  [INITIATOR, selection()],
  [RESPONDER, offer()]
]) {
  test(`an ${role.role} agrees on a secret that begins with zeros`, async (t) => {
    const exponents = Array.from({ length: 750 }, (_, at) => at + 9)
    const exponent = exponents.find((one) => secretWith(keyOf(one))[0] === 0)
    const privateKey = Buffer.concat([Buffer.alloc(18), uint16(exponent)])
    const outcome = withRandomness([randomness({ privateKey })], () => outcomeOf(role, next))
    t.is(await outcome, 'rc4')
  })
}

test('a peer that asks for another torrent is refused', async (t) => {
  const error = await outcomeOf(RESPONDER, offer(), { infoHash: HASH_OF_OTHER })
  t.is(error.code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
})

test('a peer that asks for our torrent and enciphers for another is refused', async (t) => {
  const error = await outcomeOf(RESPONDER, ({ names, peerKey }) =>
    offer()({ ...agree(peerKey, HASH_OF_OTHER), names })
  )
  t.is(error.code, 'ERR_PWP_ENCRYPTION_VERIFICATION')
})

test('the payload after the exchange is enciphered as the peer expects', async (t) => {
  const [left, right] = pipe()
  const stream = encryption.wrap(left, RESPONDER)
  const received = []
  right.on('data', (chunk) => received.push(chunk))
  let peerKey
  exchangeWith(right, INFO_HASH, (agreement) => {
    peerKey = agreement.peerKey
    return Buffer.concat([offer()(agreement), agreement.a(Buffer.from('from the peer'))])
  })
  stream.write('from us')
  const chunk = await new Promise((resolve) => stream.once('data', resolve))
  t.is(chunk.toString(), 'from the peer')
  // What precedes are the key, a pad of unknown length, and the selection with a pad of its own.
  const bytes = Buffer.concat(received)
  const start = bytes.indexOf(agree(peerKey, INFO_HASH).b(VERIFICATION))
  const clear = agree(peerKey, INFO_HASH).b(bytes.subarray(start))
  t.deepEqual(clear.subarray(0, 12), Buffer.concat([VERIFICATION, uint32(RC4)]))
  const pad = clear.readUInt16BE(12)
  t.is(clear.subarray(14 + pad).toString(), 'from us')
  stream.destroy()
})
