// Proves that no bytes of a peer make a wire throw, hang, lose what was valid or forget a callback.

import test from 'ava'
import createWire from '../index.js'
import { collectGarbage } from '../testkit/memory/garbage.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { INPUT_KINDS, makeHostileInput } from '../testkit/hostile/inputs.mjs'
import { checkEnd, checkReaction, describeCase, startCase } from '../testkit/hostile/runner.mjs'
import { casesOr, SEED } from '../testkit/settings.mjs'

const CASES = casesOr(100_000)
const BATCH = 200
const FEW = 1000

/** Growth that is no leak, in bytes: a wire that is left behind has thousands. */
const MOST_GROWTH = 8 * 1024 * 1024

const CODES = [
  'ERR_PWP_HANDSHAKE',
  'ERR_PWP_MESSAGE_TOO_LONG',
  'ERR_PWP_MESSAGE_LENGTH',
  'ERR_PWP_PIECE_INDEX',
  'ERR_PWP_REQUEST_LENGTH',
  'ERR_PWP_BITFIELD_LENGTH'
]

test('a violation closes the wire cleanly, after all events that were valid', async (t) => {
  const counts = {}
  const before = await heldBytes()
  const starts = Array.from({ length: Math.ceil(CASES / BATCH) }, (_, batch) => batch * BATCH)
  const failure = await inTurn(starts, (start) => runBatch(start, counts))
  if (failure) t.fail(failure)
  t.deepEqual(failure ? [] : findMissing(counts), [])
  const growth = (await heldBytes()) - before
  t.true(growth < MOST_GROWTH, `${growth} bytes are left`)
})

/** Runs some wires side by side, as each needs a few loops to end. */
const runBatch = async (start, counts) => {
  const attempts = []
  for (let index = start; index < Math.min(start + BATCH, CASES); index++) {
    attempts.push(startCase(createWire, makeHostileInput((SEED + index) >>> 0)))
  }
  await passLoops()
  for (const attempt of attempts) checkReaction(attempt)
  await passLoops()
  for (const attempt of attempts) count(counts, attempt)
  const failed = attempts.find((attempt) => checkEnd(attempt).length)
  return failed && describeCase(failed)
}

/**
 * What this thread holds without its garbage. RSS would say how much memory the threads of all test
 * files have had, and how large a release of Node lets its heap grow before it collects.
 */
const heldBytes = async () => {
  // What a finalizer lets go of is garbage of the next collection.
  for (let collection = 0; collection < 3; collection++) {
    collectGarbage()
    await nextLoop() // oxlint-disable-line no-await-in-loop
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const passLoops = async () => {
  await nextLoop()
  await nextLoop()
}

const nextLoop = () => new Promise((resolve) => setImmediate(resolve))

const count = (counts, { input, expected }) => {
  for (const key of [input.kind, expected.code ?? 'no violation'])
    counts[key] = (counts[key] ?? 0) + 1
}

/** Kinds of inputs and of violations that did not occur, if so many cases should have had them. */
const findMissing = (counts) =>
  CASES < FEW * 20 ? [] : [...INPUT_KINDS, ...CODES, 'no violation'].filter((key) => !counts[key])
