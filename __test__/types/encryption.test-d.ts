// The types of message stream encryption, as a user of the package meets them.
import { Duplex } from 'node:stream'
import { Socket } from 'node:net'
import { expectAssignable, expectError, expectType } from 'tsd'
import pwp from '../..'
import { encryption, ProtocolError } from '../..'

const { wrap, dial, Policy, obfuscatedHash } = encryption
const infoHash = Buffer.alloc(20)
const socket = new Socket()

// Streams
const stream = wrap(socket, { role: 'initiator', infoHash })
expectType<pwp.encryption.EncryptedStream>(stream)
expectAssignable<Duplex>(stream)
expectType<pwp.encryption.Agreement | null>(stream.encryption)
expectType<'rc4' | 'plaintext' | 'none' | undefined>(stream.encryption?.method)
expectType<Buffer | null | undefined>(stream.encryption?.infoHash)
expectType<Error | null>(stream.error)
expectType<Duplex>(stream.stream)
expectType<string | undefined>(stream.remoteAddress)
stream.on('encryption', (agreement) => expectType<pwp.encryption.Agreement>(agreement))
stream.once('close', () => {})
stream.pipe(pwp()).pipe(stream)
expectError((stream.encryption = null))

// Options
const { signal } = new AbortController()
const policy = new Policy({ timeout: 1, maxUnfinished: 2, penalty: 0 })
wrap(socket, {
  role: 'initiator',
  mode: 'require',
  infoHash,
  initialPayload: 'first-write',
  signal
})
wrap(socket, { role: 'initiator', mode: 'off', initialPayload: infoHash })
wrap(socket, { role: 'responder', infoHashes: infoHash, methods: ['rc4'], policy, timeout: 0 })
for (const infoHashes of ['00'.repeat(20), [infoHash, '00'.repeat(20)], new Set(['00'])]) {
  wrap(socket, { role: 'responder', infoHashes, address: '127.0.0.1' })
}
wrap(socket, { role: 'responder', infoHashes: (hash) => (hash.equals(infoHash) ? infoHash : null) })
wrap(socket, { role: 'responder', infoHashes: async () => null })
expectError(wrap(socket, { role: 'peer', infoHash }))
expectError(wrap(socket, { role: 'initiator', infoHashes: infoHash }))
expectError(wrap(socket, { role: 'responder', infoHashes: () => true }))
expectError(wrap(socket, { role: 'responder', infoHashes: new Set([infoHash]) }))
expectError(wrap(socket, { role: 'initiator', infoHash, methods: ['aes'] }))
expectError(wrap(socket, { role: 'initiator', infoHash, mode: 'always' }))
expectError(wrap(socket, { role: 'initiator', infoHash, policy: {} }))
expectError(wrap(socket))

// Connections
expectType<Promise<pwp.encryption.EncryptedStream>>(dial(() => socket, { infoHash }))
dial(async ({ encrypted }) => (encrypted ? socket : new Socket()), { infoHash, mode: 'prefer' })
expectError(dial(socket, { infoHash }))
expectError(dial(() => 7, { infoHash }))

// The rest
expectType<Buffer>(obfuscatedHash(infoHash))
expectType<number>(policy.unfinished)
expectType<number>(policy.maxBytes)
expectError((policy.maxBytes = 7))
expectError(new Policy({ maxBytes: '7' }))
const failure = new ProtocolError('ERR_PWP_ENCRYPTION_NO_SHARED_METHOD', 'text', { offered: 1 })
expectType<number | undefined>(failure.accepted)

// Wires
const wire = pwp({
  encryption: { role: 'initiator', infoHash, methods: ['rc4'], policy, timeout: 0 }
})
expectType<pwp.encryption.Agreement | null>(wire.encryption)
wire.on('encryption', (agreement) => expectType<pwp.encryption.Agreement>(agreement))
expectError((wire.encryption = null))
pwp({ encryption: null })
pwp({ infoHashes: infoHash, encryption: { role: 'responder', mode: 'require', address: '::1' } })
pwp({
  encryption: { role: 'responder', infoHashes: async (hash) => (hash.length > 0 ? infoHash : null) }
})
expectError(pwp({ encryption: {} }))
expectError(pwp({ encryption: { role: 'responder', mode: 'yes' } }))
