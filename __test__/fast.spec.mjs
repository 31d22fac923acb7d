// The fast extension (BEP 6) from both ends: its messages, and that each request gets exactly one answer.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'

import { FakeClock } from '../testkit/fake-clock.mjs'
import { loadCopy } from '../testkit/memory/copies.mjs'
import { PROXIES } from '../testkit/memory/proxies.mjs'
import { frame } from '../testkit/messages.mjs'
import { randomFrom } from '../testkit/random.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { casesOr, SEED } from '../testkit/settings.mjs'
import {
  CHOKE,
  FAST_HANDSHAKE,
  HANDSHAKE,
  UNCHOKE,
  fast,
  pwp,
  record,
  settled
} from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)
const MAX = 2 ** 32 - 1
const BEP_6_EVENTS = ['have-all', 'have-none', 'suggest', 'reject', 'allowed-fast']

const request = (piece, offset = 0, length = 9) => frame(6, piece, offset, length)
const cancel = (piece, offset = 0, length = 9) => frame(8, piece, offset, length)
const reject = (piece, offset = 0, length = 9) => frame(16, piece, offset, length)
const block = (piece, offset = 0, length = 9) =>
  frame(7, piece, offset, Buffer.alloc(length, piece))
const allowed = (piece) => frame(17, piece)

/** A wire with the extension whose peer has unchoked it. */
const running = (options) => {
  const wire = fast(options)
  wire.write(UNCHOKE)
  return wire
}

/** A wire with the extension that has unchoked its peer; its output so far is read. */
const serving = (options) => {
  const wire = fast(options)
  wire.unchoke()
  readAll(wire)
  return wire
}

/** Records the outcome of a request of ours. */
const ask = (wire, outcomes, piece, offset = 0, length = 9) =>
  wire.request(piece, offset, length, (error, bytes) =>
    outcomes.push([piece, error?.code ?? error?.message ?? bytes.length])
  )

/** Records the arguments of events that are numbers. */
const listen = (wire, names) => {
  const seen = []
  for (const name of names) {
    wire.on(name, (...values) => seen.push([name, ...values.filter((value) => value >= 0)]))
  }
  return seen
}

/** Two wires that agree on the extension and read each other's output. */
const linked = (options = {}, make = () => pwp(options)) => {
  const pair = [make(), make()]
  const [a, b] = pair
  a.on('data', (chunk) => b.write(chunk))
  b.on('data', (chunk) => a.write(chunk))
  for (const wire of pair) wire.handshake(ID, ID, { fast: true })
  return pair
}

// The agreement

const METHODS = {
  haveAll: [[], frame(14)],
  haveNone: [[], frame(15)],
  suggest: [[7], frame(13, 7)],
  allowedFast: [[MAX], allowed(MAX)],
  reject: [[1, 2, 9], reject(1, 2)]
}

/** Moments at which the extension is not agreed on. */
const NO_AGREEMENTS = {
  'a new wire': () => pwp(),
  'a wire that has not sent its handshake': () => pwp().on('error', () => {}),
  'a wire that has asked for it': () => {
    const wire = pwp()
    wire.handshake(ID, ID, { fast: true })
    return wire
  },
  'a wire whose peer has asked for it': () => {
    const wire = pwp()
    wire.write(FAST_HANDSHAKE)
    return wire
  },
  'a wire that has not asked for it': () => {
    const wire = pwp()
    wire.write(FAST_HANDSHAKE)
    wire.handshake(ID, ID, { dht: true })
    return wire
  },
  'a wire whose peer has not asked for it': () => {
    const wire = pwp()
    wire.write(HANDSHAKE)
    wire.handshake(ID, ID, { fast: true })
    return wire
  },
  'a wire that asks for it in its second handshake': () => {
    const wire = pwp()
    wire.handshake(ID, ID)
    wire.handshake(ID, ID, { fast: true })
    wire.write(FAST_HANDSHAKE)
    return wire
  }
}

for (const [what, make] of Object.entries(NO_AGREEMENTS)) {
  test(`${what} refuses the methods of BEP 6, and sends nothing`, (t) => {
    const wire = make()
    readAll(wire)
    t.false(wire.hasFast)
    for (const [name, [args]] of Object.entries(METHODS)) {
      const error = t.throws(() => wire[name](...args), { code: 'ERR_PWP_NO_FAST' })
      t.is(Object.getPrototypeOf(error), Error.prototype)
    }
    t.deepEqual(wire.allowedFastSet, [])
    t.deepEqual(wire.peerAllowedFastSet, [])
    t.is(wire.read(), null)
  })
}

for (const [what, make] of Object.entries(NO_AGREEMENTS).slice(3)) {
  test(`${what} gets messages of BEP 6 as unknown ones`, (t) => {
    for (const bytes of [frame(13, 1), frame(14), frame(15), reject(1), allowed(1), frame(14, 1)]) {
      const wire = make()
      const seen = listen(wire, BEP_6_EVENTS)
      wire.on('unknownmessage', (message) => seen.push(message))
      wire.write(bytes)
      t.deepEqual(seen, [bytes.subarray(4)])
      t.is(wire.error, null)
      t.is(wire.stats().violations, 1)
      t.is(wire.stats().received.messages.unknown, 1)
    }
  })
}

test('a strict wire closes after a message of BEP 6 that is not agreed on', (t) => {
  for (let id = 12; id <= 18; id++) {
    const wire = pwp({ policy: 'strict' })
    wire.handshake(ID, ID)
    wire.write(Buffer.concat([FAST_HANDSHAKE, frame(id, 1)]))
    if (id === 12 || id === 18) t.is(wire.error, null)
    else t.like(wire.error, { code: 'ERR_PWP_NOT_AGREED', id })
  }
})

const greet = (wire) => wire.handshake(ID, ID, { fast: true })

