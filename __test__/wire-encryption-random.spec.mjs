// Random sessions of two wires with the option `encryption`, cut anywhere: they must do what the same session does in
// clear text.
import test from 'ava'

import { PEER_IDS, initiator, responder } from '../testkit/encrypted-wires.mjs'
import { INFO_HASH } from '../testkit/encryption.mjs'
import { bytesOf } from '../testkit/messages.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

const CASES = 300

/** Events whose place does not depend on how input is cut. */
const EVENTS = [
  'info-hash',
  'handshake',
  'choke',
  'unchoke',
  'interested',
  'uninterested',
  'have',
  'bitfield',
  'request',
  'cancel',
  'port',
  'have-all',
  'allowed-fast',
  'reject',
  'keep-alive',
  'extended',
  'close'
]

/** What one side does, each as a function of its wire. */
const STEPS = {
  choke: () => (wire) => wire.choke(),
  unchoke: () => (wire) => wire.unchoke(),
  interested: () => (wire) => wire.interested(),
  have: (random) => {
    const piece = random.below(100)
    return (wire) => wire.have(piece)
  },
  port: () => (wire) => wire.port(6881),
  request: (random) => {
    const [piece, length] = [random.below(100), random.pick([1, 2048, 2049, 16_384])]
    return (wire, log) => {
      wire.request(piece, 0, length, (error, block) =>
        log(piece, error?.message, block?.toString('hex'))
      )
    }
  },
  piece: (random) => {
    const block = bytesOf({ size: random.pick([5, 3000, 20_000]), fill: random.below(256) })
    return (wire) => wire.piece(1, 0, block)
  },
  push: () => (wire) => wire.push(Buffer.alloc(4)),
  extended: (random) => {
    const message = Buffer.alloc(random.below(50), 7)
    return (wire) => wire.extended(5, message)
  }
}

const drawStep = (random) => {
  const name = random.weighted({
    choke: 1,
    unchoke: 4,
    interested: 1,
    have: 3,
    port: 1,
    request: 8,
    piece: 1,
    push: 1,
    extended: 1
  })
  return { side: random.below(2), act: STEPS[name](random), moves: random.chance(0.5) }
}

const drawCase = (seed) => {
  const random = randomFrom(seed)
  return {
    fast: random.chance(0.5),
    // The initiator always begins: nothing is sent before.
    steps: random.times(random.below(40), () => drawStep(random)),
    answersAt: random.below(40),
    end: random.pick(['none', 'destroy', 'end'])
  }
}

/** Plays a case; returns what both sides have seen. */
const play = async ({ fast, steps, answersAt, end }, pair, cuts) => {
  const seen = [[], []]
  pair.forEach((wire, side) => {
    for (const name of EVENTS) {
      wire.on(name, (...args) => seen[side].push([name, ...args.map(show)]))
    }
    wire.on('request', (piece, offset, length, respond) => {
      respond(null, bytesOf({ size: length, fill: piece }))
    })
  })
  const move = async () => {
    for (let isIdle = false; !isIdle;) {
      isIdle = true
      for (const side of [0, 1]) {
        const bytes = pair[side].read()
        if (bytes === null || pair[1 - side].writableEnded) continue
        isIdle = false
        for (const part of cuts(bytes)) pair[1 - side].write(part)
      }
      if (!isIdle) await settled() // oxlint-disable-line no-await-in-loop -- one turn after the other
    }
  }
  pair[0].handshake(INFO_HASH, PEER_IDS[0], { fast })
  if (answersAt % 2 === 0) pair[1].handshake(INFO_HASH, PEER_IDS[1], { fast })
  else pair[1].once('handshake', () => pair[1].handshake(INFO_HASH, PEER_IDS[1], { fast }))
  await move()
  for (const { side, act, moves } of steps) {
    act(pair[side], (...args) => seen[side].push(['callback', ...args]))
    if (moves) await move() // oxlint-disable-line no-await-in-loop -- sequential on purpose
  }
  await move()
  if (end === 'destroy') pair[0].destroy()
  if (end === 'end') pair[0].end()
  await settled()
  return { seen, codes: pair.map((wire) => wire.error?.code), sent: pair.map(countsOf) }
}

const show = (value) =>
  Buffer.isBuffer(value) ? value.toString('hex') : typeof value === 'function' ? '' : value

const countsOf = (wire) => {
  const { sent, received, violations } = wire.stats()
  return { sent, received, violations, unsent: wire.bufferedAmount }
}

const whole = (bytes) => [bytes]

const anywhere = (random) => (bytes) => {
  const parts = []
  for (let at = 0; at < bytes.length;) {
    const length = random.pick([1, 3, 20, 100, 5000, bytes.length])
    parts.push(Buffer.from(bytes.subarray(at, at + length)))
    at += length
  }
  return parts
}

test(`${CASES} random sessions are the same with encryption`, async (t) => {
  const first = (Math.random() * 2 ** 31) | 0
  const methods = { rc4: 0, plaintext: 0 }
  for (let seed = first; seed < first + CASES; seed++) {
    const random = randomFrom(seed, 'wires')
    const method = random.pick(Object.keys(methods))
    const lookup = random.pick([INFO_HASH, async () => INFO_HASH])
    const drawn = drawCase(seed)
    const pair = [initiator({ methods: [method] }), responder({ infoHashes: lookup })]
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const plain = await play(drawn, [pwp(), pwp({ infoHashes: INFO_HASH })], whole)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const enciphered = await play(drawn, pair, anywhere(random))
    t.deepEqual(enciphered, plain, `seed ${seed}`)
    t.is(pair[1].encryption.method, method, `seed ${seed}`)
    methods[method]++
    for (const wire of pair) wire.destroy()
  }
  t.true(methods.rc4 > 0 && methods.plaintext > 0)
})
