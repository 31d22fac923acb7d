// The other side of a key exchange, written apart from the package: it may break each rule.
import { createHash } from 'node:crypto'

const PRIME = BigInt(
  '0xffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563'
)
const KEY_LENGTH = 96
const DROPPED = 1024
const PRIVATE_KEY = 0x1234567890abcdef1234567890abcdef12345678n

/** What both sides begin their sealed part with. */
export const VERIFICATION = Buffer.alloc(8)

export const uint16 = (number) => Buffer.from([number >>> 8, number])
export const uint32 = (number) => Buffer.concat([uint16(number >>> 16), uint16(number & 0xffff)])

/** @returns {Buffer} 2 to the power of our private key */
export const publicKey = () => toBytes(power(2n, PRIVATE_KEY))

/** @returns {Buffer} the secret shared with the side that has this public key */
export const secretWith = (peerKey) => {
  const name = peerKey.toString('latin1')
  if (!secrets.has(name)) secrets.set(name, toBytes(power(toNumber(peerKey), PRIVATE_KEY)))
  return secrets.get(name)
}

/** Thousands of exchanges may be with the same key. */
const secrets = new Map()

/** @returns {Buffer} the public key of a small private key, as a number below the prime */
export const keyOf = (privateKey) => toBytes(2n ** BigInt(privateKey))

/**
 * What both sides know once the peer's key is there.
 *
 * @param {Buffer} peerKey
 * @param {Buffer} infoHash
 * @returns {{ peerKey: Buffer, names: Buffer, a: (bytes: Buffer) => Buffer, b: (bytes: Buffer) => Buffer }} the two hashes that an
 *   initiator sends, and the ciphers of what initiator and responder send
 */
export const agree = (peerKey, infoHash) => {
  const secret = secretWith(peerKey)
  const asked = sha1('req2', infoHash)
  const mask = sha1('req3', secret)
  const masked = asked.map((byte, at) => byte ^ mask[at])
  return {
    peerKey,
    names: Buffer.concat([sha1('req1', secret), masked]),
    a: rc4(sha1('keyA', secret, infoHash)),
    b: rc4(sha1('keyB', secret, infoHash))
  }
}

/**
 * Sends a key, and what follows once the key of the other side is there.
 *
 * @param {import('node:stream').Duplex} stream
 * @param {Buffer} infoHash
 * @param {(agreement: ReturnType<typeof agree>) => Buffer} next
 */
export const exchangeWith = (stream, infoHash, next) => {
  let received = Buffer.alloc(0)
  let isDone = false
  stream.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    if (isDone || received.length < KEY_LENGTH) return
    isDone = true
    stream.write(next(agree(received.subarray(0, KEY_LENGTH), infoHash)))
  })
  stream.write(publicKey())
}

const sha1 = (...parts) => {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const power = (base, exponent) => {
  let result = 1n
  for (let bit = 1n << 159n; bit > 0n; bit >>= 1n) {
    result = (result * result) % PRIME
    if (exponent & bit) result = (result * base) % PRIME
  }
  return result
}

const toNumber = (bytes) => BigInt(`0x${bytes.toString('hex')}`)
const toBytes = (number) => Buffer.from(number.toString(16).padStart(2 * KEY_LENGTH, '0'), 'hex')

const rc4 = (key) => {
  const table = Uint8Array.from({ length: 256 }, (_, at) => at)
  const swap = (a, b) => ([table[a], table[b]] = [table[b], table[a]])
  for (let i = 0, j = 0; i < 256; i++) swap(i, (j = (j + table[i] + key[i % key.length]) & 0xff))
  let i = 0
  let j = 0
  const next = () => {
    i = (i + 1) & 0xff
    swap(i, (j = (j + table[i]) & 0xff))
    return table[(table[i] + table[j]) & 0xff]
  }
  for (let n = 0; n < DROPPED; n++) next()
  return (bytes) => Buffer.from(bytes.map((byte) => byte ^ next()))
}