test('is agreed on whichever handshake comes first, also in a listener', (t) => {
  for (const start of [
    (wire) => [greet(wire), wire.write(FAST_HANDSHAKE)],
    (wire) => [wire.write(FAST_HANDSHAKE), greet(wire)],
    (wire) => [wire.on('handshake', () => greet(wire)), wire.write(FAST_HANDSHAKE)],
    (wire) => [wire.on('info-hash', () => greet(wire)), wire.write(FAST_HANDSHAKE)]
  ]) {
    const wire = pwp()
    start(wire)
    t.true(wire.hasFast)
    wire.write(frame(14))
    t.is(wire.stats().received.messages.haveAll, 1)
  }
})

test('stays agreed on after the end, when nothing more is sent', async (t) => {
  const wire = fast()
  wire.resume()
  wire.destroy()
  await settled()
  t.true(wire.hasFast)
  for (const [name, [args]] of Object.entries(METHODS)) t.notThrows(() => wire[name](...args))
  t.notThrows(() => wire.setPieces(3))
  t.is(wire.bufferedAmount, 0)
})

// Messages

for (const [name, [args, bytes]] of Object.entries(METHODS)) {
  test(`${name}() sends its message, which the other end emits`, async (t) => {
    const wire = serving()
    wire.write(request(1, 2))
    wire[name](...args)
    t.deepEqual(readAll(wire), bytes)
    for (const makeProxy of Object.values(PROXIES)) {
      const seen = serving()
      seen.write(request(1, 2))
      makeProxy(seen)[name](...args)
      t.deepEqual(readAll(seen), bytes)
    }
    const [a, b] = linked()
    const event = name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)
    await settled()
    a.unchoke()
    await settled()
    b.request(1, 2, 9, () => {})
    await settled()
    const seen = listen(b, BEP_6_EVENTS)
    a[name](...args)
    await settled()
    // Past the largest torrent: not a piece.
    t.deepEqual(seen, name === 'allowedFast' ? [] : [[event, ...args]])
    t.is(b.error, null)
  })
}

test('emits each message, in every cut', (t) => {
  const bytes = Buffer.concat([frame(14), frame(13, 7), allowed(3), reject(1, 2), frame(15)])
  for (let cut = 0; cut <= bytes.length; cut++) {
    const wire = running()
    ask(wire, [], 1, 2)
    const seen = listen(wire, BEP_6_EVENTS)
    wire.write(bytes.subarray(0, cut))
    wire.write(bytes.subarray(cut))
    t.deepEqual(seen, [
      ['have-all'],
      ['suggest', 7],
      ['allowed-fast', 3],
      ['reject', 1, 2, 9],
      ['have-none']
    ])
  }
  const wire = running()
  const seen = listen(wire, BEP_6_EVENTS)
  for (const byte of bytes) wire.write(Buffer.of(byte))
  t.is(seen.length, 5)
})

for (const [id, name, least] of [
  [13, 'suggest', 5],
  [14, 'have all', 1],
  [15, 'have none', 1],
  [16, 'reject', 13],
  [17, 'allowed fast', 5]
]) {
  test(`judges the length of a ${name}`, (t) => {
    for (const policy of ['lenient', 'strict']) {
      const right = fast({ policy })
      right.peerChoking = false
      right.request(0, 0, 0, () => {})
      right.write(frame(id, Buffer.alloc(least - 1)))
      t.is(right.error, null)
      const long = fast({ policy })
      long.peerChoking = false
      long.request(0, 0, 0, () => {})
      long.write(frame(id, Buffer.alloc(least + 3)))
      t.is(long.error?.code, policy === 'strict' ? 'ERR_PWP_MESSAGE_LENGTH' : undefined)
      t.is(long.stats().violations, 1)
      for (let length = 1; length < least; length++) {
        const short = fast({ policy })
        short.write(frame(id, Buffer.alloc(length - 1)))
        t.like(short.error, { code: 'ERR_PWP_MESSAGE_LENGTH', id, length, limit: least })
      }
    }
  })
}

// Pieces

for (const count of [1, 7, 8, 9, 1313, 5000]) {
  test(`fills peerPieces after have-all, of ${count} pieces`, (t) => {
    // As after a bitfield, the spare bits count as pieces that the peer does not have.
    const all = Array(Math.ceil(count / 8) * 8)
      .fill(false)
      .fill(true, 0, count)
    const reads = [(wire) => wire.peerPieces, () => {}]
    for (const read of reads) {
      const byOption = fast({ pieces: count })
      read(byOption)
      byOption.on('have-all', () => t.deepEqual(byOption.peerPieces, all))
      byOption.write(frame(14))
      t.deepEqual(byOption.peerPieces, all)

      const later = fast()
      read(later)
      later.write(frame(14))
      t.deepEqual(later.peerPieces, [])
      later.setPieces(count)
      t.deepEqual(later.peerPieces, all)
      later.write(frame(4, count - 1))
      t.is(later.error, null)
      later.write(frame(4, count))
      t.like(later.error, { code: 'ERR_PWP_PIECE_INDEX', piece: count, limit: count })

      const before = fast()
      before.setPieces(count)
      read(before)
      before.write(frame(14))
      t.deepEqual(before.peerPieces, all)
    }
  })
}

test('fills an array of the user, and keeps what was announced before', (t) => {
  const wire = fast({ pieces: 4 })
  const own = []
  wire.peerPieces = own
  wire.write(frame(14))
  t.is(wire.peerPieces, own)
  t.deepEqual(own, [...Array(4).fill(true), ...Array(4).fill(false)])

  const late = fast()
  late.write(Buffer.concat([frame(4, 2), frame(14)]))
  t.deepEqual(Object.keys(late.peerPieces), ['2'])
  late.setPieces(3)
  t.deepEqual(late.peerPieces, [...Array(3).fill(true), ...Array(5).fill(false)])
})

