// Replays recorded sessions of real clients as either side, cut in every way, and accounts for each
// message.
import { isDeepStrictEqual } from 'node:util'

import test from 'ava'

import { readSessions } from '../testkit/captures.mjs'
import { expectEvents } from '../testkit/hostile/expected-events.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { cut } from '../testkit/messages.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { Replay } from '../testkit/replay.mjs'
import { SEED } from '../testkit/settings.mjs'
import { settled } from '../testkit/wires.mjs'

/** Each turn of the peer is cut in two: after its first byte in one run, and so on up to this byte. */
const DENSE = 100

/** In turns longer than LONG bytes, the cuts after DENSE are STEP bytes apart. */
const LONG = 1000
const STEP = 1499

const RANDOM_CUTS = 10

/** Events whose messages the counters know by another name. */
const COUNTERS = {
  'keep-alive': 'keepAlive',
  uninterested: 'notInterested',
  unknownmessage: 'unknown'
}

for (const session of readSessions()) {
  for (const side of ['a', 'b']) {
    test(`accounts for each message of ${session.name} replayed as ${side}`, async (t) => {
      const { outcome, received, commanded } = await perform(session, side, (chunks) => chunks)
      const { events, output, answers, stats } = outcome
      const expected = expectEvents({ bytes: received, unchokes: true, answers: true })
      t.false(expected.isTruncated)
      t.deepEqual(withoutRequests(events), withoutRequests(expected.events))
      t.deepEqual(countMessages(stats.received), countEvents(expected.events))
      t.is(events.length + stats.ignoredRequests, expected.events.length)
      t.is(stats.received.bytes, received.length)
      t.is(stats.received.blockBytes, expected.downloaded)
      t.true(output.equals(commanded))
      t.is(stats.sent.bytes, commanded.length)
      t.deepEqual(answers, { right: stats.sent.messages.request, wrong: 0 })
      t.is(stats.received.messages.piece, answers.right)
    })

    test(`delivers the same for ${session.name} replayed as ${side}, however it is cut`, async (t) => {
      const { outcome } = await perform(session, side, (chunks) => chunks)
      const different = await inTurn(makeCuts(session, side), async (sizes) => {
        const again = await perform(session, side, (chunks) => cut(Buffer.concat(chunks), sizes))
        return isDeepStrictEqual(again.outcome, outcome) ? null : sizes
      })
      t.is(different, null)
    })
  }
}

const perform = async (session, side, recut) => {
  const replay = new Replay()
  replay.run(session, side, recut)
  const { wire, events, answers } = replay
  const stats = { ...wire.stats(), requestLatency: null }
  const output = readAll(wire)
  const outcome = { events, output, answers, stats, pieces: [...wire.peerPieces] }
  wire.destroy()
  await settled()
  return {
    outcome,
    received: Buffer.concat(replay.received),
    commanded: Buffer.concat(replay.commanded)
  }
}

/** Sizes for `cut`. */
const makeCuts = ({ turns }, side) => {
  const random = randomFrom(SEED, 'captures')
  const lengths = turns.filter((turn) => turn.side !== side).map(({ chunks }) => lengthOf(chunks))
  const longest = Math.max(...lengths)
  const dense = longest > LONG ? DENSE : longest
  return [
    [],
    [1],
    [17],
    [1448],
    ...random.times(RANDOM_CUTS, () => random.times(20, () => random.between(1, 3000))),
    ...random.times(dense, (at) => [at + 1, longest]),
    ...random.times((longest - dense) / STEP, (step) => [dense + step * STEP, longest])
  ]
}

const lengthOf = (chunks) => chunks.reduce((sum, { length }) => sum + length, 0)

/** Requests received while we choke are ignored, and counted. */
const withoutRequests = (events) => events.filter((event) => !event.startsWith('request '))

const countMessages = ({ messages }) =>
  Object.fromEntries(Object.entries(messages).filter(([, count]) => count > 0))

const countEvents = (events) => {
  const counts = {}
  for (const event of events) {
    const [name] = event.split(' ')
    const counter = COUNTERS[name] ?? name
    counts[counter] = (counts[counter] ?? 0) + 1
  }
  return counts
}
