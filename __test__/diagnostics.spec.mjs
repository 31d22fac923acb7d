// The means to find a fault: counters, channels, the log, the transcript.
import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import {
  FAST_HANDSHAKE,
  QUEUED_COST,
  HANDSHAKE,
  UNCHOKE,
  fast,
  greeted,
  pwp,
  settled,
  unchoked
} from '../testkit/wires.mjs'

const run = promisify(execFile)
const ROOT = new URL('..', import.meta.url).pathname
const BLOCK = Buffer.alloc(100)
const ID = Buffer.alloc(20)

const BODIES = [
  [0],
  [1],
  [2],
  [3],
  [4, 1],
  [5, BLOCK],
  [6, 0, 0, 9],
  [7, 0, 0, BLOCK],
  [8, 0, 0, 9]
]
const OF_BEP_6 = [[13, 1], [14], [15], [16, 0, 0, 9], [17, 2]]
const RANGE = [Buffer.alloc(32), 0, 0, 2, 0]
const OF_BEP_52 = [
  [21, ...RANGE],
  [22, ...RANGE, Buffer.alloc(64)],
  [23, ...RANGE]
]
const OTHERS = [
  [9, Buffer.alloc(2)],
  [20, BLOCK],
  [99, BLOCK]
]

test('counts each kind of message that is received', (t) => {
  const wire = pwp()
  // The info hash of the peer is that of version 2.
  wire.handshake(ID, ID, { fast: true, v2: FAST_HANDSHAKE.subarray(28, 48) })
  const bodies = [...BODIES, ...OF_BEP_6, ...OF_BEP_52, ...OTHERS]
  const messages = bodies.map((body) => frame(...body))
  const bytes = Buffer.concat([FAST_HANDSHAKE, Buffer.alloc(4), ...messages])
  wire.write(bytes)
  const { received, ignoredRequests, violations } = wire.stats()
  t.deepEqual(new Set(Object.values(received.messages)), new Set([1]))
  t.is(received.bytes, bytes.length)
  t.is(received.blockBytes, BLOCK.length)
  t.is(received.protocolBytes, bytes.length - BLOCK.length)
  t.is(ignoredRequests, 1)
  // The late bitfield, have all and have none; the block, hashes and rejects for which there was no request.
  t.is(violations, 7)
})

test('counts the messages of an extension that is not agreed on as unknown, and as violations', (t) => {
  const agreements = [
    [HANDSHAKE, { fast: true }],
    [FAST_HANDSHAKE, {}],
    [FAST_HANDSHAKE, null]
  ]
  for (const [theirs, ours] of agreements) {
    const wire = pwp()
    if (ours !== null) wire.handshake(ID, ID, ours)
    const messages = OF_BEP_6.map((body) => frame(...body))
    wire.write(Buffer.concat([theirs, ...messages]))
    const { received, violations } = wire.stats()
    t.is(received.messages.unknown, 5)
    t.is(received.messages.reject, 0)
    t.is(violations, 5)
  }
})

test('counts the messages of version 2 that is not agreed on as unknown, and no violations', (t) => {
  const wire = greeted({ policy: 'strict' })
  wire.write(Buffer.concat(OF_BEP_52.map((body) => frame(...body))))
  const { received, violations } = wire.stats()
  t.is(received.messages.unknown, 3)
  t.is(received.messages.hashes, 0)
  t.is(violations, 0)
})

test('counts each kind of message that is sent, and keeps the counts after the end', async (t) => {
  const wire = pwp()
  wire.write(Buffer.concat([FAST_HANDSHAKE, UNCHOKE]))
  wire.handshake(ID, ID, { fast: true, v2: FAST_HANDSHAKE.subarray(28, 48) })
  wire.unchoke()
  wire.write(frame(6, 0, 0, 9))
  wire.reject(0, 0, 9)
  wire.choke()
  wire.haveAll()
  wire.haveNone()
  wire.suggest(1)
  wire.allowedFast(1)
  wire.interested()
  wire.uninterested()
  wire.have(1)
  wire.bitfield(BLOCK)
  wire.request(0, 0, 9)
  wire.piece(0, 0, BLOCK)
  wire.piece(0, 0, Buffer.alloc(16 * 1024))
  wire.cancel(0, 0, 9)
  wire.port(1)
  wire.extended(1, BLOCK)
  wire.on('hash-request', (_, respond) => respond(null, Buffer.alloc(64)))
  wire.write(Buffer.concat([frame(21, ...RANGE), frame(21, Buffer.alloc(32), 0, 1, 2, 0)]))
  const [root, baseLayer, index, length, proofLayers] = RANGE
  const asked = wire.requestHashes({ root, baseLayer, index, length, proofLayers })
  const { sent } = wire.stats()
  t.deepEqual(
    Object.entries(sent.messages).filter(([, count]) => count !== 1),
    [
      ['keepAlive', 0],
      ['piece', 2],
      ['unknown', 0]
    ]
  )
  t.is(sent.bytes, wire.bufferedAmount)
  t.is(sent.blockBytes, 100 + 16 * 1024)
  wire.destroy()
  await t.throwsAsync(asked, { code: 'ERR_PWP_CLOSED' })
  await settled()
  t.deepEqual(wire.stats().sent, sent)
})

