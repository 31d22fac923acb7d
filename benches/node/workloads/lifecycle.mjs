// Row about short-lived wires: each is made, exchanges handshakes and is destroyed, in a fresh process.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { inTurn, stopwatch } from '../drive.mjs'
import { handshake, HANDSHAKE_LEN, INFO_HASH, PEER_ID } from '../../../testkit/frames.mjs'

/** Wires alive at once. */
const BATCH = 100
/** Batches that count as cold. */
const COLD = 10

export const rows = [
  {
    name: 'wire life',
    metrics: [
      { key: 'cold', part: 'cold', unit: 'us/wire' },
      { key: 'warm', part: 'warm', unit: 'us/wire' }
    ],
    fresh: true,
    warmups: 0,
    prepare: ({ quick }) => ({ batches: quick ? 20 : 400, chunk: handshake() }),
    run,
    check
  }
]

/** Cold is the first 1,000 wires, warm the second half. */
async function run({ library }, { batches, chunk }) {
  const outcome = { handshakes: 0, bytes: 0, ended: 0 }
  const lives = async (count) => {
    const elapsed = stopwatch()
    await inTurn(Array.from({ length: count }), () => liveTogether(library, chunk, outcome))
    return (elapsed() * 1e6) / (count * BATCH)
  }
  const cold = await lives(COLD)
  await lives(batches / 2 - COLD)
  const warm = await lives(batches / 2)
  await turn()
  return { ...outcome, values: { cold, warm } }
}

async function liveTogether(library, chunk, outcome) {
  const wires = Array.from({ length: BATCH }, () => live(library, chunk, outcome))
  await turn()
  for (const wire of wires) wire.destroy()
  await turn()
}

function live(library, chunk, outcome) {
  const wire = library.create()
  let over = false
  wire.on('handshake', () => {
    outcome.handshakes++
    wire.handshake(INFO_HASH, PEER_ID)
  })
  wire.on('data', (output) => {
    outcome.bytes += output.length
  })
  wire.on('finish', onOver)
  wire.on('end', onOver)
  wire.on('close', onOver)
  wire.write(chunk)
  return wire

  function onOver() {
    if (!over) outcome.ended++
    over = true
  }
}

function check({ handshakes, bytes, ended }, { batches }) {
  assert.equal(handshakes, batches * BATCH, 'handshakes received')
  assert.equal(bytes, batches * BATCH * HANDSHAKE_LEN, 'bytes of handshakes sent')
  assert.equal(ended, batches * BATCH, "wires that reached 'finish', 'end' or 'close'")
}