test('fills peerPieces once, however often the peer repeats have-all', (t) => {
  const wire = fast({ pieces: 16 })
  let writes = 0
  const counting = () =>
    new Proxy([], {
      set(array, key, value) {
        if (key !== 'length') writes++
        return Reflect.set(array, key, value)
      }
    })
  wire.peerPieces = counting()
  wire.write(Buffer.concat(Array(100).fill(frame(14))))
  t.is(writes, 16)
  t.deepEqual([...wire.peerPieces], Array(16).fill(true))

  const replaced = counting()
  wire.peerPieces = replaced
  wire.write(Buffer.concat(Array(100).fill(frame(14))))
  t.is(writes, 32)
  t.deepEqual([...replaced], Array(16).fill(true))

  wire.write(Buffer.concat([frame(5, Buffer.from([0, 1])), frame(14), frame(14)]))
  t.is(writes, 64)
  t.deepEqual([...replaced], Array(16).fill(true))
})

test('leaves peerPieces as they are after have-none', (t) => {
  for (const pieces of [0, 9]) {
    const wire = fast({ pieces })
    wire.write(frame(15))
    t.deepEqual(wire.peerPieces, [])
    wire.write(Buffer.concat([frame(4, 3), frame(15)]))
    t.deepEqual(Object.keys(wire.peerPieces), ['3'])
    t.is(wire.stats().violations, 1)
  }
})

test('setPieces() closes the wire if what was announced does not fit', async (t) => {
  for (const [messages, count, error] of [
    [[frame(5, Buffer.alloc(2))], 17, { code: 'ERR_PWP_BITFIELD_LENGTH', length: 2, limit: 3 }],
    [[frame(5, Buffer.alloc(2))], 8, { code: 'ERR_PWP_BITFIELD_LENGTH', length: 2, limit: 1 }],
    [[frame(4, 9)], 9, { code: 'ERR_PWP_PIECE_INDEX', piece: 9, limit: 9 }],
    [[frame(5, Buffer.alloc(2)), frame(4, 16)], 16, { code: 'ERR_PWP_PIECE_INDEX', piece: 16 }],
    [[frame(5, Buffer.alloc(2))], 9, null],
    [[frame(5, Buffer.of(0xff, 0x80))], 9, null],
    [[frame(4, 8)], 9, null],
    [[], 1, null]
  ]) {
    for (const isInListener of [false, true]) {
      for (const makeWire of [fast, () => pwp()]) {
        const wire = makeWire()
        if (!wire.hasFast) wire.write(HANDSHAKE)
        const seen = record(wire, ['port', 'error', 'close'])
        for (const message of messages) wire.write(message)
        wire.on('interested', () => wire.setPieces(count))
        if (isInListener) wire.write(Buffer.concat([frame(2), frame(9, Buffer.alloc(2))]))
        else wire.setPieces(count)
        await settled() // oxlint-disable-line no-await-in-loop
        if (error === null) t.is(wire.error, null)
        else t.like(wire.error, error)
        // Nothing of a chunk is delivered after that.
        const expected = error === null ? ['port'] : ['error', 'close']
        t.deepEqual(seen, isInListener || error !== null ? expected : [])
      }
    }
  }
})

test('setPieces() closes the wire when a reader of the output calls it', async (t) => {
  const wire = fast()
  wire.write(frame(4, 9))
  wire.on('have', () => wire.interested())
  wire.on('data', () => wire.setPieces(9))
  await settled()
  wire.write(frame(4, 8))
  await settled()
  t.like(wire.error, { code: 'ERR_PWP_PIECE_INDEX', piece: 9 })
})

test('setPieces() closes the wire before write() returns when a listener calls it', (t) => {
  const wire = fast()
  wire.write(frame(4, 9))
  wire.on('have', () => wire.setPieces(9))
  wire.write(frame(4, 8))
  t.is(wire.error.code, 'ERR_PWP_PIECE_INDEX')
})

test('setPieces() clears spare bits that were set, or closes a strict wire', (t) => {
  for (const isRead of [false, true]) {
    const wire = fast()
    wire.write(frame(5, Buffer.of(0xff, 0xff)))
    if (isRead) t.is(wire.peerPieces.length, 16)
    wire.setPieces(10)
    t.is(wire.stats().violations, 1)
    t.deepEqual(wire.peerPieces.map(Boolean).lastIndexOf(true), 9)
    const strict = fast({ policy: 'strict' })
    strict.write(frame(5, Buffer.of(0xff, 0xff)))
    strict.setPieces(10)
    t.is(strict.error.code, 'ERR_PWP_BITFIELD_SPARE_BITS')
  }
})

test('a late have-all, have-none or bitfield is tolerated and counted, and closes a strict wire', (t) => {
  const firsts = [frame(4, 1), frame(14), frame(15), frame(5, Buffer.of(0)), UNCHOKE, CHOKE]
  const others = [Buffer.alloc(4), frame(20, Buffer.of(0, 1)), frame(13, 1), allowed(1), frame(99)]
  for (const [name, late] of [
    ['have-all', frame(14)],
    ['have-none', frame(15)],
    ['bitfield', frame(5, Buffer.of(0))]
  ]) {
    for (const first of [...firsts, ...others]) {
      const isLate = firsts.includes(first)
      const wire = fast()
      const seen = record(wire, [name])
      wire.write(Buffer.concat([first, late]))
      t.is(wire.stats().violations, isLate ? 1 : 0)
      t.true(seen.length > 0)
      const strict = fast({ policy: 'strict' })
      strict.write(Buffer.concat([first, late]))
      t.is(strict.error?.code, isLate ? 'ERR_PWP_BITFIELD_LATE' : undefined)
    }
  }
})

// Hints

for (const [options, last] of [
  [{}, 4 * 1024 * 1024 - 1],
  [{ pieces: 1 }, 0],
  [{ pieces: 1313 }, 1312]
]) {
  test(`ignores and counts hints past piece ${last}, and closes a strict wire`, (t) => {
    for (const [id, name] of [
      [13, 'suggest'],
      [17, 'allowed-fast']
    ]) {
      for (const piece of [0, last, last + 1, 2 ** 31, MAX]) {
        const wire = fast(options)
        const seen = listen(wire, [name])
        wire.write(frame(id, piece))
        t.deepEqual(seen, piece > last ? [] : [[name, piece]])
        t.is(wire.stats().violations, piece > last ? 1 : 0)
        const isKept = id === 17 && piece <= last
        t.deepEqual(wire.peerAllowedFastSet, isKept ? [piece] : [])
        const strict = fast({ ...options, policy: 'strict' })
        strict.write(frame(id, piece))
        if (piece <= last) t.is(strict.error, null)
        else t.like(strict.error, { code: 'ERR_PWP_PIECE_INDEX', piece, limit: last + 1 })
      }
    }
  })
}