test('counts a message before its listeners run', (t) => {
  const wire = greeted()
  const counts = []
  wire.on('have', () => counts.push(wire.stats().received.messages.have))
  wire.write(Buffer.concat([1, 2, 3, 4].map((piece) => frame(4, piece))))
  t.deepEqual(counts, [1, 2, 3, 4])
})

test('reports queues, refusals and latency', async (t) => {
  const wire = unchoked({ maxPeerRequests: 3, uploadBacklog: 10 + QUEUED_COST })
  wire.unchoke()
  t.is(wire.stats().requestLatency, null)
  wire.request(0, 0, 1)
  wire.request(0, 1, 1)
  const asked = Buffer.concat([1, 2, 3, 4].map((piece) => frame(6, piece, 0, 8)))
  readAll(wire)
  wire.write(asked)
  const { requests, peerRequests, heldRequests, refusedRequests } = wire.stats()
  t.deepEqual([requests, peerRequests, heldRequests, refusedRequests], [2, 2, 1, 1])
  wire.write(frame(7, 0, 0, Buffer.of(1)))
  const { samples, last, average } = wire.stats().requestLatency
  t.is(samples, 1)
  t.true(last >= 0)
  t.is(average, last)
  wire.write(frame(7, 0, 1, Buffer.of(1)))
  t.is(wire.stats().requestLatency.samples, 1, 'one at a time')
})

test.serial('publishes handshakes, messages and closes', (t) => {
  const seen = []
  const channels = {
    'peer-wire-native:handshake': ({ infoHash }) => seen.push(`handshake ${infoHash.length}`),
    'peer-wire-native:message:received': ({ frame: { kind } }) => seen.push(`<- ${kind}`),
    'peer-wire-native:message:sent': ({ frame: { kind } }) => seen.push(`-> ${kind}`),
    'peer-wire-native:close': ({ wire, error }) => seen.push(`close ${wire === own} ${error?.code}`)
  }
  let own = null
  const wire = pwp()
  wire.have(1)
  for (const [name, listener] of Object.entries(channels)) subscribe(name, listener)
  own = wire
  wire.on('have', () => wire.interested())
  wire.on('choke', () => seen.push('listener'))
  wire.write(Buffer.concat([HANDSHAKE, frame(4, 1), frame(0), frame(6, 0, 0, 1)]))
  wire.write(frame(4))
  for (const [name, listener] of Object.entries(channels)) unsubscribe(name, listener)
  wire.choke()
  t.deepEqual(seen, [
    'handshake 20',
    '<- handshake',
    '<- have',
    '-> interested',
    'listener',
    '<- choke',
    '<- request',
    'close true ERR_PWP_MESSAGE_LENGTH'
  ])
})

/** Frames seen on the channels for a wire, while `act` runs; and those of its transcript. */
const framesOf = (options, act) => {
  const wire = fast({ ...options, transcript: 10_000 })
  const seen = []
  const listener = ({ wire: from, frame: { time, ...head } }) => {
    if (from === wire && time > 0) seen.push(head)
  }
  const channels = ['received', 'sent'].map((name) => `peer-wire-native:message:${name}`)
  for (const name of channels) subscribe(name, listener)
  act(wire)
  for (const name of channels) unsubscribe(name, listener)
  wire.destroy(new Error('enough'))
  const kept = wire.error.transcript.slice(2).map(({ time: _time, ...head }) => head)
  return { wire, seen, kept }
}

const rejectOf = (piece) => ({
  direction: 'sent',
  kind: 'reject',
  bytes: 17,
  fields: { piece, offset: 0, length: 9 }
})

