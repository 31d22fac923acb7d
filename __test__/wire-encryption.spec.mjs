// The option `encryption` of wires: what both sides settle in each pair of modes, and that blocks arrive in any cut.
import { createHash } from 'node:crypto'
import net from 'node:net'
import { once } from 'node:events'
import Protocol from 'bittorrent-protocol'
import test from 'ava'

import { PEER_IDS, exchange, initiator, makePair, responder } from '../testkit/encrypted-wires.mjs'
import { INFO_HASH, encryption, pipe, randomness, withRandomness } from '../testkit/encryption.mjs'
import { bytesOf } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { HANDSHAKE, greeted, pwp, record, settled } from '../testkit/wires.mjs'

const KIB = 1024
const HEX = INFO_HASH.toString('hex')
const MODES = ['off', 'accept', 'prefer', 'require']
const block = (piece) => bytesOf({ size: 16 * KIB, fill: piece })

/** Serves blocks once the peer has sent its handshake. */
const serve = (wire) => {
  wire.on('handshake', () => {
    wire.handshake(INFO_HASH, PEER_IDS[1])
    wire.unchoke()
  })
  wire.on('request', (piece, offset, length, respond) => respond(null, block(piece)))
}

/** Fetches blocks once it is unchoked; returns a live list of those that were right. */
const fetch = (wire, count = 3) => {
  const fetched = []
  wire.on('unchoke', () => {
    for (let piece = 0; piece < count; piece++) {
      wire.request(piece, 0, 16 * KIB, (error, bytes) => {
        if (error === null && bytes.equals(block(piece))) fetched.push(piece)
      })
    }
  })
  wire.handshake(INFO_HASH, PEER_IDS[0])
  return fetched
}

const methodsOf = (pair) => pair.map((wire) => wire.encryption?.method ?? null)
const codesOf = (pair) => pair.map((wire) => wire.error?.code ?? null)

// Modes

const begins = (mode) => mode === 'prefer' || mode === 'require'

for (const mode of MODES) {
  for (const other of MODES) {
    test(`an initiator in mode ${mode} and a responder in mode ${other}`, async (t) => {
      const pair = makePair({ mode }, { mode: other })
      serve(pair[1])
      const fetched = fetch(pair[0])
      // Clear text is settled in the next tick, before anything comes.
      await settled()
      exchange(pair)
      if (begins(mode) && other === 'off') {
        t.deepEqual(codesOf(pair), [null, 'ERR_PWP_HANDSHAKE'])
        pair[0].end()
        await settled()
        t.deepEqual(methodsOf(pair), [null, null])
        pair[0].resume()
        await settled()
        t.is(pair[0].error?.code, 'ERR_PWP_ENCRYPTION_REFUSED')
      } else if (!begins(mode) && other === 'require') {
        t.deepEqual(codesOf(pair), [null, 'ERR_PWP_ENCRYPTION_PLAIN'])
        t.is(pair[1].encryption, null)
      } else {
        const method = begins(mode) ? 'rc4' : 'none'
        const shown = (own) => (own === 'off' ? null : method)
        t.deepEqual(methodsOf(pair), [shown(mode), shown(other)])
        t.deepEqual(fetched, [0, 1, 2])
        t.deepEqual(codesOf(pair), [null, null])
      }
    })
  }
}

test('clear text is settled once, in the next tick or before the first input', async (t) => {
  for (const isEarly of [true, false]) {
    const wire = initiator({ mode: 'accept' })
    const seen = record(wire, ['encryption', 'info-hash', 'handshake'])
    t.is(wire.encryption, null)
    if (!isEarly) await settled() // oxlint-disable-line no-await-in-loop -- one after the other
    t.deepEqual(seen, isEarly ? [] : ['encryption'])
    wire.write(HANDSHAKE)
    await settled() // oxlint-disable-line no-await-in-loop -- one after the other
    t.deepEqual(seen, ['encryption', 'info-hash', 'handshake'])
  }
})

