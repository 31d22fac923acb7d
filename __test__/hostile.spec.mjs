// Proves that no bytes of a peer make a wire throw, hang, lose valid messages or forget a callback.

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

/** Growth in bytes that is not a leak: a leaked wire has thousands. */
const MOST_GROWTH = 8 * 1024 * 1024

const CODES = [
  'ERR_PWP_HANDSHAKE',
  'ERR_PWP_MESSAGE_TOO_LONG',
  'ERR_PWP_MESSAGE_LENGTH',
  'ERR_PWP_PIECE_INDEX',
  'ERR_PWP_REQUEST_LENGTH',
  'ERR_PWP_BITFIELD_LENGTH'
]

test('delivers all valid events before a violation, then closes the wire cleanly', async (t) => {
  const counts = {}
  const before = await heldBytes()
  const starts = Array.from({ length: Math.ceil(CASES / BATCH) }, (_, batch) => batch * BATCH)
  const failure = await inTurn(starts, (start) => runBatch(start, counts))
  if (failure) t.fail(failure)
  t.deepEqual(failure ? [] : findMissing(counts), [])
  const growth = (await heldBytes()) - before
  t.true(growth < MOST_GROWTH, `${growth} bytes are left`)
})

/** Runs several wires side by side, as each needs a few turns of the event loop to end. */
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
 * Memory that this thread holds, without garbage. RSS would include the threads of all test files, and
 * depend on how far a release of Node lets its heap grow before it collects.
 */
const heldBytes = async () => {
  // What a finalizer releases is garbage only for the next collection.
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

/** Kinds of inputs and of violations that did not occur, although this many cases should contain them. */
const findMissing = (counts) =>
  CASES < FEW * 20 ? [] : [...INPUT_KINDS, ...CODES, 'no violation'].filter((key) => !counts[key])