test('remembers the first hundred pieces that the peer allows', (t) => {
  const wire = fast()
  const seen = listen(wire, ['allowed-fast'])
  const pieces = Array.from({ length: 150 }, (_, index) => 1000 - index * 3)
  for (const piece of pieces) wire.write(Buffer.concat([allowed(piece), allowed(1000)]))
  const first = pieces.slice(0, 100)
  t.deepEqual(wire.peerAllowedFastSet, first)
  t.is(wire.stats().violations, 0)
  t.deepEqual(
    seen.map(([, piece]) => piece).filter((piece) => piece !== 1000),
    first.slice(1)
  )
  const outcomes = []
  for (const piece of [first.at(-1), pieces[100]]) ask(wire, outcomes, piece)
  t.deepEqual(outcomes, [[pieces[100], 'peer is choking']])
  wire.peerAllowedFastSet.push(7)
  t.is(wire.peerAllowedFastSet.length, 100)
})

// Our requests

test('requests allowed pieces while the peer chokes, and no others', (t) => {
  const wire = fast()
  const outcomes = []
  wire.on('allowed-fast', (piece) => ask(wire, outcomes, piece))
  wire.write(Buffer.concat([allowed(3), allowed(5)]))
  ask(wire, outcomes, 4)
  t.deepEqual(readAll(wire), Buffer.concat([request(3), request(5)]))
  t.deepEqual(outcomes, [[4, 'peer is choking']])
  wire.write(Buffer.concat([block(5), reject(3)]))
  t.deepEqual(outcomes.slice(1), [
    [5, 9],
    [3, 'request was rejected']
  ])
})

test('keeps requests open through a choke until the peer answers or rejects each', (t) => {
  const wire = running({ policy: 'strict' })
  const outcomes = []
  for (const piece of [1, 2, 3, 2]) ask(wire, outcomes, piece)
  wire.write(CHOKE)
  t.is(wire.requests.length, 4)
  t.deepEqual(outcomes, [])
  wire.write(Buffer.concat([block(2), reject(1), reject(3), UNCHOKE, CHOKE, block(2)]))
  t.deepEqual(outcomes, [
    [2, 9],
    [1, 'request was rejected'],
    [3, 'request was rejected'],
    [2, 9]
  ])
  t.is(wire.error, null)
  t.is(wire.requests.length, 0)
})

test('without the extension a choke still fails each request', (t) => {
  const wire = pwp()
  wire.handshake(ID, ID, { fast: true })
  wire.write(Buffer.concat([HANDSHAKE, UNCHOKE]))
  const outcomes = []
  for (const piece of [1, 2]) ask(wire, outcomes, piece)
  wire.write(CHOKE)
  t.deepEqual(outcomes, [
    [1, 'peer is choking'],
    [2, 'peer is choking']
  ])
})

test("fails the oldest equal request at a reject, then emits 'reject'", (t) => {
  const wire = running()
  const seen = listen(wire, ['reject', 'piece', 'download'])
  for (const offset of [0, 16]) {
    wire.request(1, offset, 9, (error) => seen.push(error.message, Object.keys(error), error.stack))
  }
  wire.request(1, 0, 9, () => seen.push('second'))
  wire.write(reject(1, 0))
  t.deepEqual(seen, [
    'request was rejected',
    [],
    'Error: request was rejected',
    ['reject', 1, 0, 9]
  ])
  t.is(wire.requests.length, 2)
  t.is(wire.stats().violations, 0)
})

test('a reject of nothing is emitted and counted, and closes a strict wire', (t) => {
  for (const [piece, offset, length] of [
    [1, 0, 9],
    [0, 1, 9],
    [0, 0, 8],
    [MAX, MAX, MAX]
  ]) {
    const wire = running()
    const outcomes = []
    ask(wire, outcomes, 0)
    const seen = listen(wire, ['reject'])
    wire.write(reject(piece, offset, length))
    t.deepEqual(seen, [['reject', piece, offset, length]])
    t.deepEqual(outcomes, [])
    t.is(wire.stats().violations, 1)
    const strict = running({ policy: 'strict' })
    ask(strict, outcomes, 0)
    strict.write(reject(piece, offset, length))
    t.like(strict.error, { code: 'ERR_PWP_UNSOLICITED_REJECT', piece, offset, length })
    t.deepEqual(outcomes, [[0, 'ERR_PWP_UNSOLICITED_REJECT']])
  }
})

for (const [how, answer, event] of [
  ['a block', block(1), 'piece'],
  ['a reject', reject(1), 'reject']
]) {
  test(`${how} may still answer a request that was given up, once`, (t) => {
    for (const policy of ['lenient', 'strict']) {
      const wire = running({ policy })
      const outcomes = []
      ask(wire, outcomes, 1)
      wire.cancel(1, 0, 9)
      t.deepEqual(outcomes, [[1, 'request was cancelled']])
      const seen = record(wire, [event])
      wire.write(answer)
      t.deepEqual(seen, [event])
      t.is(wire.stats().violations, 0)
      t.is(wire.error, null)
      wire.write(answer)
      t.is(wire.stats().violations, 1)
      t.is(wire.error !== null, policy === 'strict')
    }
  })
}

test('a reject of a cancelled request leaves an equal one that was made later', (t) => {
  const wire = running({ policy: 'strict' })
  const outcomes = []
  ask(wire, outcomes, 1)
  wire.cancel(1, 0, 9)
  ask(wire, outcomes, 1)
  wire.write(Buffer.concat([reject(1), block(1)]))
  t.deepEqual(outcomes, [
    [1, 'request was cancelled'],
    [1, 9]
  ])
  t.is(wire.error, null)
})

