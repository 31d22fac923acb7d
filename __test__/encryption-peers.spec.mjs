// Encrypted streams against bittorrent-protocol, and against what real clients have sent.
import { readFileSync, readdirSync } from 'node:fs'
import Protocol from 'bittorrent-protocol'
import test from 'ava'

import { INFO_HASH, encryption, pipe, randomness, withRandomness } from '../testkit/encryption.mjs'
import { cut } from '../testkit/messages.mjs'
import { pwp } from '../testkit/wires.mjs'

const KIB = 1024
const HEX = INFO_HASH.toString('hex')
const PEER_ID = Buffer.alloc(20, 'p')
const BLOCK = Buffer.alloc(16 * KIB, 'block')

// bittorrent-protocol, at its levels 1 (either method) and 2 (RC4 only)

/** A wire of bittorrent-protocol over this stream that serves blocks. */
const theirs = (stream, type, level) => {
  const wire = new Protocol(type, level)
  stream.pipe(wire).pipe(stream)
  wire.on('crypto-infohash', () => wire.setInfoHash(HEX))
  wire.on('crypto-handshake', () => wire.handshake(HEX, PEER_ID.toString('hex')))
  wire.on('handshake', () => wire.unchoke())
  wire.on('request', (piece, offset, length, respond) => respond(null, BLOCK))
  return wire
}

/** Our wire over an encrypted stream: fetches blocks once it is unchoked. */
const fetch = (stream, count) => {
  const wire = pwp()
  stream.pipe(wire).pipe(stream)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.interested()
  return new Promise((resolve, reject) => {
    const blocks = []
    stream.once('close', () => reject(stream.error ?? new Error('closed')))
    wire.once('unchoke', () => {
      for (let n = 0; n < count; n++) {
        wire.request(n, 0, BLOCK.length, (error, block) => {
          if (error) return reject(error)
          if (blocks.push(Buffer.from(block)) === count) resolve(blocks)
        })
      }
    })
  })
}

for (const level of [1, 2]) {
  for (const { mode, methods, initialPayload, expected } of [
    // As a responder it prefers plaintext at its level 1.
    { mode: 'prefer', expected: { initiator: ['plaintext', 'rc4'][level - 1], responder: 'rc4' } },
    { mode: 'require', expected: { initiator: 'rc4', responder: 'rc4' } },
    {
      mode: 'prefer',
      methods: ['plaintext', 'rc4'],
      expected: {
        initiator: ['plaintext', 'rc4'][level - 1],
        responder: ['plaintext', 'rc4'][level - 1]
      }
    },
    {
      mode: 'prefer',
      initialPayload: 'first-write',
      expected: { initiator: ['plaintext', 'rc4'][level - 1], responder: 'rc4' }
    }
  ]) {
    for (const role of ['initiator', 'responder']) {
      const options = { mode, methods, initialPayload }
      test(`fetches blocks from bittorrent-protocol, level ${level}, as ${role} with ${JSON.stringify(options)}`, async (t) => {
        const [left, right] = pipe()
        const isInitiator = role === 'initiator'
        const wire = theirs(right, isInitiator ? 'tcpIncoming' : 'tcpOutgoing', level)
        const stream = encryption.wrap(left, {
          role,
          infoHash: INFO_HASH,
          infoHashes: HEX,
          ...options
        })
        const blocks = fetch(stream, 20)
        if (!isInitiator) wire.startEncryption(HEX)
        for (const block of await blocks) t.true(block.equals(BLOCK))
        t.is(stream.encryption.method, expected[role])
        stream.destroy()
        wire.destroy()
      })
    }
  }
}

test('accepts bittorrent-protocol at its level 0, which does not encrypt', async (t) => {
  const [left, right] = pipe()
  const wire = theirs(right, 'tcpOutgoing', 0)
  const stream = encryption.wrap(left, { role: 'responder', infoHashes: HEX })
  const blocks = fetch(stream, 3)
  wire.handshake(HEX, PEER_ID.toString('hex'))
  t.is((await blocks).length, 3)
  t.is(stream.encryption.method, 'none')
  stream.destroy()
  wire.destroy()
})

// Recorded sessions

const FOLDER = new URL('../tests/captures/encrypted/', import.meta.url)

const readSession = (file) => {
  const lines = readFileSync(new URL(file, FOLDER), 'latin1').trim().split('\n')
  const fields = Object.fromEntries(lines.map((line) => line.split(' ')))
  const stream = (side) =>
    lines
      .filter((line) => line.startsWith(`${side}>`))
      .map((line) => Buffer.from(line.split(' ')[1], 'hex'))
  const ours = fields.ours
  return {
    isInitiator: ours === 'a',
    infoHash: Buffer.from(fields['info-hash'], 'hex'),
    random: randomness({
      privateKey: Buffer.from(fields['private-key'], 'hex'),
      keyPad: Buffer.from(fields['key-pad'], 'hex'),
      methodPad: Buffer.from(fields['method-pad'], 'hex')
    }),
    sent: Buffer.concat(stream(ours)),
    chunks: stream(ours === 'a' ? 'b' : 'a')
  }
}

/** Our side of a session once more: what it reads and sends. */
const repeat = async ({ isInitiator, infoHash, random }, chunks, payload, initialPayload) => {
  const [left, right] = pipe({ highWaterMark: 1024 * KIB })
  const stream = withRandomness([random], () =>
    encryption.wrap(left, {
      role: isInitiator ? 'initiator' : 'responder',
      infoHash,
      infoHashes: infoHash,
      methods: ['rc4'],
      initialPayload
    })
  )
  const sent = []
  const read = []
  right.on('data', (chunk) => sent.push(chunk))
  stream.on('data', (chunk) => read.push(chunk))
  const agreement = new Promise((resolve) => stream.once('encryption', resolve))
  stream.write(payload)
  for (const chunk of chunks) right.write(chunk)
  const { method } = await agreement
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  stream.destroy()
  return { method, sent: Buffer.concat(sent), read: Buffer.concat(read) }
}

/** Where the payload of an initiator begins: after two hashes and the verification, the offer and the length. */
const payloadStart = ({ isInitiator }, keyPad, methodPad) =>
  96 + keyPad + (isInitiator ? 40 : 0) + 8 + 4 + 2 + methodPad + (isInitiator ? 2 : 0)

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))) {
  test(`sends the bytes of ${file} again, and reads those of the client`, async (t) => {
    const session = readSession(file)
    const { isInitiator, random, sent } = session
    const [keyPad, methodPad] = [random.readUInt16BE(20), random.readUInt16BE(20 + 514)]
    const start = payloadStart(session, keyPad, methodPad)
    const hidden = sent.subarray(start)
    // A key stream deciphers what it has enciphered. Our initiator has sent its handshake with the exchange.
    const parts = (bytes) => (isInitiator ? [bytes.subarray(68), bytes.subarray(0, 68)] : [bytes])
    const first = await repeat(session, session.chunks, ...parts(hidden))
    const clear = first.sent.subarray(start)
    t.is(clear.subarray(1, 20).toString(), 'BitTorrent protocol')
    const runs = [
      session.chunks,
      cut(Buffer.concat(session.chunks), [1]),
      [Buffer.concat(session.chunks)]
    ]
    for (const chunks of runs) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const run = await repeat(session, chunks, ...parts(clear))
      t.is(run.method, 'rc4')
      t.true(run.sent.equals(sent))
      t.is(run.read.subarray(1, 20).toString(), 'BitTorrent protocol')
      t.true(run.read.equals(first.read))
      t.true(run.read.length > 68)
    }
  })
}