test('agrees on a method that both have, or on none', (t) => {
  for (const [methods, others, expected] of [
    [undefined, undefined, 'rc4'],
    [['plaintext'], undefined, 'plaintext'],
    [undefined, ['plaintext', 'rc4'], 'plaintext'],
    [['plaintext'], ['rc4'], null]
  ]) {
    const pair = makePair({ methods }, { methods: others })
    serve(pair[1])
    const fetched = fetch(pair[0])
    exchange(pair)
    t.deepEqual(methodsOf(pair), [expected, expected])
    t.is(fetched.length, expected === null ? 0 : 3)
    if (expected === null) t.is(pair[1].error.code, 'ERR_PWP_ENCRYPTION_NO_SHARED_METHOD')
  }
})

test('shows what was settled, with an event before the handshake', (t) => {
  const pair = makePair()
  serve(pair[1])
  const seen = pair.map((wire) => record(wire, ['encryption', 'handshake', 'unchoke']))
  const agreements = []
  for (const wire of pair) wire.on('encryption', (agreement) => agreements.push(agreement))
  t.deepEqual(methodsOf(pair), [null, null])
  fetch(pair[0])
  exchange(pair)
  t.deepEqual(seen, [
    ['encryption', 'handshake', 'unchoke'],
    ['encryption', 'handshake']
  ])
  for (const agreement of agreements) t.deepEqual(agreement, { method: 'rc4', infoHash: INFO_HASH })
  t.deepEqual(agreements, [pair[1].encryption, pair[0].encryption])
})

test('without the option, or in mode off, sends the same and shows nothing', async (t) => {
  const run = async (options) => {
    const wire = pwp(options)
    const seen = record(wire, ['encryption'])
    wire.handshake(INFO_HASH, PEER_IDS[0])
    wire.interested()
    await settled()
    t.is(wire.encryption, null)
    t.deepEqual(seen, [])
    t.false(Object.hasOwn(wire._getSession(), 'encryption'))
    return wire.read()
  }
  const plain = await run()
  for (const role of ['initiator', 'responder']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.deepEqual(await run({ encryption: { role, mode: 'off' } }), plain)
  }
})

// What leaves

test('an initiator sends its handshake with the exchange, and nothing in clear text', (t) => {
  const pair = makePair()
  const seen = record(pair[1], ['encryption', 'handshake'])
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  const key = pair[0].read()
  t.true(key.length >= 96 && key.length <= 96 + 512)
  pair[1].write(key)
  pair[0].write(pair[1].read())
  pair[1].write(pair[0].read())
  // Nothing has come behind the exchange.
  t.deepEqual(seen, ['encryption', 'handshake'])
  t.is(pair[0].encryption, null)
  t.false(key.includes('BitTorrent'))
})

for (const [name, act, hasHandshake] of [
  ['its option, before it sends a handshake', () => {}, false],
  [
    'its option, with a handshake in the same turn',
    (wire) => wire.handshake(INFO_HASH, PEER_IDS[0]),
    true
  ],
  [
    'a handshake after other messages',
    (wire) => {
      wire.interested()
      wire.handshake(INFO_HASH, PEER_IDS[0])
    },
    false
  ]
]) {
  test(`an initiator knows the torrent by ${name}`, async (t) => {
    const pair = [initiator({ infoHash: HEX }), responder()]
    const asked = []
    act(pair[0])
    await settled()
    pair[1].on('handshake', () => asked.push('handshake'))
    exchange(pair)
    t.deepEqual(methodsOf(pair), ['rc4', 'rc4'])
    t.deepEqual(pair[1].encryption.infoHash, INFO_HASH)
    t.deepEqual(asked, hasHandshake ? ['handshake'] : [])
  })
}

test('an initiator of version 2 asks by the first 20 bytes of the info hash', (t) => {
  const whole = HEX + 'ab'.repeat(12)
  for (const option of [{}, { infoHash: whole }]) {
    const pair = [initiator(option), responder({}, { infoHashes: [whole] })]
    const seen = record(pair[1], ['handshake'])
    pair[0].handshake(whole, PEER_IDS[0])
    exchange(pair)
    t.deepEqual(pair[1].encryption, { method: 'rc4', infoHash: INFO_HASH })
    t.deepEqual(seen, ['handshake'])
  }
})