test('remembers the newest 2,000 requests that were given up', (t) => {
  const wire = running()
  for (let piece = 0; piece < 2001; piece++) {
    wire.request(piece, 0, 9, () => {})
    wire.cancel(piece, 0, 9)
  }
  wire.write(reject(1))
  t.is(wire.stats().violations, 0)
  wire.write(reject(0))
  t.is(wire.stats().violations, 1)
})

// rejectTimeout

/** Runs with a clock that stands still until it is told to go on. */
const withClock = (title, run) =>
  test.serial(title, async (t) => {
    const clock = new FakeClock()
    clock.install()
    t.teardown(() => clock.restore())
    await run(t, (ms) => clock.advance(ms, settled))
  })

for (const [options, limit] of [
  [{}, 30_000],
  [{ rejectTimeout: null }, 30_000],
  [{ rejectTimeout: 1 }, 1],
  [{ rejectTimeout: 500 }, 500],
  [{ rejectTimeout: 0 }, Infinity]
]) {
  withClock(
    `fails requests ${limit} ms after a choke: ${JSON.stringify(options)}`,
    async (t, pass) => {
      const wire = running(options)
      const outcomes = []
      wire.write(allowed(7))
      for (const piece of [1, 7, 2]) ask(wire, outcomes, piece)
      await pass(100_000)
      wire.write(CHOKE)
      if (limit === Infinity) {
        await pass(2 ** 31 - 1)
        return t.deepEqual(outcomes, [])
      }
      await pass(limit - 1)
      t.deepEqual(outcomes, [])
      await pass(1)
      t.deepEqual(outcomes, [
        [1, 'peer is choking'],
        [2, 'peer is choking']
      ])
      await pass(100_000)
      t.is(wire.requests.length, 1)
      // The answers may still come.
      wire.write(Buffer.concat([reject(1), block(2), reject(7)]))
      t.is(wire.stats().violations, 0)
      t.deepEqual(outcomes[2], [7, 'request was rejected'])
      return t.is(wire.error, null)
    }
  )
}

withClock('fails only requests that were open for the whole time', async (t, pass) => {
  const wire = running({ rejectTimeout: 1000 })
  const outcomes = []
  ask(wire, outcomes, 1)
  ask(wire, outcomes, 2)
  wire.write(CHOKE)
  await pass(400)
  wire.write(Buffer.concat([reject(1), UNCHOKE]))
  ask(wire, outcomes, 3)
  await pass(600)
  t.deepEqual(outcomes, [
    [1, 'request was rejected'],
    [2, 'peer is choking']
  ])
  await pass(100_000)
  t.is(outcomes.length, 2)
  // A further choke has its own time.
  wire.write(CHOKE)
  await pass(999)
  t.is(outcomes.length, 2)
  await pass(1)
  t.deepEqual(outcomes[2], [3, 'peer is choking'])
})

withClock('gives each choke at least its time', async (t, pass) => {
  const wire = running({ rejectTimeout: 1000 })
  const outcomes = []
  ask(wire, outcomes, 1)
  wire.write(CHOKE)
  await pass(900)
  wire.write(UNCHOKE)
  ask(wire, outcomes, 2)
  wire.write(CHOKE)
  await pass(100)
  t.deepEqual(outcomes, [[1, 'peer is choking']])
  await pass(899)
  t.is(outcomes.length, 1)
  await pass(1001)
  t.deepEqual(outcomes[1], [2, 'peer is choking'])
})

withClock('spares an equal request that a callback makes meanwhile', async (t, pass) => {
  const wire = running({ rejectTimeout: 1000 })
  const outcomes = []
  wire.request(1, 0, 9, (error) => {
    outcomes.push(error.message)
    wire.cancel(2, 0, 9)
    wire.request(2, 0, 9, (late) => outcomes.push(`new ${late?.message}`))
  })
  wire.request(2, 0, 9, (error) => outcomes.push(error.message))
  wire.write(Buffer.concat([CHOKE, UNCHOKE]))
  await pass(1000)
  t.deepEqual(outcomes, ['peer is choking', 'request was cancelled'])
  t.is(wire.requests.length, 1)
})

withClock(
  'spares a request that another callback has cancelled or that is answered',
  async (t, pass) => {
    const wire = running({ rejectTimeout: 1000 })
    const outcomes = []
    for (const piece of [1, 2, 3]) {
      wire.request(piece, 0, 9, (error) => {
        outcomes.push([piece, error.message])
        if (piece === 1) wire.cancel(2, 0, 9)
      })
    }
    wire.write(CHOKE)
    await pass(1000)
    t.deepEqual(outcomes, [
      [1, 'peer is choking'],
      [2, 'request was cancelled'],
      [3, 'peer is choking']
    ])
  }
)

withClock('leaves no timer when the wire ends, and fails each request once', async (t, pass) => {
  for (const end of [
    (wire) => wire.destroy(),
    (wire) => wire.end(),
    (wire) => wire.write(frame(4))
  ]) {
    const wire = running({ rejectTimeout: 1000 })
    wire.resume()
    const outcomes = []
    ask(wire, outcomes, 1)
    wire.write(CHOKE)
    end(wire)
    await settled() // oxlint-disable-line no-await-in-loop
    t.is(outcomes.length, 1)
    t.not(outcomes[0][1], 'peer is choking')
    await pass(10_000) // oxlint-disable-line no-await-in-loop
    t.is(outcomes.length, 1)
  }
})

withClock('times requests that a choke leaves open by setTimeout() as well', async (t, pass) => {
  const wire = running()
  const outcomes = []
  wire.setTimeout(1000)
  for (const piece of [1, 2]) ask(wire, outcomes, piece)
  wire.write(CHOKE)
  await pass(2000)
  t.deepEqual(outcomes, [
    [1, 'request has timed out'],
    [2, 'request has timed out']
  ])
  wire.write(Buffer.concat([reject(1), reject(2)]))
  t.is(wire.stats().violations, 0)
})