/** Why the wire rejects requests by itself: how many of these pieces it does. */
const REJECTS = {
  'it chokes': {
    act: (wire, requests) => wire.write(requests),
    count: (all) => all
  },
  'its queue is full': {
    options: { maxPeerRequests: 3 },
    act(wire, requests) {
      wire.unchoke()
      wire.write(requests)
    },
    count: (all) => all - 3
  },
  'they are cancelled': {
    act(wire, requests, cancels) {
      wire.unchoke()
      wire.write(Buffer.concat([requests, cancels]))
    },
    count: (all) => all
  },
  'it chokes, and drops those that wait': {
    options: { uploadBacklog: 2000 },
    act(wire, requests) {
      wire.unchoke()
      wire.write(requests)
      wire.choke()
    },
    count: (all) => all
  },
  'the user declines': {
    act(wire, requests) {
      wire.unchoke()
      wire.on('request', (piece, offset, length, respond) => respond(new Error('no')))
      wire.write(requests)
    },
    count: (all) => all
  },
  'the answer does not fit': {
    act(wire, requests) {
      wire.unchoke()
      wire.on('request', (piece, offset, length, respond) =>
        respond(null, Buffer.alloc(length - 1))
      )
      wire.write(requests)
    },
    count: (all) => all
  }
}

for (const [why, { options, act, count }] of Object.entries(REJECTS)) {
  for (const all of [5, 256, 300, 1500]) {
    test.serial(`shows each of the rejects sent because ${why}, of ${all} requests`, (t) => {
      const pieces = Array.from({ length: all }, (_, piece) => piece)
      const [requests, cancels] = [6, 8].map((id) =>
        Buffer.concat(pieces.map((piece) => frame(id, piece, 0, 9)))
      )
      const { wire, seen, kept } = framesOf(options, (traced) => act(traced, requests, cancels))
      const rejects = seen.filter(({ kind }) => kind === 'reject')
      t.is(rejects.length, count(all))
      t.deepEqual(rejects, pieces.slice(all - count(all)).map(rejectOf))
      t.deepEqual(kept, seen)
      t.is(wire.stats().sent.messages.reject, count(all))
      // Each follows what it answers.
      for (const piece of pieces.slice(all - count(all))) {
        const asked = seen.findIndex(
          ({ kind, fields }) => kind === 'request' && fields.piece === piece
        )
        const answered = seen.findIndex(
          ({ kind, fields }) => kind === 'reject' && fields.piece === piece
        )
        if (asked < 0 || asked > answered) t.fail(`piece ${piece}`)
      }
    })
  }
}

test('adds the transcript to the error', (t) => {
  const wire = pwp({ transcript: 3 })
  const start = Date.now()
  wire.handshake(Buffer.alloc(20), Buffer.alloc(20))
  wire.write(Buffer.concat([HANDSHAKE, UNCHOKE]))
  wire.request(1, 2, 3)
  wire.write(frame(7, 1, 2, Buffer.alloc(3)))
  wire.write(frame(4))
  const { transcript } = wire.error
  const heads = transcript.map(({ time, ...head }) => {
    t.true(time >= start && time <= Date.now())
    return head
  })
  t.deepEqual(heads, [
    { direction: 'received', kind: 'unchoke', bytes: 5, fields: {} },
    {
      direction: 'sent',
      kind: 'request',
      bytes: 17,
      fields: { piece: 1, offset: 2, length: 3 }
    },
    { direction: 'received', kind: 'piece', bytes: 16, fields: { piece: 1, offset: 2 } }
  ])
  t.is(greeted().destroy(new Error('x')).error.transcript, undefined)
})

test('prints a transcript', async (t) => {
  const wire = unchoked({ transcript: 10 })
  wire.write(frame(4))
  const child = run(process.execPath, [`${ROOT}bin/transcript.js`])
  child.child.stdin.end(JSON.stringify(wire.error.transcript))
  const { stdout } = await child
  t.regex(stdout, /^\d\d:\d\d:\d\d\.\d{3} <- handshake \(68 bytes\)\n.* <- unchoke \(5 bytes\)\n$/)
  const wrong = run(process.execPath, [`${ROOT}bin/transcript.js`, 'no-such-file'])
  await t.throwsAsync(wrong, { message: /no such file/ })
})