test('counts what waits for the exchange as buffered', (t) => {
  const pair = makePair()
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  t.is(pair[0].bufferedAmount, pair[0].readableLength + 68)
  pair[0].interested()
  t.is(pair[0].bufferedAmount, pair[0].readableLength + 68 + 5)
  pair[1].unchoke()
  t.is(pair[1].bufferedAmount, 5)
  exchange(pair)
  t.is(pair[0].bufferedAmount, 0)
  t.is(pair[1].bufferedAmount, 0)
})

test('leaves the memory of blocks as it is', async (t) => {
  const pair = makePair()
  const sent = block(3)
  serve(pair[1])
  pair[1].removeAllListeners('request')
  pair[1].on('request', (piece, offset, length, respond) => respond(null, sent))
  let received = null
  pair[0].on('unchoke', () => pair[0].request(0, 0, 16 * KIB, (_, bytes) => (received = bytes)))
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  exchange(pair)
  t.deepEqual(sent, block(3))
  t.deepEqual(Buffer.from(received), block(3))
})

test('enciphers what a user pushes, also during the exchange', (t) => {
  const pair = makePair()
  const seen = record(pair[1], ['handshake', 'keep-alive', 'interested'])
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  pair[0].push(Buffer.alloc(4))
  exchange(pair)
  pair[0].interested()
  pair[0].push('\0\0\0\0', 'latin1')
  exchange(pair)
  t.deepEqual(seen, ['handshake', 'keep-alive', 'interested', 'keep-alive'])
  t.deepEqual(codesOf(pair), [null, null])
})

test('holds requests back at the same backlog as in clear text', (t) => {
  const run = (pair) => {
    let count = 0
    pair[1].on('request', (piece, offset, length, respond) => {
      count++
      respond(null, block(piece))
    })
    pair[1].on('handshake', () => {
      pair[1].handshake(INFO_HASH, PEER_IDS[1])
      pair[1].unchoke()
    })
    pair[0].handshake(INFO_HASH, PEER_IDS[0])
    exchange(pair)
    for (let piece = 0; piece < 100; piece++) pair[0].request(piece, 0, 16 * KIB, () => {})
    pair[1].write(pair[0].read())
    const held = count
    t.true(pair[1].bufferedAmount <= 64 * KIB + 17 * KIB)
    return { held, pair, counted: () => count }
  }
  const options = { uploadBacklog: 64 * KIB }
  const plain = run([pwp(), pwp(options)])
  const enciphered = run([initiator(), responder({}, options)])
  t.is(enciphered.held, plain.held)
  t.true(enciphered.held < 10)
  return settled().then(async () => {
    for (let n = 0; n < 100; n++) {
      exchange(enciphered.pair)
      // oxlint-disable-next-line no-await-in-loop -- held requests follow in the next tick
      await settled()
    }
    t.is(enciphered.counted(), 100)
  })
})

// Cuts

const fixed = () =>
  [3, 5].map((fill) =>
    randomness({
      privateKey: Buffer.alloc(20, fill),
      keyPad: Buffer.alloc(fill + 4, 0x5a),
      methodPad: Buffer.alloc(fill)
    })
  )

for (const method of ['rc4', 'plaintext']) {
  test(`reads ${method} the same when the input of either side is cut anywhere`, (t) => {
    const run = (cuts) =>
      withRandomness(fixed(), () => {
        const pair = makePair({ methods: [method] })
        serve(pair[1])
        const fetched = fetch(pair[0], 1)
        const lengths = exchange(pair, cuts)
        t.deepEqual(methodsOf(pair), [method, method])
        t.deepEqual(fetched, [0], `cut at ${cuts.map(String).join(' and ')}`)
        return lengths
      })
    const [length, other] = run([[], []])
    // What follows is more of the same block.
    const upTo = [length, Math.min(other, 400)]
    for (const side of [0, 1]) {
      for (let at = 1; at < upTo[side]; at++) run(side === 0 ? [[at], []] : [[], [at]])
    }
    run([length, other].map((end) => Array.from({ length: end }, (_, at) => at)))
  })
}

