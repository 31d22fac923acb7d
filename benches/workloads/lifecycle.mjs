// Row about short lives: a wire is made, shakes hands both ways and is destroyed.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { inTurn, stopwatch } from '../drive.mjs'
import { handshake, HANDSHAKE_LEN, INFO_HASH, PEER_ID } from '../frames.mjs'

const BATCH = 100

export const rows = [
  {
    name: 'construct, handshake both ways, destroy',
    metrics: [{ key: 'time', unit: 'us/wire', better: 'lower' }],
    prepare: ({ quick }) => ({ batches: quick ? 10 : 40, chunk: handshake() }),
    run,
    check
  }
]

async function run({ library }, { batches, chunk }) {
  const outcome = { handshakes: 0, bytes: 0, ended: 0 }
  const elapsed = stopwatch()
  await inTurn(Array.from({ length: batches }), async () => {
    const wires = Array.from({ length: BATCH }, () => live(library, chunk, outcome))
    await turn()
    for (const wire of wires) wire.destroy()
    await turn()
  })
  const seconds = elapsed()
  await turn()
  return { ...outcome, values: { time: (seconds * 1e6) / (batches * BATCH) } }
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