// The peer's requests

/** Ways in which a request of the peer ends without a block. */
const REFUSALS = {
  'while we choke': (wire) => wire.write(request(1)),
  'above maxPeerRequests': [
    { maxPeerRequests: 0 },
    (wire) => [wire.unchoke(), wire.write(request(1))]
  ],
  'for no bytes': (wire) => [wire.unchoke(), wire.write(request(1, 0, 0))],
  'for a piece after the last': [{ pieces: 1 }, (wire) => [wire.unchoke(), wire.write(request(1))]],
  'that the peer cancels': (wire) => [
    wire.unchoke(),
    wire.write(request(1)),
    wire.write(cancel(1))
  ],
  'that we choke': (wire) => [wire.unchoke(), wire.write(request(1)), wire.choke()],
  'that is held when we choke': [
    { uploadBacklog: 0 },
    (wire) => [wire.unchoke(), wire.write(request(1)), wire.choke()]
  ],
  'that is held when the peer cancels': [
    { uploadBacklog: 0 },
    (wire) => [wire.unchoke(), wire.write(request(1)), wire.write(cancel(1))]
  ],
  'that is declined': (wire) => [
    wire.unchoke(),
    wire.on('request', (piece, offset, length, respond) => respond(new Error('no'))),
    wire.write(request(1))
  ],
  'whose answer is too short': (wire) => [
    wire.unchoke(),
    wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(8))),
    wire.write(request(1))
  ],
  'whose answer is no block': (wire) => [
    wire.unchoke(),
    wire.write(request(1)),
    wire.peerRequests[0].callback(null, 'nothing')
  ],
  'that piece() drops': (wire) => [wire.unchoke(), wire.write(request(1)), wire.piece(1, 0, null)],
  'that reject() ends': (wire) => [wire.unchoke(), wire.write(request(1)), wire.reject(1, 0, 9)]
}

for (const [what, refusal] of Object.entries(REFUSALS)) {
  const [options, act] = Array.isArray(refusal) ? refusal : [{}, refusal]
  test(`rejects a request ${what}, once`, async (t) => {
    const wire = fast(options)
    act(wire)
    const length = what === 'for no bytes' ? 0 : 9
    const output = [readAll(wire)]
    await settled()
    output.push(readAll(wire))
    // Whatever follows, there is no second answer.
    if (length > 0) wire.write(cancel(1))
    wire.choke()
    wire.unchoke()
    wire.reject(1, 0, length)
    await settled()
    output.push(readAll(wire))
    const answers = framesIn(Buffer.concat(output)).filter(([id]) => id === 16 || id === 7)
    t.deepEqual(answers, [[16, 1, 0, length]])
    t.is(wire.stats().sent.messages.reject, 1)
    t.is(wire.peerRequests.length, 0)
    t.is(wire.error, null)
  })

  test(`sends no reject for a request ${what} without the extension`, async (t) => {
    if (what === 'that reject() ends') return t.pass()
    const wire = pwp(options)
    wire.write(FAST_HANDSHAKE)
    act(wire)
    await settled()
    return t.is(wire.stats().sent.messages.reject, 0)
  })
}

test('rejects in the order of the requests, and a choke before its rejects', (t) => {
  const wire = serving({ uploadBacklog: 400 })
  wire.write(Buffer.concat([1, 2, 3, 4, 5].map((piece) => request(piece))))
  t.true(wire.peerRequests.length < 5)
  wire.choke()
  const ids = framesIn(readAll(wire))
  t.deepEqual(ids, [[0], ...[1, 2, 3, 4, 5].map((piece) => [16, piece, 0, 9])])
})

test('answers of a user to a request that is rejected send nothing', (t) => {
  const wire = serving()
  const responds = []
  wire.on('request', (piece, offset, length, respond) => responds.push(respond))
  wire.write(Buffer.concat([request(1), request(2), request(3)]))
  wire.reject(1, 0, 9)
  wire.write(cancel(2))
  wire.choke()
  const before = readAll(wire)
  t.is(framesIn(before).length, 4)
  for (const respond of responds) {
    respond(null, Buffer.alloc(9))
    respond(new Error('late'))
    respond(null, null)
  }
  t.is(wire.read(), null)
  t.is(wire.stats().droppedAnswers, 0)
})

test('serves allowed pieces while it chokes, and keeps requests for them through a choke', (t) => {
  const wire = fast()
  const asked = []
  wire.on('request', (piece, offset, length, respond) => asked.push([piece, respond]))
  wire.allowedFast(3)
  wire.allowedFast(5)
  wire.allowedFast(3)
  t.deepEqual(wire.allowedFastSet, [3, 5])
  wire.allowedFastSet.pop()
  t.deepEqual(wire.allowedFastSet, [3, 5])
  t.deepEqual(readAll(wire), Buffer.concat([allowed(3), allowed(5), allowed(3)]))
  wire.write(Buffer.concat([request(3), request(4)]))
  t.deepEqual(readAll(wire), reject(4))
  wire.unchoke()
  wire.write(Buffer.concat([request(4), request(5), request(4, 16)]))
  wire.choke()
  t.deepEqual(
    wire.peerRequests.map(({ piece }) => piece),
    [3, 5]
  )
  const sent = [UNCHOKE, CHOKE, reject(4), reject(4, 16)]
  t.deepEqual(readAll(wire), Buffer.concat(sent))
  for (const [piece, respond] of asked) respond(null, Buffer.alloc(9, piece))
  t.deepEqual(readAll(wire), Buffer.concat([block(3), block(5)]))
  t.is(wire.stats().ignoredRequests, 1)
})