test('reads a plain handshake the same when it is cut anywhere', (t) => {
  for (const mode of ['accept', 'prefer']) {
    for (let at = 1; at < 73; at++) {
      const pair = [pwp(), responder({ mode })]
      const seen = record(pair[1], ['encryption', 'handshake', 'interested'])
      pair[0].handshake(INFO_HASH, PEER_IDS[0])
      pair[0].interested()
      exchange(pair, [[at], []])
      t.deepEqual(seen, ['encryption', 'handshake', 'interested'], `cut at ${at}`)
      t.is(pair[1].encryption.method, 'none')
    }
  }
})

test('an initiator that prefers encryption goes on with a peer that answers in clear text', (t) => {
  const pair = [initiator({ mode: 'prefer' }), pwp()]
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  pair[0].read()
  pair[1].handshake(INFO_HASH, PEER_IDS[1])
  pair[1].interested()
  const seen = record(pair[0], ['encryption', 'handshake', 'interested'])
  pair[0].write(readAll(pair[1]))
  t.deepEqual(seen, ['encryption', 'handshake', 'interested'])
  t.deepEqual(pair[0].encryption, { method: 'none', infoHash: null })
  t.is(pair[0].read().subarray(1, 20).toString(), 'BitTorrent protocol')
})

test('an initiator that requires encryption refuses a peer that answers in clear text', (t) => {
  const pair = [initiator({ mode: 'require' }), pwp()]
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  const sent = [pair[0].read()]
  pair[1].handshake(INFO_HASH, PEER_IDS[1])
  pair[0].write(pair[1].read())
  t.is(pair[0].error.code, 'ERR_PWP_ENCRYPTION_PLAIN')
  t.true(pair[0].error instanceof pwp.ProtocolError)
  sent.push(pair[0].read() ?? Buffer.alloc(0))
  t.false(Buffer.concat(sent).includes('BitTorrent'))
})

// On top

test('the fast extension and the extension protocol work as in clear text', (t) => {
  const pair = [initiator({}, { extensions: true }), responder({}, { extensions: true })]
  const seen = record(pair[0], ['handshake', 'extended-handshake', 'have-all', 'allowed-fast'])
  pair[1].on('handshake', () => {
    pair[1].handshake(INFO_HASH, PEER_IDS[1], { fast: true })
    pair[1].haveAll()
    pair[1].allowedFast(7)
  })
  pair[0].handshake(INFO_HASH, PEER_IDS[0], { fast: true })
  exchange(pair)
  t.deepEqual(seen.toSorted(), ['allowed-fast', 'extended-handshake', 'handshake', 'have-all'])
  t.true(pair.every((wire) => wire.hasFast))
  let error = null
  pair[0].request(7, 0, 16 * KIB, (reason) => (error = reason))
  pair[1].on('request', (piece, offset, length, respond) => respond(new Error('no')))
  exchange(pair)
  t.is(error.message, 'request was rejected')
})

