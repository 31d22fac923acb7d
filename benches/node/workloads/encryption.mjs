// Rows about message stream encryption: key exchanges of two streams in memory, and RC4 by chunk size. The
// original does not encrypt. bittorrent-protocol's RC4 is a JavaScript loop, as OpenSSL's is off by default.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { inTurn, stopwatch } from '../drive.mjs'
import { INFO_HASH, pair } from '../../../testkit/encryption.mjs'

const HEX = INFO_HASH.toString('hex')
const sides = ['ours', 'bittorrent-protocol']

/**
 * How each library makes two ends that have agreed on RC4.
 *
 * @typedef {{ method: string, encrypt(chunk: Buffer): Buffer, decrypt(chunk: Buffer): Buffer, close(): void }} Ends
 * @type {Record<string, (library: object) => Promise<Ends>>}
 */
const agreements = {
  async ours() {
    const [a, b] = pair({ mode: 'require' }, { mode: 'require' })
    await Promise.all([once(a, 'encryption'), once(b, 'encryption')])
    return {
      method: b.encryption.method,
      encrypt: (chunk) => a._link.exchange.encrypt([chunk]),
      decrypt: (chunk) => b._link.exchange.decrypt(chunk),
      close: () => a.destroy()
    }
  },
  async 'bittorrent-protocol'({ encrypting }) {
    const [a, b] = [encrypting('tcpOutgoing'), encrypting('tcpIncoming')]
    a.pipe(b).pipe(a)
    b.once('crypto-infohash', () => b.setInfoHash(HEX))
    const agreed = Promise.all([once(a, 'crypto-handshake'), once(b, 'crypto-handshake')])
    a.startEncryption(HEX)
    await agreed
    return {
      method: b._encryptionMethod === 2 ? 'rc4' : 'other',
      encrypt: (chunk) => a._encryptor.encrypt(chunk),
      decrypt: (chunk) => b._encryptor.decrypt(chunk),
      close: () => {
        a.destroy()
        b.destroy()
      }
    }
  }
}

const keyExchange = {
  name: 'key exchange, both ends',
  metrics: [{ key: 'time', unit: 'us/exchange' }],
  sides,
  prepare({ library, quick }) {
    const count = library.name === 'ours' ? 1000 : 20
    return { count: quick ? count / 10 : count }
  },
  async run({ library }, { count }) {
    const elapsed = stopwatch()
    const ends = await inTurn(Array(count), () => agreements[library.name](library))
    const seconds = elapsed()
    for (const { close } of ends) close()
    return { values: { time: (seconds * 1e6) / count }, methods: ends.map(({ method }) => method) }
  },
  check({ methods }, { count }) {
    assert.deepEqual(methods, Array(count).fill('rc4'))
  }
}

const rc4 = (name, size) => ({
  name: `RC4 in ${name} chunks`,
  metrics: [{ key: 'time', unit: 'ns/KiB' }],
  sides,
  async prepare({ library, quick }) {
    const chunk = Buffer.from(Array.from({ length: size }, (_, at) => at & 0xff))
    const ends = await agreements[library.name](library)
    return { chunk, ends, count: Math.ceil((quick ? 4e6 : 64e6) / size) }
  },
  run(_, { chunk, ends, count }) {
    const first = ends.encrypt(chunk)
    const deciphered = Buffer.from(ends.decrypt(first))
    const elapsed = stopwatch()
    for (let n = 0; n < count; n++) ends.encrypt(chunk)
    const seconds = elapsed()
    // The other end keeps in step.
    for (let n = 0; n < count; n++) ends.decrypt(chunk)
    return { values: { time: (seconds * 1e9) / ((count * size) / 1024) }, deciphered }
  },
  check({ deciphered }, { chunk }) {
    assert.ok(deciphered.equals(chunk))
  }
})

export const rows = [
  keyExchange,
  rc4('1,448-byte', 1448),
  rc4('16 KiB', 16 * 1024),
  rc4('64 KiB', 64 * 1024)
]
