// Handshakes: what both sides announce, when each part of one is known, and which are refused.
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'

import { loadCopy } from '../testkit/memory/copies.mjs'
import { PROXIES } from '../testkit/memory/proxies.mjs'
import { encodeHandshake, frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { HANDSHAKE, pwp, record, settled } from '../testkit/wires.mjs'

const original = createRequire(import.meta.url)('peer-wire-protocol')

const INFO_HASH = Buffer.alloc(20, 1)
const OTHER_HASH = Buffer.alloc(20, 2)
const PEER_ID = Buffer.from('-XX0001-abcdefghijkl')
const NONE = [0, 0, 0, 0, 0, 0, 0, 0]

/** Bytes of a handshake up to the peer id. */
const START_LENGTH = 48

const handshakeOf = (reserved = NONE, infoHash = INFO_HASH, peerId = PEER_ID) =>
  encodeHandshake({ reserved, infoHash, peerId })

/** The reserved bytes that a wire sends. */
const reservedOf = (extensions, wire = pwp()) => {
  wire.handshake(INFO_HASH, PEER_ID, extensions)
  const sent = readAll(wire)
  return [...sent.subarray(sent.length - 48, sent.length - 40)]
}

/** Every place in a handshake to cut it. */
const CUTS = Array.from({ length: 69 }, (_, at) => at)

// What we announce

for (const [title, extensions, reserved] of [
  ['nothing', undefined, [0, 0, 0, 0, 0, 0x10, 0, 0]],
  ['null', null, [0, 0, 0, 0, 0, 0x10, 0, 0]],
  ['no field', {}, [0, 0, 0, 0, 0, 0x10, 0, 0]],
  ['dht', { dht: 'yes' }, [0, 0, 0, 0, 0, 0x10, 0, 1]],
  ['fast', { fast: true }, [0, 0, 0, 0, 0, 0x10, 0, 4]],
  ['v2', { v2: true }, [0, 0, 0, 0, 0, 0x10, 0, 0x10]],
  ['no extended', { extended: false }, NONE],
  ['all', { dht: 1, extended: true, fast: true, v2: true }, [0, 0, 0, 0, 0, 0x10, 0, 0x15]],
  ['missing values', { extended: null, fast: undefined, v2: null }, [0, 0, 0, 0, 0, 0x10, 0, 0]],
  ['flags of its own', { reserved: Buffer.alloc(8, 0xff) }, Array(8).fill(0xff)],
  [
    'flags of its own and no extended',
    { extended: false, dht: true, reserved: Uint8Array.of(0x80, 0, 0, 8, 0, 0, 1, 2) },
    [0x80, 0, 0, 8, 0, 0, 1, 3]
  ],
  ['a missing reserved', { reserved: null, fast: true }, [0, 0, 0, 0, 0, 0x10, 0, 4]]
]) {
  test(`announces ${title}`, (t) => {
    t.deepEqual(reservedOf(extensions), reserved)
    for (const makeProxy of Object.values(PROXIES)) {
      const wire = pwp()
      makeProxy(wire).handshake(INFO_HASH, PEER_ID, extensions)
      const sent = readAll(wire)
      t.deepEqual(sent, handshakeOf(reserved))
    }
    const copy = loadCopy()()
    t.deepEqual(reservedOf(extensions, copy), reserved)
  })
}

/** What the peer has announced. */
const echoed = (wire) => {
  wire.write(handshakeOf([0, 0, 0, 0, 0, 0, 0, 0x15]))
  return wire.peerExtensions
}

test('sends the same bytes as peer-wire-protocol, whatever that accepts', (t) => {
  const all = [undefined, null, {}, { dht: true }, { dht: 0 }, 7, 'dht', [], { extended: true }]
  for (const extensions of [...all.map((value) => () => value), echoed]) {
    const [ours, theirs] = [pwp(), original()].map((wire) => {
      wire.handshake(INFO_HASH, PEER_ID, extensions(wire))
      return readAll(wire)
    })
    t.deepEqual(ours, theirs)
  }
})

test('looks at dht alone when it is given its own peerExtensions, behind a proxy, too', (t) => {
  for (const reserved of [NONE, [0, 0, 0, 0, 0, 0x10, 0, 0x15], [0, 0, 0, 0, 0, 0, 0, 0x14]]) {
    const isDht = reserved[7] & 1
    for (const makeProxy of [(wire) => wire, ...Object.values(PROXIES)]) {
      const wire = pwp()
      const seen = makeProxy(wire)
      wire.on('handshake', () => seen.handshake(INFO_HASH, PEER_ID, wire.peerExtensions))
      wire.write(handshakeOf(reserved))
      t.deepEqual(readAll(wire), handshakeOf([0, 0, 0, 0, 0, 0x10, 0, isDht]))
      t.deepEqual(Object.keys(wire.peerExtensions), ['dht', 'extended'])
    }
    // A copy is taken at its word.
    const wire = pwp()
    wire.write(handshakeOf(reserved))
    const extended = reserved[5] & 0x10
    t.deepEqual(reservedOf({ ...wire.peerExtensions }, wire), [0, 0, 0, 0, 0, extended, 0, isDht])
  }
})

test('echoes fast to a peer when it asked for it before', (t) => {
  const wire = pwp()
  wire.handshake(INFO_HASH, PEER_ID, { fast: true })
  wire.write(handshakeOf([0, 0, 0, 0, 0, 0x10, 0, 4]))
  t.true(wire.peerExtensions.fast)
  wire.handshake(INFO_HASH, PEER_ID, wire.peerExtensions)
  t.deepEqual(
    readAll(wire),
    Buffer.concat([
      handshakeOf([0, 0, 0, 0, 0, 0x10, 0, 4]),
      handshakeOf([0, 0, 0, 0, 0, 0x10, 0, 0])
    ])
  )
  t.true(wire.hasFast)
})

// What the peer announces

/** The flags of reserved byte 7. */
const FLAGS = { dht: 1, fast: 4, v2: 0x10 }

for (const ours of [
  {},
  { fast: true },
  { v2: true },
  { fast: true, v2: true },
  { fast: false, v2: false }
]) {
  for (const isOursFirst of [true, false]) {
    const order = isOursFirst ? 'before' : 'after'
    test(`shows what it asked for, ${JSON.stringify(ours)}, sent ${order} the peer's`, (t) => {
      for (let flags = 0; flags < 0x20; flags++) {
        for (const extended of [0, 0x10]) {
          const wire = pwp()
          const greet = () => wire.handshake(INFO_HASH, PEER_ID, ours)
          if (isOursFirst) greet()
          let shown = null
          wire.on('handshake', (infoHash, peerId, extensions) => {
            shown = extensions
            t.is(extensions, wire.peerExtensions)
            t.deepEqual(extensions, isOursFirst ? expected : basic)
          })
          const has = (name) => (flags & FLAGS[name]) !== 0
          const basic = { dht: has('dht'), extended: extended !== 0 }
          const expected = { ...basic }
          if (ours.fast) expected.fast = has('fast')
          if (ours.v2) expected.v2 = has('v2')
          const reserved = [0, 0, 0, 0, 0, extended, 0, flags]
          wire.write(handshakeOf(reserved))
          if (!isOursFirst) greet()
          t.deepEqual(wire.peerExtensions, expected)
          t.is(wire.peerExtensions, shown)
          t.is(wire.hasFast, Boolean(ours.fast) && has('fast'))
          t.deepEqual([...wire.peerReserved], reserved)
        }
      }
    })
  }
}

test('agrees on what the first handshake of each side announces, however it does', (t) => {
  const byReserved = { reserved: Buffer.of(0, 0, 0, 0, 0, 0, 0, 4) }
  for (const [first, second, hasFast] of [
    [{ fast: true }, {}, true],
    [{}, { fast: true }, false],
    [byReserved, {}, true]
  ]) {
    for (const place of ['before', 'between', 'after']) {
      const wire = pwp()
      const greet = (extensions) => wire.handshake(INFO_HASH, PEER_ID, extensions)
      if (place === 'after') wire.write(handshakeOf([0, 0, 0, 0, 0, 0, 0, 4]))
      greet(first)
      if (place === 'between') wire.write(handshakeOf([0, 0, 0, 0, 0, 0, 0, 4]))
      greet(second)
      if (place === 'before') wire.write(handshakeOf([0, 0, 0, 0, 0, 0, 0, 4]))
      t.is(wire.hasFast, hasFast)
    }
  }
})

test('agrees whatever a user has done to peerExtensions', (t) => {
  const changes = [
    (wire) => (wire.peerExtensions = null),
    (wire) => (wire.peerExtensions = undefined),
    (wire) => (wire.peerExtensions = 'own'),
    (wire) => Object.freeze(wire.peerExtensions)
  ]
  for (const change of changes) {
    const wire = pwp()
    wire.on('handshake', () => change(wire))
    wire.write(handshakeOf([0, 0, 0, 0, 0, 0, 0, 0x14]))
    wire.handshake(INFO_HASH, PEER_ID, { fast: true, v2: true })
    t.is(readAll(wire).length, 68)
    t.true(wire.hasFast)
  }
})

// A second handshake

test('sends and counts each handshake', (t) => {
  const wire = pwp()
  for (let count = 1; count <= 3; count++) {
    wire.handshake(count % 2 ? INFO_HASH : OTHER_HASH, PEER_ID, { dht: count % 2 })
    t.is(wire.stats().sent.messages.handshake, count)
  }
  const [one, other] = [1, 0].map((dht) => [0, 0, 0, 0, 0, 0x10, 0, dht])
  const sent = [handshakeOf(one), handshakeOf(other, OTHER_HASH), handshakeOf(one)]
  t.deepEqual(readAll(wire), Buffer.concat(sent))
})

test('sends one handshake if it is strict', (t) => {
  for (const first of [{}, { fast: true }]) {
    for (const second of [undefined, {}, { fast: true }, { v2: true }]) {
      const wire = pwp({ policy: 'strict' })
      wire.handshake(INFO_HASH, PEER_ID, first)
      const sent = readAll(wire)
      t.is(sent.length, 68)
      t.throws(() => wire.handshake(INFO_HASH, PEER_ID, second), {
        instanceOf: Error,
        code: 'ERR_PWP_HANDSHAKE_SENT'
      })
      t.is(wire.read(), null)
      t.is(wire.stats().sent.messages.handshake, 1)
      wire.write(handshakeOf([0, 0, 0, 0, 0, 0, 0, 0x14]))
      t.deepEqual(Object.keys(wire.peerExtensions), ['dht', 'extended', ...Object.keys(first)])
      t.is(wire.error, null)
    }
  }
})

test('sends a first handshake if a wrong one was refused, also if it is strict', (t) => {
  const wire = pwp({ policy: 'strict' })
  t.throws(() => wire.handshake(INFO_HASH, PEER_ID, { fast: 1 }))
  t.throws(() => wire.handshake(INFO_HASH, PEER_ID.subarray(1)))
  t.deepEqual(reservedOf({ fast: true }, wire), [0, 0, 0, 0, 0, 0x10, 0, 4])
})

// 'info-hash'

test("emits 'info-hash' once 48 bytes are there, and 'handshake' after 68, in every cut", (t) => {
  const bytes = Buffer.concat([handshakeOf(), frame(4, 1)])
  for (const cut of CUTS) {
    const wire = pwp()
    const seen = []
    wire.on('info-hash', (infoHash) => {
      t.deepEqual(infoHash, INFO_HASH)
      t.is(wire.peerReserved, null)
      t.deepEqual(wire.peerExtensions, {})
      seen.push('info-hash')
    })
    wire.on('handshake', () => seen.push('handshake'))
    wire.on('have', () => seen.push('have'))
    wire.write(bytes.subarray(0, cut))
    const names = ['info-hash', 'handshake', 'have']
    t.deepEqual(seen, names.slice(0, [START_LENGTH, 68].filter((least) => cut >= least).length))
    wire.write(bytes.subarray(cut))
    t.deepEqual(seen, names)
  }
})

test("emits 'info-hash' once, with the handshake in single bytes or in three chunks", (t) => {
  const bytes = handshakeOf()
  const cuts = [Array(68).fill(1)]
  for (let first = 1; first < 67; first += 3)
    cuts.push([first, 67 - first, 1], [1, first, 67 - first])
  for (const sizes of cuts) {
    const wire = pwp()
    const seen = record(wire, ['info-hash', 'handshake'])
    let at = 0
    for (const size of sizes) {
      wire.write(bytes.subarray(at, (at += size)))
      t.is(seen.length, [START_LENGTH, 68].filter((least) => at >= least).length)
    }
    t.deepEqual(seen, ['info-hash', 'handshake'])
  }
})

test('hands out an info hash with memory of its own', (t) => {
  const wire = pwp()
  const bytes = handshakeOf()
  wire.on('info-hash', (infoHash) => {
    t.is(infoHash.buffer.byteLength, 20)
    bytes.fill(0, 28, 48)
    t.deepEqual(infoHash, INFO_HASH)
    infoHash.fill(9)
  })
  wire.on('handshake', (infoHash) => t.not(infoHash[0], 9))
  wire.write(bytes)
  t.plan(3)
})

test("two wires that wait for 'info-hash' get on when one of them sends its handshake in it", async (t) => {
  for (const [a, b] of [
    [pwp(), pwp()],
    [loadCopy()(), pwp()]
  ]) {
    const seen = []
    // The first has told its torrent, as the side that connects does, but not yet its id.
    const bytes = handshakeOf([0, 0, 0, 0, 0, 0x10, 0, 4])
    a.on('info-hash', (infoHash) => seen.push(`a knows ${infoHash[0]}`))
    b.on('info-hash', (infoHash) => {
      seen.push(`b knows ${infoHash[0]}`)
      b.handshake(infoHash, PEER_ID, { fast: true })
    })
    b.on('data', (chunk) => a.write(chunk))
    a.on('handshake', () => b.write(bytes.subarray(START_LENGTH)))
    b.on('handshake', () => seen.push('b shook hands'))
    b.write(bytes.subarray(0, START_LENGTH))
    // Not awaited at once: the output of `b` is read in later turns.
    await settled() // oxlint-disable-line no-await-in-loop
    t.deepEqual(seen, ['b knows 1', 'a knows 1', 'b shook hands'])
    t.true(b.hasFast)
  }
})

for (const name of ['info-hash', 'handshake']) {
  test(`what is sent in the listener of '${name}' counts for the rest of the chunk`, (t) => {
    const wire = pwp()
    wire.once(name, () => wire.handshake(INFO_HASH, PEER_ID, { fast: true }))
    const seen = record(wire, ['have-all', 'unknownmessage'])
    const bytes = Buffer.concat([handshakeOf([0, 0, 0, 0, 0, 0, 0, 4]), frame(14)])
    wire.write(bytes)
    t.deepEqual(seen, ['have-all'])
    t.is(wire.stats().violations, 0)
    t.deepEqual(wire.peerExtensions, { dht: false, extended: false, fast: true })
  })

  test(`delivers nothing more when the listener of '${name}' destroys the wire`, async (t) => {
    for (const reason of [undefined, new Error('enough')]) {
      for (const cut of [START_LENGTH, 60, 68, 77]) {
        const wire = pwp()
        wire.resume()
        const seen = record(wire, ['info-hash', 'handshake', 'have', 'close'])
        wire.on(name, () => wire.destroy(reason))
        const bytes = Buffer.concat([handshakeOf(), frame(4, 1)])
        wire.write(bytes.subarray(0, cut))
        wire.write(bytes.subarray(cut))
        await settled() // oxlint-disable-line no-await-in-loop
        t.deepEqual(seen, name === 'handshake' ? ['info-hash', name, 'close'] : [name, 'close'])
        t.is(wire.error, reason ?? null)
      }
    }
  })
}

test("emits no 'info-hash' for another protocol, nor for what ends before it is there", async (t) => {
  const wrong = handshakeOf()
  wrong[19] ^= 1
  for (const bytes of [wrong, handshakeOf().subarray(0, START_LENGTH - 1)]) {
    const wire = pwp()
    wire.resume()
    wire.on('info-hash', () => t.fail())
    wire.end(bytes)
    await settled() // oxlint-disable-line no-await-in-loop
    t.regex(wire.error.code, /^ERR_PWP_(HANDSHAKE|TRUNCATED)$/)
  }
  const wire = pwp()
  const seen = record(wire.resume(), ['info-hash', 'handshake'])
  wire.end(handshakeOf().subarray(0, 67))
  await settled()
  t.deepEqual(seen, ['info-hash'])
  t.is(wire.error.code, 'ERR_PWP_TRUNCATED')
})

// The option infoHashes

const HEX = INFO_HASH.toString('hex')
const OTHER_HEX = OTHER_HASH.toString('hex')
const UPPER = 'AB'.repeat(20)

/** Values of the option, each with info hashes that are served and that are not. */
const SERVED = {
  'a Buffer': [INFO_HASH, [INFO_HASH], [OTHER_HASH]],
  'a Uint8Array': [new Uint8Array(INFO_HASH), [INFO_HASH], [OTHER_HASH]],
  'hex digits': [HEX, [INFO_HASH], [OTHER_HASH]],
  'upper-case digits': [UPPER, [Buffer.alloc(20, 0xab)], [INFO_HASH]],
  'an array': [
    [INFO_HASH, UPPER, new Uint8Array(OTHER_HASH)],
    [INFO_HASH, OTHER_HASH, Buffer.alloc(20, 0xab)],
    [Buffer.alloc(20, 3)]
  ],
  'an empty array': [[], [], [INFO_HASH]],
  'a Set': [new Set([HEX, OTHER_HEX]), [INFO_HASH, OTHER_HASH], [Buffer.alloc(20, 3)]],
  'an empty Set': [new Set(), [], [INFO_HASH]],
  'a function': [(infoHash) => infoHash[0] === 1, [INFO_HASH], [OTHER_HASH, Buffer.alloc(20)]]
}

for (const [title, [infoHashes, served, others]] of Object.entries(SERVED)) {
  test(`serves the torrents of ${title}, and refuses others`, async (t) => {
    for (const cut of CUTS) {
      for (const infoHash of [...served, ...others]) {
        const isServed = served.includes(infoHash)
        const wire = pwp({ infoHashes })
        wire.resume()
        const seen = record(wire, ['info-hash', 'handshake', 'have', 'error', 'close'])
        const bytes = Buffer.concat([handshakeOf(NONE, infoHash), frame(4, 1)])
        wire.write(bytes.subarray(0, cut))
        wire.write(bytes.subarray(cut))
        if (!isServed) await settled() // oxlint-disable-line no-await-in-loop
        t.deepEqual(seen, isServed ? ['info-hash', 'handshake', 'have'] : ['error', 'close'])
        t.is(wire.error?.code, isServed ? undefined : 'ERR_PWP_INFO_HASH')
        t.is(wire.stats().violations, isServed ? 0 : 1)
        t.is(wire.error instanceof pwp.ProtocolError, !isServed)
      }
    }
  })
}

test('refuses before the peer id is there', async (t) => {
  const wire = pwp({ infoHashes: INFO_HASH })
  wire.write(handshakeOf(NONE, OTHER_HASH).subarray(0, START_LENGTH))
  await settled()
  t.is(wire.error.code, 'ERR_PWP_INFO_HASH')
  t.true(wire.destroyed)
})

test('a refusal has closed the wire when write() returns', (t) => {
  for (const [options, length] of [
    [{ infoHashes: OTHER_HASH }, START_LENGTH],
    [{ infoHashes: OTHER_HASH }, 68],
    [{ notPeerId: PEER_ID }, 68]
  ]) {
    const wire = pwp(options)
    wire.handshake(INFO_HASH, PEER_ID)
    wire.write(handshakeOf().subarray(0, length))
    t.true(wire.destroyed)
    t.regex(wire.error.code, /^ERR_PWP_(INFO_HASH|PEER_ID)$/)
    t.is(readAll(wire).length, 68)
  }
})

test('what was sent before a refusal still leaves, and open requests get the error', async (t) => {
  const wire = pwp({ infoHashes: OTHER_HASH })
  wire.handshake(OTHER_HASH, PEER_ID)
  wire.peerChoking = false
  wire.request(0, 0, 1, (error) => t.is(error.code, 'ERR_PWP_INFO_HASH'))
  wire.write(handshakeOf())
  await settled()
  t.is(readAll(wire).length, 68 + 17)
  t.plan(2)
})

/** The code of the error after the handshake of a peer, or undefined. */
const codeOf = (infoHashes, infoHash) => {
  const wire = pwp({ infoHashes })
  wire.write(handshakeOf(NONE, infoHash))
  return wire.error?.code
}

test('a Set may change at any time, an array may not', (t) => {
  const set = new Set([HEX])
  const array = [HEX]
  const wire = pwp({ infoHashes: set })
  const early = pwp({ infoHashes: array })
  set.delete(HEX)
  set.add(OTHER_HEX)
  array[0] = OTHER_HEX
  for (const one of [wire, early]) one.write(handshakeOf(NONE, OTHER_HASH))
  t.is(wire.error, null)
  t.is(early.error.code, 'ERR_PWP_INFO_HASH')
  t.is(codeOf(set, OTHER_HASH), undefined)
  t.is(codeOf(set, INFO_HASH), 'ERR_PWP_INFO_HASH')
  set.clear()
  t.is(codeOf(set, OTHER_HASH), 'ERR_PWP_INFO_HASH')
})

/** A wire with this option that got a handshake, and what it emitted. */
const made = (infoHashes) => {
  const wire = pwp({ infoHashes })
  const seen = record(wire, ['info-hash', 'handshake', 'close'])
  wire.write(handshakeOf())
  return { wire, seen }
}

test('a function is asked once, with memory of its own, also if it destroys the wire', async (t) => {
  let asked = 0
  const plain = made((infoHash) => {
    asked++
    t.is(infoHash.buffer.byteLength, 20)
    return true
  })
  t.is(asked, 1)
  t.deepEqual(plain.seen, ['info-hash', 'handshake'])
  for (const answer of [true, false]) {
    const wire = pwp({
      infoHashes() {
        wire.destroy()
        return answer
      }
    })
    const seen = record(wire.resume(), ['info-hash', 'handshake', 'close'])
    wire.peerChoking = false
    wire.request(0, 0, 1, (error) => seen.push(error.message))
    wire.write(handshakeOf())
    await settled() // oxlint-disable-line no-await-in-loop
    t.deepEqual(seen, ['close', 'wire is closed'])
    t.is(wire.error, null)
    t.is(wire.stats().violations, 0)
  }
})

const PACKAGE = fileURLToPath(new URL('../index.js', import.meta.url))

/** Runs a script in a process that survives what is thrown; returns what it has noted. */
const surviving = async (script) => {
  const program = `
    const pwp = require(${JSON.stringify(PACKAGE)})
    const handshake = Buffer.from('${handshakeOf().toString('hex')}', 'hex')
    const seen = []
    process.on('uncaughtException', (error) => seen.push('thrown ' + error.message))
    process.on('unhandledRejection', (error) => seen.push('rejected ' + error.message))
    process.on('exit', () => console.log(JSON.stringify(seen)))
    ${script}`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
  return JSON.parse(stdout)
}

for (const [what, source, thrown] of [
  ['throws', "() => { throw new Error('broken') }", 'broken'],
  ['returns a promise', 'async () => true', 'infoHashes() must return a boolean'],
  ['returns nothing', '() => {}', 'infoHashes() must return a boolean'],
  ['returns 1', '() => 1', 'infoHashes() must return a boolean'],
  ['returns null', '() => null', 'infoHashes() must return a boolean']
]) {
  test(`refuses every peer when the function ${what}, and says so`, async (t) => {
    const seen = await surviving(`
      const wire = pwp({ infoHashes: ${source} })
      wire.on('handshake', () => seen.push('handshake'))
      wire.on('info-hash', () => seen.push('info-hash'))
      wire.on('close', () => seen.push(wire.error.code))
      wire.write(handshake)`)
    t.deepEqual(seen, ['ERR_PWP_INFO_HASH', `thrown ${thrown}`])
  })
}

test("goes on when a listener of 'info-hash' throws", async (t) => {
  for (const cut of [START_LENGTH, 60, 68]) {
    // oxlint-disable-next-line no-await-in-loop
    const seen = await surviving(`
      const wire = pwp()
      wire.on('info-hash', () => { throw new Error('by a listener') })
      wire.on('handshake', () => { seen.push('handshake'); throw new Error('by another') })
      wire.on('have', () => seen.push('have'))
      wire.write(handshake.subarray(0, ${cut}))
      wire.write(handshake.subarray(${cut}))
      wire.write(Buffer.from([0, 0, 0, 5, 4, 0, 0, 0, 1]))`)
    t.deepEqual(seen, ['handshake', 'have', 'thrown by a listener', 'thrown by another'])
  }
})

// The option notPeerId

for (const [title, notPeerId] of [
  ['a Buffer', PEER_ID],
  ['a Uint8Array', new Uint8Array(PEER_ID)],
  ['text', PEER_ID.toString()]
]) {
  test(`refuses a peer with the id that is given as ${title}`, async (t) => {
    for (const cut of CUTS) {
      const bytes = Buffer.concat([handshakeOf(), frame(4, 1)])
      const other = Buffer.concat([handshakeOf(NONE, INFO_HASH, Buffer.alloc(20)), frame(4, 1)])
      for (const [input, code] of [
        [bytes, 'ERR_PWP_PEER_ID'],
        [other, undefined]
      ]) {
        const wire = pwp({ notPeerId })
        const seen = record(wire, ['info-hash', 'handshake', 'have', 'close'])
        wire.write(input.subarray(0, cut))
        wire.write(input.subarray(cut))
        if (code) await settled() // oxlint-disable-line no-await-in-loop
        t.deepEqual(seen, code ? ['info-hash', 'close'] : ['info-hash', 'handshake', 'have'])
        t.is(wire.error?.code, code)
      }
    }
  })
}

test('a wire that is connected to itself closes', async (t) => {
  const wire = pwp({ notPeerId: PEER_ID })
  wire.handshake(INFO_HASH, PEER_ID)
  wire.pipe(wire)
  await settled()
  t.is(wire.error.code, 'ERR_PWP_PEER_ID')
})

test('the info hash is refused before the peer id', async (t) => {
  const wire = pwp({ infoHashes: OTHER_HASH, notPeerId: PEER_ID })
  wire.write(handshakeOf())
  await settled()
  t.is(wire.error.code, 'ERR_PWP_INFO_HASH')
})

test('what a user changes after it was given counts no longer', async (t) => {
  const infoHashes = Buffer.from(INFO_HASH)
  const notPeerId = Buffer.from(PEER_ID)
  const wires = [1, 2].map(() => pwp({ infoHashes, notPeerId }))
  infoHashes.fill(7)
  notPeerId.fill(7)
  wires[0].write(handshakeOf(NONE, INFO_HASH, Buffer.alloc(20)))
  wires[1].write(handshakeOf())
  await settled()
  t.is(wires[0].error, null)
  t.is(wires[1].error.code, 'ERR_PWP_PEER_ID')
})

// A drop-in wire

const keys = (wire) => Object.keys(wire).filter((name) => !name.startsWith('_'))

test('has no new own property that is enumerable, and shows no new flag', (t) => {
  const [ours, theirs] = [pwp(), original()].map((wire) => {
    wire.handshake(INFO_HASH, PEER_ID, { dht: true })
    wire.write(handshakeOf([0, 0, 0, 0, 0, 0x10, 0, 0x15]))
    return wire
  })
  const added = keys(ours).filter((name) => !keys(theirs).includes(name))
  t.deepEqual(
    added,
    keys(pwp()).filter((name) => !keys(original()).includes(name))
  )
  t.deepEqual(added, ['error'])
  t.deepEqual(ours.peerExtensions, theirs.peerExtensions)
  for (const name of ['hasFast', 'allowedFastSet', 'peerAllowedFastSet']) {
    t.false(Object.hasOwn(ours, name))
    t.true(name in ours)
    // A user of peer-wire-protocol may have something of their own there.
    ours[name] = 'own'
    t.is(ours[name], 'own')
  }
})

const describe = (value) => (typeof value === 'function' ? 'a function' : String(value))

test('emits, answers and sends the same as peer-wire-protocol for messages of BEP 6', (t) => {
  const events = ['info-hash', 'have-all', 'have-none', 'suggest', 'reject', 'allowed-fast']
  const messages = [frame(13, 1), frame(14), frame(15), frame(16, 0, 0, 9), frame(17, 3)]
  const choked = [frame(6, 3, 0, 9), frame(8, 3, 0, 9)]
  const bytes = [handshakeOf([0, 0, 0, 0, 0, 0x10, 0, 4]), frame(1), ...messages, ...choked]
  const [ours, theirs] = [pwp(), original()].map((wire) => {
    const seen = []
    for (const name of [...events, 'unknownmessage', 'request', 'cancel', 'choke', 'piece']) {
      wire.on(name, (...values) => seen.push([name, ...values.map(describe)]))
    }
    wire.handshake(INFO_HASH, PEER_ID, { dht: false })
    wire.write(bytes[0])
    wire.write(bytes[1])
    wire.request(3, 0, 9, (error) => seen.push(['callback', error.message]))
    wire.write(Buffer.concat([...bytes.slice(2), frame(0)]))
    wire.unchoke()
    wire.write(frame(6, 4, 0, 9))
    wire.choke()
    wire.request(3, 0, 9, (error) => seen.push(['callback', error.message]))
    return { seen: seen.filter(([name]) => name !== 'info-hash'), output: readAll(wire) }
  })
  t.deepEqual(ours, theirs)
})

test('emits nothing early to those who do not listen, and makes nothing for them', (t) => {
  const wire = pwp()
  const { emit } = wire
  const names = []
  wire.emit = (name, ...values) => {
    names.push(name)
    return emit.call(wire, name, ...values)
  }
  wire.write(HANDSHAKE)
  t.deepEqual(
    names.filter((name) => name.includes('hash') || name === 'handshake'),
    ['handshake']
  )
})
