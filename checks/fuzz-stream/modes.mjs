// The modes of the fuzzer: each makes and runs the random case of a seed. In addition to the modes for
// users there is one per planted fault.
import { createRequire } from 'node:module'
import { loadCopy } from '../../testkit/memory/copies.mjs'
import { compareSession, explainDifference } from '../../testkit/sessions/comparison.mjs'
import { randomFrom } from '../../testkit/random.mjs'
import { loadImplementation } from '../../testkit/sessions/session-runner.mjs'
import { FLAVOURS, makeSession } from '../../testkit/sessions/sessions.mjs'
import { faults, withFault } from './faults.mjs'
import { runNativeCase, runSocketCase } from './socket-case.mjs'
import { runStreamCase } from './stream-case.mjs'

const require = createRequire(import.meta.url)
const implementations = {
  original: loadImplementation(() => require('peer-wire-protocol')),
  ours: loadImplementation(() => require('../../index.js'))
}
const copies = [implementations.ours, loadImplementation(loadCopy)]

/** The share of the in-memory cases that compare with the original. */
const COMPARED = 0.2

/** @type {Record<string, (seed: number) => Promise<{problems: string[], trace: string[]}>>} */
export const modes = {
  stream: (seed) =>
    randomFrom(seed, 'mode').chance(COMPARED) ? compareCase(seed) : runStreamCase(seed, copies),
  socket: (seed) => runSocketCase(seed, implementations.ours),
  native: (seed) => runNativeCase(seed, require('../../index.js'))
}

for (const fault of Object.keys(faults)) {
  const faulty = copies.map((createWire) => withFault(createWire, fault))
  modes[fault] = (seed) => runStreamCase(seed, faulty)
}

async function compareCase(seed) {
  const session = makeSession(seed, randomFrom(seed, 'flavour').pick(FLAVOURS))
  const { difference } = await compareSession(implementations, session)
  if (!difference) return { problems: [], trace: [] }
  return { problems: [await explainDifference(implementations, session, difference)], trace: [] }
}