test('delivers held requests for allowed pieces while it chokes', async (t) => {
  const wire = serving({ uploadBacklog: 0 })
  wire.allowedFast(2)
  readAll(wire)
  const asked = []
  wire.on('request', (piece, offset, length, respond) => asked.push([piece, respond]))
  wire.write(Buffer.concat([request(1), request(2), request(3), request(2, 16)]))
  t.is(asked.length, 1)
  wire.choke()
  await settled()
  readAll(wire)
  for (let turn = 1; turn <= 2; turn++) {
    await settled() // oxlint-disable-line no-await-in-loop
    t.is(asked.length, 1 + turn)
    asked[turn][1](null, Buffer.alloc(9))
    readAll(wire)
  }
  t.deepEqual(
    asked.map(([piece]) => piece),
    [1, 2, 2]
  )
  t.is(wire.stats().heldRequests, 0)
})

test('works between two copies of the package', async (t) => {
  const makes = [pwp, loadCopy()]
  const [a, b] = linked({}, () => makes.shift()())
  await settled()
  a.haveAll()
  a.allowedFast(3)
  b.setPieces(4)
  a.on('request', (piece, offset, length, respond) => {
    if (offset === 0) respond(null, Buffer.alloc(length, 5))
    else respond(new Error('no'))
  })
  await settled()
  const outcomes = []
  ask(b, outcomes, 3)
  ask(b, outcomes, 3, 9)
  ask(b, outcomes, 2)
  await settled()
  t.deepEqual(outcomes, [
    [3, 9],
    [3, 'request was rejected'],
    [2, 'peer is choking']
  ])
  t.deepEqual(b.peerPieces.slice(0, 4), Array(4).fill(true))
})

// Exactly one answer

/** The messages in some output: id and numbers; for a block its length in place of its bytes. */
function framesIn(bytes) {
  const frames = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    const body = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at))
    const isBlock = body[0] === 7
    const numbers = []
    for (let place = 1; place < (isBlock ? 9 : body.length); place += 4) {
      numbers.push(body.readUInt32BE(place))
    }
    if (isBlock) numbers.push(body.length - 9)
    frames.push([body[0], ...numbers])
  }
  return frames
}

