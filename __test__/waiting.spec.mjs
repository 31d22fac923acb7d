// The queue of open requests: it behaves like a Map by id, in whatever order they are taken out.
import test from 'ava'

import { Waiting } from '../lib/session/waiting.js'
import { randomFrom } from '../testkit/random.mjs'

/** Ids of 32 bits, the next of which may wrap. */
const STARTS = [1, 0x7fff_fff0, 0xffff_ffc0]

for (const start of STARTS) {
  for (const most of [1, 3, 64, 500]) {
    test(`holds up to ${most} items from id ${start} on like a Map`, (t) => {
      const random = randomFrom(most, `waiting ${start}`)
      const map = new Map()
      const waiting = new Waiting()
      let next = start
      for (let step = 0; step < 5_000; step++) {
        if (map.size < most && random.below(2) === 0) {
          const id = next
          next = (next + 1 + random.below(3)) >>> 0
          map.set(id, { id })
          waiting.add(id, map.get(id))
        } else {
          const id = chosen([...map.keys()], random) ?? next
          t.is(waiting.get(id), map.get(id))
          t.is(waiting.take(id), map.get(id))
          t.is(waiting.take(id), undefined)
          map.delete(id)
        }
        t.is(waiting.size, map.size)
        t.is(waiting.oldestId, map.keys().next().value)
        if (step % 100 === 0) t.deepEqual([...waiting], [...map])
      }
      waiting.clear()
      t.deepEqual([waiting.size, waiting.oldestId, [...waiting]], [0, undefined, []])
    })
  }
}

/** The oldest in half of the cases, as most peers answer in order. */
function chosen(ids, random) {
  return random.below(2) === 0 ? ids[0] : ids[random.below(Math.max(1, ids.length))]
}

test('uses at most twice the memory of the items that wait at once', (t) => {
  const waiting = new Waiting()
  for (let id = 1; id <= 10_000; id++) {
    waiting.add(id, {})
    if (id > 64) waiting.take(id - 64)
  }
  t.is(waiting.size, 64)
  t.true(waiting.ids.length <= 2 * 64 + 2, `${waiting.ids.length}`)
})