test('writes a log for NODE_DEBUG', async (t) => {
  const program = `
    const wire = require(${JSON.stringify(ROOT)})()
    wire.have(7)
    wire.destroy(new Error('enough'))`
  const env = { ...process.env, NODE_DEBUG: 'peer-wire' }
  const { stderr } = await run(process.execPath, ['-e', program], { env })
  t.regex(stderr, /PEER-WIRE \d+: wire 1 \S+ -> have piece 7 \(9 bytes\)\n/)
  t.regex(stderr, /wire 1 closes: enough\n/)
})

test('documents its channels', (t) => {
  const docs = readFileSync(`${ROOT}docs/diagnostics.md`, 'utf8')
  const code = readFileSync(`${ROOT}lib/diagnostics/channels.js`, 'utf8')
  for (const [name] of code.matchAll(/peer-wire-native:[a-z:]+/g))
    t.true(docs.includes(`\`${name}\``))
})

for (const [how, size] of [
  ['in one chunk', Infinity],
  ['in several chunks', 1000]
]) {
  test(`honors copyBlocks for blocks received ${how}`, (t) => {
    const block = Buffer.alloc(16 * 1024, 7)
    const bytes = Buffer.concat([frame(7, 1, 0, block), frame(20, Buffer.alloc(5000))])
    const lengths = [true, false].map((copyBlocks) => {
      const wire = unchoked({ copyBlocks })
      const held = []
      wire.on('piece', (piece, offset, got) => {
        t.deepEqual(got, block)
        held.push(got.buffer.byteLength)
      })
      wire.on('extended', (id, payload) => held.push(payload.buffer.byteLength))
      for (let at = 0; at < bytes.length; at += size) wire.write(bytes.subarray(at, at + size))
      return held
    })
    t.deepEqual(lengths[0], [16 * 1024, 4999])
    // Without the option, a block received in one chunk is a view of it.
    t.is(lengths[1][0] > 16 * 1024, how === 'in one chunk')
  })
}

/** Acts in a subscriber of the first `have`; returns the events and callbacks that followed. */
const actInChannel = (act) => {
  const wire = unchoked()
  const events = []
  for (const name of ['have', 'piece', 'request', 'close']) {
    wire.on(name, (piece) => events.push(piece === undefined ? name : `${name} ${piece}`))
  }
  wire.unchoke()
  for (const piece of [1, 2]) {
    wire.request(piece, 0, 1, (error, block) => events.push(error?.message ?? `block ${block[0]}`))
  }
  let isFirst = true
  const listener = ({ wire: seen, frame: { kind } }) => {
    if (seen !== wire || kind !== 'have' || !isFirst) return
    isFirst = false
    act(wire, events)
  }
  subscribe('peer-wire-native:message:received', listener)
  const rest = [frame(7, 1, 0, Buffer.of(1)), frame(7, 2, 0, Buffer.of(2)), frame(6, 5, 0, 1)]
  wire.write(Buffer.concat([frame(4, 9), ...rest]))
  unsubscribe('peer-wire-native:message:received', listener)
  return events
}

test.serial('lets a subscriber act on the wire as a listener may', (t) => {
  const blocks = ['block 1', 'piece 1', 'block 2', 'piece 2']
  t.deepEqual(
    actInChannel(() => {}),
    ['have 9', ...blocks, 'request 5']
  )
  t.deepEqual(
    actInChannel((wire) => wire.destroy()),
    ['have 9', 'close']
  )
  t.deepEqual(
    actInChannel((wire) => wire.choke()),
    ['have 9', ...blocks]
  )
  t.deepEqual(
    actInChannel((wire) => wire.cancel(1, 0, 1)),
    ['have 9', 'request was cancelled', 'piece 1', 'block 2', 'piece 2', 'request 5']
  )
  const other = greeted()
  const acted = actInChannel((wire, events) => {
    other.on('have', (piece) => events.push(`other ${piece}`))
    other.write(Buffer.concat([frame(4, 77), frame(4, 78)]))
  })
  t.deepEqual(acted, ['have 9', 'other 77', 'other 78', ...blocks, 'request 5'])
})

test('closes whatever it is destroyed with, if it keeps a transcript', (t) => {
  for (const reason of [Object.freeze(new Error('frozen')), 'text', {}]) {
    const wire = unchoked({ transcript: 3 })
    wire.on('close', () => t.pass())
    wire.destroy(reason)
    t.is(wire.error, reason)
  }
  const shared = new Error('shared')
  unchoked({ transcript: 3 }).destroy(shared)
  pwp({ transcript: 3 }).destroy(shared)
  t.is(shared.transcript.length, 2)
  t.plan(7)
})