const countBy = (keys) => {
  const counts = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

const drawBlock = (random) => [random.below(5), random.below(2) * 16, random.pick([9, 9, 16, 300])]

/** What a user does with a request of the peer, one of those that wait. */
const drawAnswer = (wire, random) => {
  const { peerRequests } = wire
  if (peerRequests.length === 0) return
  const { piece, offset, length, callback } = random.pick(peerRequests)
  random.pick([
    () => callback(null, Buffer.alloc(length)),
    () => callback(null, Buffer.alloc(length)),
    () => callback(new Error('no')),
    () => callback(null, Buffer.alloc(length + 1)),
    () => callback(null, undefined),
    () => wire.reject(piece, offset, length),
    () => wire.piece(piece, offset, Buffer.alloc(length)),
    () => wire.piece(piece, offset, false)
  ])()
}

const drawOptions = (random) => ({
  maxPeerRequests: random.pick([0, 1, 3, 8, 2000]),
  uploadBacklog: random.pick([0, 200, 1000, 2 ** 20]),
  pieces: random.pick([0, 4])
})

/** Ends all that is open: nothing is held while the output is read. */
const answerAll = async (wire, read) => {
  for (let turn = 0; turn < 1000; turn++) {
    for (const { callback, length } of Array.from(wire.peerRequests))
      callback(null, Buffer.alloc(length))
    read()
    await settled() // oxlint-disable-line no-await-in-loop
    if (wire.peerRequests.length + wire.stats().heldRequests + wire.bufferedAmount === 0) return
  }
}

for (const isInListener of [false, true]) {
  const where = isInListener ? 'in listeners' : 'between chunks'
  test(`sends one answer to each request, whatever the user does ${where}`, async (t) => {
    for (let index = 0; index < casesOr(300); index++) {
      const seed = SEED + index
      const random = randomFrom(seed, `one answer ${where}`)
      const wire = fast(drawOptions(random))
      const asked = []
      const output = []
      const read = () => output.push(readAll(wire))
      const act = () =>
        random.pick([
          () => wire.choke(),
          () => wire.unchoke(),
          () => wire.unchoke(),
          () => wire.allowedFast(random.below(5)),
          () => drawAnswer(wire, random),
          () => drawAnswer(wire, random),
          read
        ])()
      if (isInListener) {
        for (const name of ['request', 'cancel', 'have'])
          wire.on(name, () => random.chance(0.5) && act())
      }
      for (let step = random.between(5, 80); step > 0; step--) {
        if (random.chance(0.4)) act()
        const messages = random.times(random.below(6), () => {
          const [piece, offset, length] = drawBlock(random)
          if (random.chance(0.1)) return frame(4, 1)
          const isKnown = asked.length > 0 && random.chance(0.8)
          if (random.chance(0.3))
            return cancel(...(isKnown ? random.pick(asked) : [piece, offset, length]))
          const asks = [piece, offset, random.chance(0.05) ? 0 : length]
          asked.push(asks)
          return request(...asks)
        })
        wire.write(Buffer.concat(messages))
        if (random.chance(0.2)) await settled() // oxlint-disable-line no-await-in-loop
      }
      wire.removeAllListeners('request')
      await answerAll(wire, read) // oxlint-disable-line no-await-in-loop
      const frames = framesIn(Buffer.concat(output))
      const answers = frames.filter(([id]) => id === 7 || id === 16).map(([, ...place]) => place)
      t.deepEqual(countBy(answers), countBy(asked), `PWP_SEED=${seed} PWP_CASES=1`)
      t.is(wire.error, null)
    }
  })
}

test('two strict wires never find fault with each other, and each callback is called once', async (t) => {
  for (let index = 0; index < casesOr(200); index++) {
    const seed = SEED + index
    const random = randomFrom(seed, 'two wires')
    const options = { ...drawOptions(random), policy: 'strict', pieces: 0, rejectTimeout: 0 }
    const pair = linked(options)
    await settled() // oxlint-disable-line no-await-in-loop
    const calls = []
    const asks = (wire) => {
      const at = calls.push(0) - 1
      wire.request(...drawBlock(random), () => calls[at]++)
    }
    for (let step = random.between(5, 60); step > 0; step--) {
      const wire = random.pick(pair)
      random.pick([
        () => random.times(random.below(8), () => asks(wire)),
        () => random.times(random.below(8), () => asks(wire)),
        () => wire.cancel(...drawBlock(random)),
        () => wire.choke(),
        () => wire.unchoke(),
        () => wire.unchoke(),
        () => wire.allowedFast(random.below(5)),
        () => drawAnswer(wire, random),
        () => drawAnswer(wire, random)
      ])()
      if (random.chance(0.3)) await settled() // oxlint-disable-line no-await-in-loop
    }
    for (let turn = 0; turn < 3; turn++) {
      // oxlint-disable-next-line no-await-in-loop -- what one answers lets the other go on
      for (const wire of pair) await answerAll(wire, () => {})
    }
    const message = `PWP_SEED=${seed} PWP_CASES=1`
    t.deepEqual(
      pair.map(({ error }) => error),
      [null, null],
      message
    )
    t.deepEqual(new Set(calls), new Set(calls.length > 0 ? [1] : []), message)
    t.deepEqual(
      pair.map((wire) => wire.requests.length),
      [0, 0],
      message
    )
    for (const wire of pair) {
      const { sent, received, violations } = wire.stats()
      t.is(violations, 0, message)
      t.is(
        received.messages.request,
        [...pair].find((one) => one !== wire).stats().sent.messages.request
      )
      t.is(received.messages.request, sent.messages.piece + sent.messages.reject, message)
    }
  }
})

// Listeners

const MESSAGES = {
  'have-all': frame(14),
  'have-none': frame(15),
  suggest: frame(13, 1),
  reject: reject(1),
  'allowed-fast': allowed(1)
}

for (const [name, message] of Object.entries(MESSAGES)) {
  test(`delivers nothing more when the listener of '${name}' destroys the wire`, async (t) => {
    for (const reason of [undefined, new Error('enough')]) {
      for (const isCut of [false, true]) {
        const wire = running()
        wire.resume()
        const outcomes = []
        for (const piece of [1, 2]) ask(wire, outcomes, piece)
        const seen = record(wire, [...BEP_6_EVENTS, 'have', 'close'])
        wire.on(name, () => wire.destroy(reason))
        const bytes = Buffer.concat([message, frame(4, 1), ...Object.values(MESSAGES)])
        if (isCut) for (const byte of bytes) wire.write(Buffer.of(byte))
        else wire.write(bytes)
        await settled() // oxlint-disable-line no-await-in-loop
        t.deepEqual(seen, [name, 'close'])
        const closed = 'wire is closed'
        t.deepEqual(outcomes, [
          [1, name === 'reject' ? 'request was rejected' : closed],
          [2, closed]
        ])
        t.is(wire.error, reason ?? null)
      }
    }
  })
}

test('emits no reject when its callback destroys the wire', async (t) => {
  const wire = running()
  wire.resume()
  const seen = record(wire, ['reject', 'close'])
  wire.request(1, 0, 9, () => wire.destroy())
  wire.write(Buffer.concat([reject(1), reject(1)]))
  await settled()
  t.deepEqual(seen, ['close'])
})

const PACKAGE = fileURLToPath(new URL('../index.js', import.meta.url))

/** Runs a script with a `wire` that has agreed on the extension, in a process that survives what is thrown. */
const surviving = async (script, messages) => {
  const program = `
    const wire = require(${JSON.stringify(PACKAGE)})({ rejectTimeout: 5 })
    const bytes = Buffer.from('${Buffer.concat(messages).toString('hex')}', 'hex')
    const seen = []
    process.on('uncaughtException', (error) => seen.push('thrown ' + error.message))
    process.on('exit', () => console.log(JSON.stringify(seen)))
    const fail = (text) => { seen.push(text); throw new Error(text) }
    wire.handshake(Buffer.alloc(20), Buffer.alloc(20), { fast: true })
    wire.write(Buffer.from('${FAST_HANDSHAKE.toString('hex')}', 'hex'))
    wire.peerChoking = false
    wire.read()
    ${script}`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
  return JSON.parse(stdout)
}

test('delivers the rest of a chunk after listeners and callbacks have thrown', async (t) => {
  const names = Object.keys(MESSAGES)
  const seen = await surviving(
    `for (const name of ${JSON.stringify(names)}) wire.on(name, () => fail(name))
     wire.on('have', () => seen.push('have'))
     wire.request(1, 0, 9, (error) => fail(error.message))
     wire.write(bytes)
     seen.push(wire.peerAllowedFastSet.join())`,
    [...Object.values(MESSAGES), frame(4, 1)]
  )
  const order = [...names.slice(0, 3), 'request was rejected', ...names.slice(3)]
  t.deepEqual(seen, [...order, 'have', '1', ...order.map((name) => `thrown ${name}`)])
})

test('rejects what a listener that throws has not answered', async (t) => {
  const seen = await surviving(
    `wire.unchoke()
     wire.on('request', (piece, offset, length, respond) => {
       try { respond(new Error('no')) } finally { fail('by request') }
     })
     wire.on('cancel', () => fail('by cancel'))
     wire.on('choke', () => fail('by choke'))
     wire.write(bytes)
     seen.push(wire.stats().sent.messages.reject)`,
    [request(1), cancel(1), request(2), request(3, 0, 0), CHOKE]
  )
  const order = ['by request', 'by cancel', 'by request', 'by choke']
  t.deepEqual(seen, [...order, 3, ...order.map((text) => `thrown ${text}`)])
})

test('fails each overdue request once when their callbacks throw', async (t) => {
  const seen = await surviving(
    `for (const piece of [1, 2, 3]) wire.request(piece, 0, 9, () => fail('of ' + piece))
     wire.write(bytes)
     setTimeout(() => seen.push(wire.requests.length), 50)`,
    [CHOKE]
  )
  const order = ['of 1', 'of 2', 'of 3']
  t.deepEqual(seen.toSorted(), [0, ...order, ...order.map((text) => `thrown ${text}`)])
})
