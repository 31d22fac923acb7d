// Encrypted streams of any options, with input cut anywhere, readers that stop, and ends at any time: what is read is
// what was written, in order, and whatever ends does so once.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'

import { INFO_HASH, closed, encryption, pipe } from '../testkit/encryption.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { HANDSHAKE } from '../testkit/wires.mjs'

const CASES = 400
const KIB = 1024

/** A case that takes longer has stopped. */
const TURNS = 20_000

const MODES = ['accept', 'prefer', 'require']
const METHODS = [['rc4'], ['plaintext'], ['rc4', 'plaintext'], ['plaintext', 'rc4'], undefined]

/** What one side is and does. */
const drawSide = (random, role) => ({
  options: {
    role,
    mode: random.pick(MODES),
    methods: random.pick(METHODS),
    infoHash: INFO_HASH,
    infoHashes: random.pick([INFO_HASH, async () => INFO_HASH, slowly(random.below(5))]),
    initialPayload: random.pick([undefined, 'first-write', HANDSHAKE])
  },
  // By it a responder knows a plain peer: anything else is a key to it, which it answers with its own.
  writes: [
    HANDSHAKE,
    ...random.times(random.below(20), () => Buffer.alloc(random.below(20 * KIB), random.below(256)))
  ],
  pause: random.below(4),
  end: random.weighted({ normal: 10, destroy: 1, below: 1 }),
  endAt: random.below(40)
})

const slowly = (turns) => async () => {
  for (let n = 0; n < turns; n++) await turn() // oxlint-disable-line no-await-in-loop
  return INFO_HASH
}

/** Acts as one side; gives what it has written and read. */
const play = async (stream, { options, writes, pause, end, endAt }) => {
  const read = []
  const events = []
  for (const name of ['encryption', 'end', 'error', 'close'])
    stream.on(name, () => events.push(name))
  stream.on('data', (chunk) => {
    read.push(Buffer.from(chunk))
    if (pause === 0) return
    stream.pause()
    setImmediate(() => stream.resume())
  })
  const isInitial = options.role === 'initiator' && Buffer.isBuffer(options.initialPayload)
  const written = isInitial ? [options.initialPayload] : []
  let turns = 0
  for (const chunk of writes) {
    if (stream.destroyed) break
    stream.write(chunk)
    written.push(chunk)
    for (let n = 0; n < pause; n++, turns++) await turn() // oxlint-disable-line no-await-in-loop
    if (turns > endAt && end === 'destroy') stream.destroy()
    if (turns > endAt && end === 'below') stream.stream.destroy()
  }
  if (!stream.destroyed) stream.end()
  for (let n = 0; n < TURNS && !stream.closed; n++) await turn() // oxlint-disable-line no-await-in-loop
  return { read: Buffer.concat(read), written: Buffer.concat(written), events }
}

const outcomes = {}

test('random streams read what was written, and end once', async (t) => {
  await inTurn(Array.from({ length: CASES }).keys(), async (seed) => {
    const random = randomFrom(seed, 'encryption')
    const sides = ['initiator', 'responder'].map((role) => drawSide(random, role))
    const below = pipe()
    for (const end of below) {
      end.cuts = random
        .times(random.below(40), () => random.below(3 * KIB))
        .toSorted((a, b) => a - b)
    }
    const streams = sides.map(({ options }, at) => encryption.wrap(below[at], options))
    const results = await Promise.all(streams.map((stream, at) => play(stream, sides[at])))
    const errors = await Promise.all(
      streams.map((stream) => {
        t.true(stream.closed, `seed ${seed}: does not end`)
        return stream.closed ? closed(stream) : null
      })
    )
    results.forEach(({ read, events }, at) => {
      const { written } = results[1 - at]
      t.true(written.subarray(0, read.length).equals(read), `seed ${seed}: reads something else`)
      t.is(events.filter((name) => name === 'close').length, 1, `seed ${seed}`)
      t.is(events.at(-1), 'close', `seed ${seed}`)
      t.is(events.filter((name) => name === 'error').length, errors[at] === null ? 0 : 1)
      if (events.includes('end')) t.is(read.length, written.length, `seed ${seed}: lost the rest`)
      if (read.length > 0) t.is(events[0], 'encryption', `seed ${seed}`)
      if (errors[at] !== null) t.regex(errors[at].code, /^ERR_PWP_ENCRYPTION_/, `seed ${seed}`)
    })
    const isNormal = sides.every(({ end }) => end === 'normal')
    if (isNormal && streams.every(({ encryption: agreement }) => agreement !== null)) {
      t.deepEqual(errors, [null, null], `seed ${seed}`)
      for (const { events } of results) t.true(events.includes('end'), `seed ${seed}`)
      t.is(streams[0].encryption.method, streams[1].encryption.method)
    }
    const name = errors.find(Boolean)?.code ?? streams[1].encryption?.method ?? 'ended'
    outcomes[name] = (outcomes[name] ?? 0) + 1
  })
  // All that can happen has happened, so that the checks above were made.
  for (const name of ['rc4', 'plaintext', 'none'])
    t.true(outcomes[name] > 20, JSON.stringify(outcomes))
  t.true(outcomes.ERR_PWP_ENCRYPTION_TRUNCATED > 5, JSON.stringify(outcomes))
  t.log(JSON.stringify(outcomes))
})
