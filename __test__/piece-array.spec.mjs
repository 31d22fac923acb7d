// How V8 stores `peerPieces`: dense before V8 would convert a large hash table to an array, which blocks the
// event loop for a second.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { greeted, settled } from '../testkit/wires.mjs'
import { collectGarbage } from '../testkit/memory/garbage.mjs'

const SCRIPT = fileURLToPath(new URL('../testkit/memory/array-kinds.mjs', import.meta.url))
const MIB = 1024 * 1024
const PIECES = 4 * MIB

/** Steps of 1,000 haves after which an array of this many pieces must be dense. */
const MOST_SPARSE = 1 + Math.ceil(PIECES / 128 / 1000)

let kinds
test.before(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--allow-natives-syntax', SCRIPT])
  kinds = Object.entries(JSON.parse(stdout))
})

test('fills peerPieces, always the same array, with the announced pieces and nothing else', (t) => {
  t.true(kinds.length > 10)
  for (const [name, { isSame, isRight, length }] of kinds) {
    t.deepEqual({ isSame, isRight, length }, { isSame: true, isRight: true, length: 0 }, name)
  }
})

test('makes peerPieces dense early and only once', (t) => {
  for (const [name, { sparse, changes }] of kinds) {
    if (name === 'once, far up') continue
    t.true(sparse <= MOST_SPARSE, `${name}: ${sparse}`)
    t.true(changes <= 2, `${name}: ${changes}`)
  }
})

test('stores a piece with a high index without room for those below', (t) => {
  t.is(kinds.find(([name]) => name === 'once, far up')[1].sparse, 1)
})

for (const [name, pieces] of Object.entries({
  'the last piece': [PIECES - 1],
  'a hundred pieces': Array.from({ length: 100 }, (_, n) => PIECES - 1 - n * 40_000),
  'small and large ones': [0, 1, 2, 3, 1_000_000, 3_000_000]
})) {
  test.serial(`uses few bytes for ${name}`, async (t) => {
    const wires = Array.from({ length: 20 }, () => greeted())
    for (const wire of wires) void wire.peerPieces
    await settled()
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (const wire of wires) for (const piece of pieces) wire.write(frame(4, piece))
    collectGarbage()
    t.true(process.memoryUsage().heapUsed - before < (wires.length * MIB) / 8)
    t.true(wires.every(({ peerPieces }) => Object.keys(peerPieces).length === pieces.length))
  })
}

test('leaves a value as it is that the user assigns to peerPieces, if it is not a plain array', (t) => {
  const wire = greeted()
  for (const value of [new Uint8Array(8), {}, new Proxy([], {}), Array(100_000)]) {
    wire.peerPieces = value
    for (let n = 0; n < 20; n++) wire.write(Buffer.concat([frame(4, 5), frame(4, 90_000 + n)]))
    t.is(wire.peerPieces, value)
    t.is(Number(value[5]), 1)
  }
})
