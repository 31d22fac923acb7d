// The random sessions and hostile inputs of wires that are streams, with native wires over real sockets: events,
// their order, state, errors and output are the same.
import { createRequire } from 'node:module'
import test from 'ava'

import { makeHostileInput } from '../testkit/hostile/inputs.mjs'
import { checkEnd, checkReaction, describeCase, startCase } from '../testkit/hostile/runner.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { NativePeers } from '../testkit/native-peers.mjs'
import { compareSession, explainDifference } from '../testkit/sessions/comparison.mjs'
import { NATIVE_FLAVOURS, makeNativeSession } from '../testkit/sessions/native-sessions.mjs'
import { loadImplementation } from '../testkit/sessions/session-runner.mjs'
import { casesOr, SEED } from '../testkit/settings.mjs'

const require = createRequire(import.meta.url)

const SESSIONS = casesOr(200)
const SESSIONS_EACH = Math.ceil(SESSIONS / NATIVE_FLAVOURS.length)
const INPUTS = casesOr(2000)
const BATCH = 50

const peers = new NativePeers()
const implementations = {
  original: loadImplementation(() => require('peer-wire-protocol')),
  ours: loadImplementation(() => {
    require('../index.js')
    return peers.make
  })
}

test.before(() => peers.start())
test.after.always(() => peers.close())

for (const flavour of NATIVE_FLAVOURS) {
  test.serial(
    `native wires do the same as peer-wire-protocol in ${flavour} sessions`,
    async (t) => {
      const failure = await inTurn(Array(SESSIONS_EACH).keys(), async (index) => {
        const session = makeNativeSession((SEED + index) >>> 0, flavour)
        const { difference } = await compareSession(implementations, session)
        return difference && explainDifference(implementations, session, difference)
      })
      t.is(failure ?? null, null)
    }
  )
}

test.serial(
  'native wires deliver all valid events before a violation, then close cleanly',
  async (t) => {
    const starts = Array.from({ length: Math.ceil(INPUTS / BATCH) }, (_, batch) => batch * BATCH)
    const kinds = new Set()
    const failure = await inTurn(starts, async (start) => {
      const attempts = []
      for (let index = start; index < Math.min(start + BATCH, INPUTS); index++) {
        attempts.push(startCase(peers.make, makeHostileInput((SEED + index) >>> 0)))
      }
      await settleAll(attempts)
      for (const attempt of attempts) checkReaction(attempt)
      await settleAll(attempts)
      for (const { expected } of attempts) kinds.add(expected.code ?? 'none')
      const failed = attempts.find((attempt) => checkEnd(attempt).length)
      return failed && describeCase(failed)
    })
    t.is(failure ?? null, null)
    t.true(INPUTS < 1000 || kinds.size > 5, 'the inputs break several rules')
  }
)

const settleAll = (attempts) => Promise.all(attempts.map(({ wire }) => wire.settle()))
