// The class of bittorrent-protocol: encryption at each level, its events and their order, and refusals.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Transform } from 'node:stream'
import test from 'ava'
import OriginalWire from 'bittorrent-protocol'

import {
  INFO_HASH,
  PEER_ID,
  PLAIN_HANDSHAKE,
  Wire,
  outputOf,
  record,
  settled
} from '../testkit/bp-wires.mjs'
import { frame } from '../testkit/messages.mjs'

const HASH = INFO_HASH.toString('hex')
const NAME = createHash('sha1').update('req2').update(INFO_HASH).digest('hex')

const EVENTS = ['crypto-infohash', 'crypto-handshake', 'handshake', 'have-all', 'request', 'piece']

/** Passes bytes on in pieces of this size, in memory of its own, as a socket does. */
const cutter = (size, seen = []) =>
  new Transform({
    transform(chunk, encoding, done) {
      seen.push(Buffer.from(chunk))
      for (let at = 0; at < chunk.length; at += size)
        this.push(Buffer.from(chunk.subarray(at, at + size)))
      done()
    }
  })

/** Two wires that are connected, of which the first begins. */
const connected = ([One, first], [Other, second], size = 100_000, options = undefined) => {
  const one = new One('tcpOutgoing', first, options)
  const other = new Other('tcpIncoming', second, options)
  const seen = []
  const events = [one, other].map((wire) => record(wire, EVENTS))
  one.pipe(cutter(size, seen)).pipe(other).pipe(cutter(size, seen)).pipe(one)
  other.on('crypto-infohash', () => other.setInfoHash(HASH.toUpperCase()))
  for (const wire of [one, other])
    wire.on('crypto-handshake', () => wire.handshake(HASH, PEER_ID, { fast: true }))
  return { one, other, seen, events }
}

const namesOf = (events) => events.map(([name]) => name)

/** The method that both levels agree on, by those of the one that begins and of the other. */
const METHODS = { 11: 1, 12: 2, 21: 2, 22: 2 }

for (const [levels, method] of Object.entries(METHODS)) {
  for (const [who, One, Other] of [
    ['ours', Wire, Wire],
    ['ours with the original', Wire, OriginalWire],
    ['the original with ours', OriginalWire, Wire]
  ]) {
    for (const size of [1, 57, 100_000]) {
      test(`${who} at levels ${levels}, cut into ${size}: method ${method}, then blocks both ways`, async (t) => {
        const [first, second] = [...levels].map(Number)
        const { one, other, seen, events } = connected([One, first], [Other, second], size)
        one.startEncryption(HASH)
        await Promise.all([one, other].map((wire) => once(wire, 'handshake')))
        t.deepEqual([one._encryptionMethod, other._encryptionMethod], [method, method])
        t.deepEqual([one._peState, other._peState], ['done', 'done'])
        t.true(one._cryptoHandshakeDone && other._cryptoHandshakeDone)
        const block = randomBytes(20_000)
        for (const wire of [one, other]) {
          wire.on('request', (piece, offset, length, respond) => respond(null, block))
          wire.haveAll()
          wire.unchoke()
        }
        await Promise.all([one, other].map((wire) => wire.peerChoking && once(wire, 'unchoke')))
        const got = await Promise.all(
          [one, other].map(
            (wire) =>
              new Promise((resolve) => wire.request(1, 0, 20_000, (_, data) => resolve(data)))
          )
        )
        for (const data of got) t.deepEqual(Buffer.from(data), block)
        t.is(Buffer.concat(seen).includes(block.subarray(0, 64)), method === 1)
        const rest = ['handshake', 'have-all', 'request', 'piece']
        t.deepEqual(namesOf(events[0]).slice(0, 3), ['crypto-handshake', 'handshake', 'have-all'])
        t.deepEqual(namesOf(events[1]).slice(0, 2), ['crypto-infohash', 'crypto-handshake'])
        t.is(events[1][0][1], NAME)
        for (const name of rest) for (const list of events) t.true(namesOf(list).includes(name))
        one.destroy()
        await Promise.all([one, other].map((wire) => wire.destroyed || once(wire, 'close')))
      })
    }
  }
}

