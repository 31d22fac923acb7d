// Peers that a fetch by the extension itself gives up, and what leaves before our own handshakes.
import test from 'ava'

import { announce, extended } from '../testkit/extensions.mjs'
import { data, hashOf, infoOf, request, settle } from '../testkit/metadata.mjs'
import { encodeHandshake } from '../testkit/messages.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { pwp } from '../testkit/wires.mjs'

/** Our id for the extension: the first. */
const ID = 1

const info = infoOf(40_000)

const handshake = encodeHandshake({
  reserved: [0, 0, 0, 0, 0, 0x10, 0, 0],
  infoHash: hashOf(info),
  peerId: Buffer.alloc(20, 'peer')
})

const announceSize = (size) => announce({ m: { ut_metadata: 3 }, metadata_size: size })

/** A wire that fetches from a peer which has announced metadata; warnings are noted. */
const fetching = () => {
  const wire = pwp()
  const warnings = []
  wire.use(pwp.extensions.utMetadata()).on('warning', ({ code }) => warnings.push(code))
  wire.ut_metadata.fetch()
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  wire.write(Buffer.concat([handshake, announceSize(info.length)]))
  readAll(wire)
  return { wire, warnings }
}

const OFFENCES = {
  'changes its size': (turn) => announceSize(info.length + (turn % 2)),
  'sends nonsense between its handshakes': (turn) =>
    turn % 17 === 0 ? announceSize(info.length) : extended(ID, 'x')
}

for (const [offence, act] of Object.entries(OFFENCES)) {
  test(`fetch() gives up a peer that ${offence}, and asks it nothing more`, async (t) => {
    const { wire, warnings } = fetching()
    for (let turn = 1; turn < 100; turn++) wire.write(act(turn))
    await settle()
    t.deepEqual(warnings, ['ERR_PWP_METADATA_OFFENCES'])
    readAll(wire)
    for (let turn = 0; turn < 100; turn++) wire.write(act(turn))
    await settle()
    t.deepEqual(readAll(wire), Buffer.alloc(0))
    t.deepEqual(warnings, ['ERR_PWP_METADATA_OFFENCES'])
    t.false(wire.destroyed)
    // Until it is called again. What was asked for before and is not answered does not count.
    wire.ut_metadata.fetch()
    wire.write(announceSize(info.length))
    t.true(readAll(wire).length > 0)
    for (const piece of [0, 1, 2]) wire.write(extended(ID, data(info, piece)))
    t.deepEqual(wire.ut_metadata.metadata, info)
  })
}

test('nothing leaves before our own handshakes, however much the peer has sent', async (t) => {
  const wire = pwp({ extensions: true })
  wire.use(pwp.extensions.utMetadata()).fetch()
  wire.write(Buffer.concat([handshake, announceSize(info.length)]))
  wire.serveMetadata(info.subarray())
  wire.write(extended(ID, request(0)))
  await settle()
  t.deepEqual(readAll(wire), Buffer.alloc(0))
  t.like(wire.ut_metadata.stats(), { answered: 0, ignoredRequests: 1 })
})

test('fetch() goes on when our own handshakes have left', async (t) => {
  const wire = pwp()
  wire.use(pwp.extensions.utMetadata()).fetch()
  wire.write(Buffer.concat([handshake, announceSize(info.length)]))
  await settle()
  t.deepEqual(readAll(wire), Buffer.alloc(0))
  wire.handshake(hashOf(info), Buffer.alloc(20, 1))
  const sent = readAll(wire)
  t.is(sent[0], 19)
  t.is(sent[68 + 5], 0)
  const requests = [0, 1, 2].map((piece) => extended(3, request(piece)))
  t.true(sent.includes(Buffer.concat(requests)))
  for (const piece of [0, 1, 2]) wire.write(extended(ID, data(info, piece)))
  t.deepEqual(wire.ut_metadata.metadata, info)
})
