// allowedFastSet(): the pieces that a peer may request while it is choked, as both sides find them.
import { inspect } from 'node:util'
import test from 'ava'

import { pwp } from '../testkit/wires.mjs'

const HASH = 'aa'.repeat(20)
const EXAMPLE = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]

test('finds the sets of the example in BEP 6', (t) => {
  for (const infoHash of [
    HASH,
    HASH.toUpperCase(),
    Buffer.alloc(20, 0xaa),
    new Uint8Array(20).fill(0xaa)
  ]) {
    t.deepEqual(pwp.allowedFastSet('80.4.4.200', infoHash, 1313, 7), EXAMPLE.slice(0, 7))
    t.deepEqual(pwp.allowedFastSet('80.4.4.200', infoHash, 1313, 9), EXAMPLE)
  }
  t.is(pwp.allowedFastSet('80.4.4.200', HASH, 1313).length, 10)
  t.deepEqual(pwp.allowedFastSet('80.4.4.200', HASH, 1313).slice(0, 9), EXAMPLE)
})

test('goes by the first 24 bits of an address of IPv4, also of a mapped one', (t) => {
  for (const address of ['80.4.4.0', '80.4.4.255', '::ffff:80.4.4.200', '::ffff:5004:4c8']) {
    t.deepEqual(pwp.allowedFastSet(address, HASH, 1313, 9), EXAMPLE, address)
  }
  t.notDeepEqual(pwp.allowedFastSet('80.4.5.200', HASH, 1313, 9), EXAMPLE)
})

test('gives no set for IPv6, no pieces or a count of 0, and at most all pieces', (t) => {
  for (const address of ['::1', '2001:db8::1', 'fe80::1%eth0']) {
    t.deepEqual(pwp.allowedFastSet(address, HASH, 1313), [])
  }
  t.deepEqual(pwp.allowedFastSet('80.4.4.200', HASH, 0), [])
  t.deepEqual(pwp.allowedFastSet('80.4.4.200', HASH, 1313, 0), [])
  for (const pieces of [1, 2, 7, 10]) {
    const set = pwp.allowedFastSet('80.4.4.200', HASH, pieces)
    const all = Array.from({ length: pieces }, (_, piece) => piece)
    t.deepEqual(
      set.toSorted((one, other) => one - other),
      all
    )
  }
})

for (const [args, kind, message] of [
  [[undefined, HASH, 1], TypeError, /^address/],
  [[Buffer.alloc(4), HASH, 1], TypeError, /^address/],
  [['localhost', HASH, 1], RangeError, /^address/],
  [['1.2.3', HASH, 1], RangeError, /^address/],
  [['1.2.3.4:5', HASH, 1], RangeError, /^address/],
  [['', HASH, 1], RangeError, /^address/],
  [['1.2.3.4', 7, 1], TypeError, /^infoHash/],
  [['1.2.3.4', 'aa', 1], Error, /MUST have length 20/],
  [['1.2.3.4', Buffer.alloc(19), 1], Error, /MUST have length 20/],
  [['1.2.3.4', HASH], TypeError, /^pieces/],
  [['1.2.3.4', HASH, -1], RangeError, /^pieces/],
  [['1.2.3.4', HASH, 2 ** 31], RangeError, /^pieces/],
  [['1.2.3.4', HASH, 1.5], RangeError, /^pieces/],
  [['1.2.3.4', HASH, 1, '9'], TypeError, /^count/],
  [['1.2.3.4', HASH, 1, -1], RangeError, /^count/],
  [['1.2.3.4', HASH, 1, 10_001], RangeError, /^count/]
]) {
  test(`allowedFastSet() refuses ${inspect(args)}`, (t) => {
    t.throws(() => pwp.allowedFastSet(...args), { instanceOf: kind, message })
  })
}