test('level 0 has no encryptor', (t) => {
  const wire = new Wire('tcpOutgoing')
  const output = outputOf(wire)
  wire.startEncryption(HASH)
  wire.setInfoHash(HASH)
  t.is(wire._encryptor, null)
  t.is(wire._peState, 'idle')
  t.is(wire._encryptionMethod, undefined)
  t.false(wire._cryptoHandshakeDone)
  t.is(output.take(), '')
})

for (const level of [1, 2]) {
  test(`a plain handshake is taken at level ${level} by either side`, async (t) => {
    const incoming = new Wire('utpIncoming', level)
    const seen = record(incoming, EVENTS)
    for (const byte of PLAIN_HANDSHAKE) incoming.write(Buffer.from([byte]))
    incoming.write(frame(4, 3))
    t.deepEqual(namesOf(seen), ['handshake'])
    t.true(incoming.peerPieces.get(3))
    t.is(incoming._peState, 'idle')
    t.false(incoming._cryptoHandshakeDone)
    // Our answer is in clear text, too.
    const output = outputOf(incoming)
    await settled()
    incoming.handshake(HASH, PEER_ID)
    await settled()
    t.true(output.take().startsWith(Buffer.from('\u0013BitTorrent').toString('hex')))
    for (const begins of [false, true]) {
      const outgoing = new Wire('tcpOutgoing', level)
      const names = record(outgoing, EVENTS)
      if (begins) outgoing.startEncryption(HASH)
      outgoing.write(PLAIN_HANDSHAKE.subarray(0, 11))
      outgoing.write(Buffer.concat([PLAIN_HANDSHAKE.subarray(11), frame(4, 3)]))
      t.deepEqual(namesOf(names), ['crypto-handshake', 'handshake'])
      t.true(outgoing.peerPieces.get(3))
      t.is(outgoing._peState, 'done')
      t.is(outgoing._encryptionMethod, null)
    }
  })
}

test('parsing stands still until setInfoHash names the torrent, however late', async (t) => {
  const one = new Wire('tcpOutgoing', 2)
  const other = new Wire('tcpIncoming', 2)
  one.pipe(cutter(9)).pipe(other).pipe(cutter(9)).pipe(one)
  const seen = record(other, EVENTS)
  one.on('crypto-handshake', () => one.handshake(HASH, PEER_ID))
  one.startEncryption(HASH)
  await once(other, 'crypto-infohash')
  t.is(other._peState, 'gotPe3')
  await settled()
  await settled()
  t.deepEqual(namesOf(seen), ['crypto-infohash'])
  other.setInfoHash(HASH)
  t.is(other._encryptor.skeyHex, HASH)
  await once(other, 'handshake')
  t.deepEqual(namesOf(seen), ['crypto-infohash', 'crypto-handshake', 'handshake'])
})

test('a peer that begins before we have is answered when we do', async (t) => {
  const one = new Wire('tcpOutgoing', 1)
  const other = new Wire('tcpIncoming', 1)
  other.on('crypto-infohash', () => other.setInfoHash(HASH))
  const begun = outputOf(one)
  const key = Buffer.concat([Buffer.from([19]), randomBytes(95)])
  one.write(key.subarray(0, 5))
  one.write(key.subarray(5))
  await settled()
  t.is(one._peState, 'idle')
  one.startEncryption(HASH)
  t.is(one._peState, 'sentPe3')
  await settled()
  t.true(begun.take().length >= 2 * 96)
})

test('setInfoHash with another torrent ends the wire in silence', async (t) => {
  const one = new Wire('tcpOutgoing', 2)
  const other = new Wire('tcpIncoming', 2)
  one.pipe(cutter(1000)).pipe(other).pipe(cutter(1000)).pipe(one)
  const errors = record(other, ['error', 'crypto-handshake'])
  other.on('crypto-infohash', () => other.setInfoHash('ab'.repeat(20)))
  one.startEncryption(HASH)
  await Promise.all([once(one, 'close'), once(other, 'close')])
  t.deepEqual(errors, [])
  t.regex(other.error.message, /info hash/)
})

