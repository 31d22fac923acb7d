// Replays recorded sessions of real clients as either side, cut in every way, and accounts for each
// message.
import { isDeepStrictEqual } from 'node:util'

import test from 'ava'

import { readSessions } from '../testkit/captures.mjs'
import { expectEvents } from '../testkit/hostile/expected-events.mjs'
import { greet } from '../testkit/extensions.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { cut } from '../testkit/messages.mjs'
import { NativePeers } from '../testkit/native-peers.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { Replay } from '../testkit/replay.mjs'
import { SEED } from '../testkit/settings.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

/** Each turn of the peer is cut in two: after its first byte in one run, and so on up to this byte. */
const DENSE = 100

/** In turns longer than LONG bytes, the cuts after DENSE are STEP bytes apart. */
const LONG = 1000
const STEP = 1499

const RANDOM_CUTS = 10

/** The flag of the fast extension in the last reserved byte. */
const FAST = 4

/** Kinds of messages. */
const OF_BEP_6 = ['suggest', 'haveAll', 'haveNone', 'reject', 'allowedFast']

/** Events whose messages the counters know by another name. */
const COUNTERS = {
  'allowed-fast': 'allowedFast',
  'have-all': 'haveAll',
  'have-none': 'haveNone',
  'keep-alive': 'keepAlive',
  uninterested: 'notInterested',
  unknownmessage: 'unknown'
}

for (const { session, side, asksForFast } of makeReplays()) {
  const title = `${session.name} replayed as ${side}${asksForFast ? ' with fast' : ''}`
  test(`accounts for each message of ${title}`, async (t) => {
    const { outcome, received, commanded } = await perform(session, side, asksForFast, asRecorded)
    const { events, output, answers, stats } = outcome
    const expected = expectEvents({ bytes: received, unchokes: true, answers: true, asksForFast })
    t.false(expected.isTruncated)
    t.deepEqual(withoutRequests(events), withoutRequests(expected.events))
    t.deepEqual(countMessages(stats.received), countEvents(expected.events))
    t.is(events.length + stats.ignoredRequests, expected.events.length)
    t.is(stats.received.bytes, received.length)
    t.is(stats.received.blockBytes, expected.downloaded)
    t.true(output.equals(commanded))
    t.is(stats.sent.bytes, commanded.length)
    t.deepEqual(answers, { right: stats.sent.messages.request, wrong: 0, rejected: 0 })
    t.is(stats.received.messages.piece, answers.right)
    t.is(outcome.hasFast, asksForFast)
    if (asksForFast) t.is(stats.violations, 0)
  })

  test(`delivers the same for ${title}, however it is cut`, async (t) => {
    const { outcome } = await perform(session, side, asksForFast, asRecorded)
    const different = await inTurn(makeCuts(session, side), async (sizes) => {
      const recut = (chunks) => cut(Buffer.concat(chunks), sizes)
      const again = await perform(session, side, asksForFast, recut)
      return isDeepStrictEqual(again.outcome, outcome) ? null : sizes
    })
    t.is(different, null)
  })
}

test('native wires do the same in all sessions', async (t) => {
  const peers = await new NativePeers().start()
  t.teardown(() => peers.close())
  const different = await inTurn(makeReplays(), async ({ session, side, asksForFast }) => {
    const onStream = await perform(session, side, asksForFast, asRecorded)
    const native = await performNative(peers, session, side, asksForFast, asRecorded)
    t.deepEqual(native.outcome, onStream.outcome)
    return isDeepStrictEqual(native, onStream) ? null : [session.name, side, asksForFast]
  })
  t.is(different, null)
})

test('replays sessions in which the five messages of the fast extension are sent', async (t) => {
  const replays = makeReplays().filter(({ asksForFast }) => asksForFast)
  const counts = {}
  await inTurn(replays, async ({ session, side }) => {
    const { outcome } = await perform(session, side, true, asRecorded)
    for (const kind of OF_BEP_6) {
      counts[kind] = (counts[kind] ?? 0) + outcome.stats.received.messages[kind]
    }
  })
  // No client of these sessions suggests a piece, or rejects a request.
  t.deepEqual(counts, { suggest: 0, haveAll: 10, haveNone: 10, reject: 0, allowedFast: 42 })
})

