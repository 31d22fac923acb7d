// The memory that native wires hand out: it may outlive them, and be taken away.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'

import { BLOCK, bytesAt, meet } from '../testkit/piece-peer.mjs'

const PROGRAM = fileURLToPath(new URL('../testkit/workers/lent-memory.cjs', import.meta.url))

// Node detaches memory of others when its environment ends.

test('a process ends while it has blocks and pieces', async (t) => {
  const child = spawn(process.execPath, [PROGRAM], { stdio: 'inherit' })
  t.deepEqual(await once(child, 'exit'), [0, null])
})

test('a worker ends while it has blocks and pieces', async (t) => {
  const worker = new Worker(PROGRAM)
  t.deepEqual(await once(worker, 'exit'), [0])
})

const GETTERS = {
  block: (wire, piece) => wire.requestBlock(piece, 0, BLOCK),
  piece: (wire, piece) => wire.fetchPiece(piece, { length: BLOCK })
}

for (const [name, get] of Object.entries(GETTERS)) {
  test(`no ${name} of others is lost when the memory of one is taken away`, async (t) => {
    const [wire] = await meet(t, 'native', { serves: true })
    const first = await get(wire, 0)
    try {
      // Node copies it, or from 21 on refuses to.
      structuredClone(first.buffer, { transfer: [first.buffer] })
    } catch (error) {
      t.is(error.name, 'DataCloneError')
    }
    t.deepEqual(first, bytesAt(0, 0, BLOCK))
    // Node 21 and later.
    if (first.buffer.transfer !== undefined) {
      const place = first.byteOffset
      const taken = first.buffer.transfer()
      t.deepEqual(Buffer.from(taken, place, BLOCK), bytesAt(0, 0, BLOCK))
    }
    const later = await Promise.all([1, 2, 3].map((piece) => get(wire, piece)))
    t.deepEqual(
      later,
      [1, 2, 3].map((piece) => bytesAt(piece, 0, BLOCK))
    )
  })
}
