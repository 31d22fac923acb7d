// Proves on random sessions that the face for bittorrent-protocol behaves like bittorrent-protocol 5.0.9.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test from 'ava'
import {
  compareSession,
  explainDifference,
  RULES
} from '../testkit/bittorrent-sessions/comparison.mjs'
import { REQUIRED } from '../testkit/bittorrent-sessions/coverage.mjs'
import { makeFaults } from '../testkit/bittorrent-sessions/faults.mjs'
import { OriginalWire } from '../testkit/bittorrent-sessions/original.mjs'
import {
  comparePairs,
  explainPairs,
  makePairSession
} from '../testkit/bittorrent-sessions/pairs.mjs'
import { FLAVOURS, makeSession } from '../testkit/bittorrent-sessions/sessions.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { Coverage } from '../testkit/sessions/coverage.mjs'
import { flavourRunner } from '../testkit/sessions/flavours.mjs'
import { casesOr, SEED } from '../testkit/settings.mjs'

const OurWire = createRequire(import.meta.url)('../bittorrent-protocol.js')
const implementations = { original: OriginalWire, ours: OurWire }
const CASES = casesOr(7500)
/** Each runs four times. */
const PAIRS = Math.ceil(CASES / 10)
const CASES_EACH = Math.ceil(CASES / FLAVOURS.length)

const runFlavour = flavourRunner(implementations, CASES_EACH, {
  makeSession,
  compareSession,
  explainDifference
})

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

test.serial(
  'two wires connected with each other have the same effects as two of the original',
  async (t) => {
    const failure = await inTurn(Array(PAIRS).keys(), async (index) => {
      const session = makePairSession((SEED + index) >>> 0)
      const { difference, stumbled } = await comparePairs(implementations, session)
      if (stumbled) return stumbled
      return difference && explainPairs(implementations, session, difference)
    })
    t.is(failure, null, failure ?? '')
  }
)

test.serial('the sessions contain each message, event, call and end often enough', async (t) => {
  const coverage = new Coverage(REQUIRED)
  await inTurn(FLAVOURS, async (flavour) => {
    const { failure, counts } = await runFlavour(flavour)
    t.falsy(failure, `${flavour} sessions stopped early`)
    for (const one of counts) coverage.add(one)
  })
  t.deepEqual(coverage.findGaps(CASES), [])
})

test('every difference that the comparison allows is documented', (t) => {
  const compat = new URL('../docs/compat-bittorrent-protocol.md', import.meta.url)
  const text = readFileSync(compat, 'utf8')
  t.deepEqual(
    RULES.filter(({ name }) => !text.includes(`\`${name}\``)),
    []
  )
})

/** Sessions of each flavour, one of which must show a fault. */
const MANY = 200

for (const [fault, { Faulty, flavour = 'plain', shows }] of Object.entries(
  makeFaults(OriginalWire)
)) {
  test.serial(`the sessions show a wire that ${fault}`, async (t) => {
    const pair = { original: OriginalWire, ours: Faulty }
    const report = await inTurn([flavour, ...FLAVOURS], (one) => reportOf(pair, one, MANY))
    t.regex(report ?? 'no difference', shows)
  })
}

const reportOf = (pair, flavour, cases) =>
  inTurn(Array(cases).keys(), async (index) => {
    const session = makeSession((SEED + index) >>> 0, flavour)
    const { difference } = await compareSession(pair, session)
    return difference && explainDifference(pair, session, difference)
  })
