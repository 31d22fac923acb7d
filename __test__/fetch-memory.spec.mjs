// Fetches of pieces for which there is not enough memory.
import { createRequire } from 'node:module'
import test from 'ava'

import { BLOCK, KINDS, bytesAt, meet, sha1Of } from '../testkit/piece-peer.mjs'

const { addon } = createRequire(import.meta.url)('../lib/native.js')

const LENGTH = 3 * BLOCK + 100

/** What fails, as it does without memory, until it is called. Returns what undoes that. */
const FAILURES = {
  native() {
    const { fetchPiece } = addon
    addon.fetchPiece = () => 3
    return () => (addon.fetchPiece = fetchPiece)
  },
  stream() {
    const { alloc } = Buffer
    Buffer.alloc = (length, ...rest) => {
      if (length === LENGTH) throw new RangeError('Array buffer allocation failed')
      return alloc(length, ...rest)
    }
    return () => (Buffer.alloc = alloc)
  }
}

for (const kind of KINDS) {
  test.serial(`${kind}: a piece without memory fails, and the wire goes on`, async (t) => {
    const [wire] = await meet(t, kind, { serves: true })
    const undo = FAILURES[kind]()
    const error = await wire.fetchPiece(1, { length: LENGTH }).then(
      () => null,
      (reason) => reason
    )
    undo()
    t.true(error instanceof RangeError)
    t.deepEqual(error.partial, { index: 1, ranges: [], bytes: Buffer.alloc(0) })
    const bytes = await wire.fetchPiece(1, { length: LENGTH, hash: sha1Of(1, LENGTH) })
    t.deepEqual(bytes, bytesAt(1, 0, LENGTH))
  })
}
