// Proves on random sessions that the face for bittorrent-protocol behaves like bittorrent-protocol 5.0.9.

import test from 'ava'
import { compareSession, explainDifference } from '../testkit/bittorrent-sessions/comparison.mjs'
import { OriginalWire } from '../testkit/bittorrent-sessions/original.mjs'
import { FLAVOURS, makeSession } from '../testkit/bittorrent-sessions/sessions.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { casesOr, SEED } from '../testkit/settings.mjs'

const implementations = { original: OriginalWire, ours: OriginalWire }
const CASES = casesOr(6000)
const CASES_EACH = Math.ceil(CASES / FLAVOURS.length)

const TITLES = {
  plain: 'whole messages, with calls between them, have the same effects',
  chunked: 'input that is cut anywhere has the same effects',
  encrypted: 'encrypted connections of both roles and all levels have the same effects',
  handlers: 'calls inside handlers and callbacks have the same effects',
  lifecycle: 'ends, destroys and violations have the same effects',
  timers: 'request timeouts and keep-alives have the same effects'
}

// One after the other, because sessions replace the global timers.
for (const flavour of FLAVOURS) {
  test.serial(TITLES[flavour], async (t) => {
    const { failure } = await runFlavour(flavour)
    if (failure) t.fail(failure)
    else t.pass()
  })
}

const runs = {}

/** Runs the sessions of a flavour, once for all tests, up to the first that differs. */
const runFlavour = (flavour) => (runs[flavour] ??= compareSessions(flavour))

const compareSessions = async (flavour) => {
  const counts = []
  const failure = await inTurn(Array(CASES_EACH).keys(), async (index) => {
    const session = makeSession((SEED + index) >>> 0, flavour)
    const outcome = await compareSession(implementations, session)
    counts.push(outcome.counts)
    const { difference } = outcome
    return difference && explainDifference(implementations, session, difference)
  })
  return { failure, counts }
}