test('an exchange that goes wrong ends the wire in silence', async (t) => {
  const wires = [
    [2, Buffer.concat([Buffer.alloc(96, 1), Buffer.alloc(600)])],
    [1, Buffer.alloc(96)],
    [1, Buffer.alloc(96, 0xff)],
    [1, randomBytes(30_000)]
  ]
  for (const [level, bytes] of wires) {
    const wire = new Wire('tcpIncoming', level)
    wire.resume()
    const errors = record(wire, ['error', 'crypto-handshake'])
    wire.write(bytes)
    await once(wire, 'close') // oxlint-disable-line no-await-in-loop -- one after the other
    t.deepEqual(errors, [])
    t.regex(wire.error.code, /^ERR_PWP_ENCRYPTION/)
  }
})

test('the end of a wire in the middle of an exchange lets writes go', async (t) => {
  const one = new Wire('tcpOutgoing', 2)
  const other = new Wire('tcpIncoming', 2)
  one.pipe(cutter(1000)).pipe(other).pipe(cutter(1000)).pipe(one)
  one.startEncryption(HASH)
  await once(other, 'crypto-infohash')
  other.destroy()
  await Promise.all([once(one, 'close'), once(other, 'close')])
  other.setInfoHash(HASH)
  t.false(other._cryptoHandshakeDone)
})

test('with refusePlain a plain peer is refused, and nothing leaves in clear text', async (t) => {
  const incoming = new Wire('tcpIncoming', 2, { refusePlain: true })
  const names = record(incoming, [...EVENTS, 'error'])
  incoming.resume()
  incoming.write(PLAIN_HANDSHAKE)
  await once(incoming, 'close')
  t.deepEqual(names, [])
  t.regex(incoming.error.code, /^ERR_PWP_ENCRYPTION/)
  const outgoing = new Wire('tcpOutgoing', 1, { refusePlain: true })
  const output = outputOf(outgoing)
  outgoing.handshake(HASH, PEER_ID)
  await settled()
  t.is(output.take(), '')
  outgoing.startEncryption(HASH)
  outgoing.write(PLAIN_HANDSHAKE)
  await once(outgoing, 'close')
  t.false(output.take().includes(Buffer.from('BitTorrent').toString('hex')))
  t.regex(outgoing.error.code, /^ERR_PWP_ENCRYPTION/)
})

test('with refusePlain two peers that encrypt agree on RC4, and early output follows', async (t) => {
  const { one, other } = connected([Wire, 1], [Wire, 2], 50, { refusePlain: true })
  one.have(5)
  one.startEncryption(HASH)
  await Promise.all([once(one, 'handshake'), once(other, 'close')])
  // Sent before the handshake, which is a mistake of its user that the peer sees.
  t.is(one._encryptionMethod, 2)
  t.is(other.error.code, 'ERR_PWP_HANDSHAKE')
})

for (const [who, One, Other] of [
  ['ours', Wire, Wire],
  ['ours with the original', Wire, OriginalWire],
  ['the original with ours', OriginalWire, Wire]
]) {
  test(`with refusePlain level 1 agrees on RC4 as well: ${who}`, async (t) => {
    const { one, other, seen } = connected([One, 1], [Other, 1], 1000, { refusePlain: true })
    one.startEncryption(HASH)
    await Promise.all([one, other].map((wire) => once(wire, 'handshake')))
    t.deepEqual([one._encryptionMethod, other._encryptionMethod], [2, 2])
    t.false(Buffer.concat(seen).includes('BitTorrent'))
    one.destroy()
    await once(other, 'close')
  })
}

test('with refusePlain a plain peer is refused before we have begun, however its handshake is cut', async (t) => {
  for (const size of [7, 68]) {
    const wire = new Wire('tcpOutgoing', 1, { refusePlain: true })
    const names = record(wire, [...EVENTS, 'error'])
    wire.resume()
    const closes = once(wire, 'close')
    for (let at = 0; at < 68; at += size) wire.write(PLAIN_HANDSHAKE.subarray(at, at + size))
    await closes // oxlint-disable-line no-await-in-loop -- one after the other
    t.deepEqual(names, [])
    t.is(wire.error.code, 'ERR_PWP_ENCRYPTION_PLAIN')
  }
})