test('blocks go both ways over sockets', async (t) => {
  const wires = []
  const server = net.createServer((socket) => {
    const wire = responder()
    socket.pipe(wire).pipe(socket)
    wires.push(wire)
    serve(wire)
    wire.on('handshake', () => wire.interested())
    wire.on('unchoke', () => {
      wire.request(40, 0, 16 * KIB, (error, bytes) => wire.emit('fetched', error, bytes))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = net.connect(server.address().port, '127.0.0.1')
  const wire = initiator()
  socket.pipe(wire).pipe(socket)
  const fetched = fetch(wire, 200)
  wire.on('request', (piece, offset, length, respond) => respond(null, block(piece)))
  await once(wire, 'unchoke')
  wire.unchoke()
  const [error, bytes] = await once(wires[0], 'fetched')
  t.is(error, null)
  t.true(bytes.equals(block(40)))
  while (fetched.length < 200) await settled() // oxlint-disable-line no-await-in-loop
  t.deepEqual(
    fetched,
    Array.from({ length: 200 }, (_, piece) => piece)
  )
  t.deepEqual(methodsOf([wire, wires[0]]), ['rc4', 'rc4'])
  wire.destroy()
  await once(socket, 'close')
  await once(server.close(), 'close')
})

test('speaks with an encrypted stream, in either role', async (t) => {
  for (const role of ['initiator', 'responder']) {
    const [left, right] = pipe()
    const isInitiator = role === 'initiator'
    const wire = isInitiator ? initiator() : responder()
    left.pipe(wire).pipe(left)
    const other = pwp()
    const stream = encryption.wrap(right, {
      role: isInitiator ? 'responder' : 'initiator',
      infoHash: INFO_HASH,
      infoHashes: HEX
    })
    stream.pipe(other).pipe(stream)
    const [asks, gives] = isInitiator ? [wire, other] : [other, wire]
    serve(gives)
    const fetched = fetch(asks)
    while (fetched.length < 3) await settled() // oxlint-disable-line no-await-in-loop
    t.is(wire.encryption.method, 'rc4')
    t.deepEqual(stream.encryption, wire.encryption)
    wire.destroy()
  }
})

// bittorrent-protocol, at its levels 0 (clear text), 1 (either method) and 2 (RC4 only)

for (const [level, mode, role, expected] of [
  [0, 'accept', 'responder', 'none'],
  [0, 'prefer', 'responder', 'none'],
  [0, 'accept', 'initiator', 'none'],
  [1, 'accept', 'responder', 'rc4'],
  [1, 'prefer', 'responder', 'rc4'],
  [1, 'require', 'responder', 'rc4'],
  [2, 'prefer', 'responder', 'rc4'],
  [2, 'require', 'responder', 'rc4'],
  // As a responder it prefers plaintext at its level 1.
  [1, 'prefer', 'initiator', 'plaintext'],
  [1, 'require', 'initiator', 'rc4'],
  [2, 'prefer', 'initiator', 'rc4'],
  [2, 'require', 'initiator', 'rc4']
]) {
  test(`fetches blocks from bittorrent-protocol, level ${level}, as ${role} in mode ${mode}`, async (t) => {
    const [left, right] = pipe()
    const isInitiator = role === 'initiator'
    const theirs = new Protocol(isInitiator ? 'tcpIncoming' : 'tcpOutgoing', level)
    right.pipe(theirs).pipe(right)
    theirs.on('crypto-infohash', () => theirs.setInfoHash(HEX))
    const greet = () => theirs.handshake(HEX, PEER_IDS[1].toString('hex'))
    theirs.on('crypto-handshake', greet)
    theirs.on('handshake', () => {
      if (level === 0 && isInitiator) greet()
      theirs.unchoke()
    })
    theirs.on('request', (piece, offset, length, respond) => respond(null, block(piece)))
    const wire = isInitiator ? initiator({ mode }) : responder({ mode })
    left.pipe(wire).pipe(left)
    const fetched = fetch(wire, 20)
    wire.interested()
    if (!isInitiator) {
      if (level === 0) greet()
      else theirs.startEncryption(HEX)
    }
    while (fetched.length < 20 && wire.error === null) await settled() // oxlint-disable-line no-await-in-loop
    t.is(wire.error, null)
    t.is(wire.encryption.method, expected)
    wire.destroy()
    theirs.destroy()
  })
}

// Which torrent

const name = createHash('sha1').update('req2').update(INFO_HASH).digest()

for (const [form, options] of [
  ['one, of the wire', { infoHashes: INFO_HASH }],
  ['hex digits, of the wire', { infoHashes: HEX }],
  ['an array, of the wire', { infoHashes: ['00'.repeat(20), INFO_HASH] }],
  ['a Set, of the wire', { infoHashes: new Set([HEX]) }],
  ['64 hex digits, of the wire', { infoHashes: HEX + '00'.repeat(12) }],
  ['one of its own', { infoHashes: null, encryption: { infoHashes: INFO_HASH } }],
  [
    'a function of its own next to one of the wire',
    {
      infoHashes: (infoHash) => infoHash.equals(INFO_HASH),
      encryption: { infoHashes: (asked) => (asked.equals(name) ? HEX : null) }
    }
  ],
  [
    'a function that answers at once',
    {
      infoHashes: null,
      encryption: { infoHashes: (asked) => (asked.equals(name) ? INFO_HASH : null) }
    }
  ]
]) {
  test(`a responder finds the torrent in ${form}`, (t) => {
    const { encryption: own, ...others } = options
    const pair = [initiator(), responder(own, others)]
    serve(pair[1])
    const fetched = fetch(pair[0])
    exchange(pair)
    t.deepEqual(pair[1].encryption, { method: 'rc4', infoHash: INFO_HASH })
    t.is(fetched.length, 3)
    const unknown = [initiator(), responder(own, others)]
    unknown[0].handshake(Buffer.alloc(20, 9), PEER_IDS[0])
    exchange(unknown)
    t.is(unknown[1].error.code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
  })
}

test('a Set may change at any time', (t) => {
  const infoHashes = new Set()
  const run = () => {
    const pair = [initiator(), responder({}, { infoHashes })]
    pair[0].handshake(INFO_HASH, PEER_IDS[0])
    exchange(pair)
    return pair[1].encryption?.method ?? pair[1].error.code
  }
  t.is(run(), 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
  infoHashes.add(HEX)
  t.is(run(), 'rc4')
  infoHashes.delete(HEX)
  t.is(run(), 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
})

test('a function may answer later, and what has come meanwhile is read then', async (t) => {
  let answer = null
  const infoHashes = (asked) => {
    t.deepEqual(asked, name)
    return new Promise((resolve) => (answer = resolve))
  }
  const pair = [initiator(), responder({ infoHashes }, { infoHashes: null })]
  const seen = record(pair[1], ['encryption', 'handshake', 'interested', 'keep-alive'])
  pair[0].handshake(INFO_HASH, PEER_IDS[0])
  exchange(pair)
  t.true(pair[1].writableLength > 0)
  // It waits, and its writer is held back.
  t.false(pair[1].write(Buffer.alloc(pair[1].writableHighWaterMark)))
  t.deepEqual(seen, [])
  answer(HEX)
  await settled()
  t.is(pair[1].encryption.method, 'rc4')
  t.is(pair[1].writableLength, 0)
  t.deepEqual(seen.slice(0, 2), ['encryption', 'handshake'])
})

test('what a function does wrong is the error of the wire', async (t) => {
  for (const [infoHashes, check] of [
    [() => null, (error) => t.is(error.code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')],
    [async () => null, (error) => t.is(error.code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')],
    [() => true, (error) => t.true(error instanceof TypeError)],
    [async () => Buffer.alloc(20), (error) => t.true(error instanceof RangeError)],
    [
      () => {
        throw new Error('mine')
      },
      (error) => t.is(error.message, 'mine')
    ],
    [async () => Promise.reject(new Error('mine')), (error) => t.is(error.message, 'mine')]
  ]) {
    const pair = [initiator(), responder({ infoHashes }, { infoHashes: null })]
    pair[0].handshake(INFO_HASH, PEER_IDS[0])
    exchange(pair)
    await settled() // oxlint-disable-line no-await-in-loop -- one after the other
    check(pair[1].error)
    t.true(pair[1].destroyed)
    t.is(pair[1].encryption, null)
  }
})

// Arguments

test('wrong options throw and name what is wrong', (t) => {
  for (const [option, others, expected] of [
    [1, {}, /encryption must be an object/],
    [{}, {}, /role/],
    [{ role: 'both' }, {}, /role/],
    [{ role: 'initiator', mode: 'yes' }, {}, /mode/],
    [{ role: 'initiator', methods: [] }, {}, /methods/],
    [{ role: 'initiator', infoHash: Buffer.alloc(19) }, {}, /infoHash/],
    [{ role: 'initiator', timeout: -1 }, {}, /timeout/],
    [{ role: 'initiator', policy: {} }, {}, /policy/],
    [{ role: 'responder' }, {}, /infoHashes/],
    [{ role: 'responder' }, { infoHashes: () => true }, /infoHashes/],
    [{ role: 'responder', infoHashes: 5 }, {}, /infoHashes/]
  ]) {
    t.throws(() => pwp({ ...others, encryption: option }), { message: expected })
  }
  t.is(greeted({ encryption: null }).encryption, null)
})
