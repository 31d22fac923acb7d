// Proves on random sessions that this package behaves like peer-wire-protocol 0.7.1.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test from 'ava'
import { compareSession, explainDifference, RULES } from '../testkit/sessions/comparison.mjs'
import { Coverage } from '../testkit/sessions/coverage.mjs'
import { flavourRunner } from '../testkit/sessions/flavours.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { loadImplementation } from '../testkit/sessions/session-runner.mjs'
import { FLAVOURS, makeSession } from '../testkit/sessions/sessions.mjs'
import { casesOr } from '../testkit/settings.mjs'

const require = createRequire(import.meta.url)
const implementations = {
  original: loadImplementation(() => require('peer-wire-protocol')),
  ours: loadImplementation(() => require('../index.js'))
}
const CASES = casesOr(6000)
const CASES_EACH = Math.ceil(CASES / FLAVOURS.length)

const runFlavour = flavourRunner(implementations, CASES_EACH, {
  makeSession,
  compareSession,
  explainDifference
})

const TITLES = {
  plain: 'whole messages, with calls between them, have the same effects',
  chunked: 'input that is cut anywhere has the same effects',
  handlers: 'calls inside handlers and callbacks have the same effects',
  lifecycle: 'ends, destroys, pipes and paused readers have the same effects',
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

test.serial('the sessions contain each message, event, call and end often enough', async (t) => {
  const coverage = new Coverage()
  await inTurn(FLAVOURS, async (flavour) => {
    const { failure, counts } = await runFlavour(flavour)
    t.falsy(failure, `${flavour} sessions stopped early`)
    for (const one of counts) coverage.add(one)
  })
  t.deepEqual(coverage.findGaps(CASES), [])
})

test('every difference that the comparison allows is documented', (t) => {
  const compat = readFileSync(new URL('../docs/compat.md', import.meta.url), 'utf8')
  t.deepEqual(
    RULES.filter(({ name }) => !compat.includes(`\`${name}\``)),
    []
  )
})