test('gives extensions what the peers of the sessions have told', async (t) => {
  const { utPex, utHolepunch, uploadOnly } = pwp.extensions
  // With the ids of libtorrent, from 1 up.
  const Extensions = [utPex(), pwp.makeExtension('ut_metadata'), uploadOnly(), utHolepunch()]
  const told = []
  for (const { name, turns } of readSessions()) {
    for (const side of ['a', 'b']) {
      const wire = pwp()
      const [pex, , state, holepunch] = Extensions.map((Extension) => wire.use(Extension))
      for (const [emitter, events] of [
        [pex, ['peer', 'dropped', 'warning', 'malformed']],
        [state, ['malformed']],
        [holepunch, ['rendezvous', 'connect', 'failed', 'malformed']]
      ]) {
        for (const event of events) {
          emitter.on(event, (...args) => told.push([name, side, event, ...args]))
        }
      }
      greet(wire)
      for (const { side: sender, chunks } of turns) {
        if (sender !== side) for (const chunk of chunks) wire.write(chunk)
      }
      t.is(wire.error, null)
      wire.destroy()
    }
  }
  const peers = ['127.0.0.1:24938', '127.0.0.2:24939']
  const flags = {
    prefersEncryption: false,
    isSender: true,
    supportsUtp: false,
    supportsUtHolepunch: true,
    isReachable: false
  }
  t.deepEqual(told, [
    ...peers.map((peer) => ['ext-pex', 'a', 'peer', peer, flags, 0x0a]),
    ...peers.map((peer) => ['ext-pex', 'a', 'failed', peer, 2]),
    ...peers.map((peer) => ['ext-pex', 'b', 'rendezvous', peer])
  ])
})

/** As peer-wire-protocol would speak and, where both recorded sides did, with the fast extension. */
function makeReplays() {
  return readSessions().flatMap((session) =>
    ['a', 'b'].flatMap((side) =>
      [false, true]
        .filter((asksForFast) => !asksForFast || bothAskForFast(session))
        .map((asksForFast) => ({ session, side, asksForFast }))
    )
  )
}

function bothAskForFast({ turns }) {
  return ['a', 'b'].every((side) => {
    const first = turns.find((turn) => turn.side === side)
    return (Buffer.concat(first.chunks)[27] & FAST) !== 0
  })
}

/** Of wires: a late answer is none of the sessions' own. */
const OPTIONS = { rejectTimeout: 0 }

const noWait = async () => {}

/** As the socket delivered them. */
const asRecorded = (chunks) => chunks

const perform = (session, side, asksForFast, recut) => {
  const wire = pwp(OPTIONS)
  return replay(wire, [session, side, recut, noWait], asksForFast, () => readAll(wire))
}

/** With a native wire, to which the other side's bytes come by a socket. */
const performNative = (peers, session, side, asksForFast, recut) => {
  const wire = peers.make(OPTIONS)
  const output = []
  wire.output.on('data', (chunk) => output.push(chunk))
  const turns = [session, side, recut, () => wire.settle()]
  return replay(wire, turns, asksForFast, () => Buffer.concat(output))
}

const replay = async (wire, turns, asksForFast, takeOutput) => {
  const replayed = new Replay(wire, asksForFast)
  await replayed.run(...turns)
  const { events, answers } = replayed
  const output = takeOutput()
  const stats = { ...wire.stats(), requestLatency: null }
  const { hasFast, peerPieces, peerAllowedFastSet } = wire
  const outcome = { events, output, answers, stats, hasFast, peerPieces, peerAllowedFastSet }
  wire.destroy()
  await settled()
  return {
    outcome,
    received: Buffer.concat(replayed.received),
    commanded: Buffer.concat(replayed.commanded)
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
    // The first part of the handshake.
    if (name === 'info-hash') continue
    const counter = COUNTERS[name] ?? name
    counts[counter] = (counts[counter] ?? 0) + 1
  }
  return counts
}
