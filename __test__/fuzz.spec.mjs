// Runs the fuzzer on fixed seeds, and proves that it finds faults.
import test from 'ava'

import { runBatch } from '../checks/fuzz-stream/batch.mjs'
import { faults } from '../checks/fuzz-stream/faults.mjs'
import { SEED } from '../testkit/settings.mjs'

const CASES = { stream: 300, socket: 20 }

/** Number of cases, at least one of which must show a fault. */
const MANY = 600

for (const [mode, count] of Object.entries(CASES)) {
  test.serial(`random cases of mode ${mode} show no fault`, async (t) => {
    const { cases, finding } = await runBatch(mode, SEED, count)
    t.is(finding, null, finding?.text)
    t.is(cases, count)
  })
}

for (const [fault, { shows }] of Object.entries(faults)) {
  test.serial(`random cases show a wire that ${fault}`, async (t) => {
    const { finding } = await runBatch(fault, SEED, MANY)
    t.regex(finding?.text ?? 'no finding', shows)
  })
}
