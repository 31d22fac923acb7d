// The state of a side that wants no blocks: in extended handshakes and in messages.
import { once } from 'node:events'
import { inspect } from 'node:util'
import test from 'ava'
import BittorrentWire from 'bittorrent-protocol'

import { PAIRS, connectPair } from '../testkit/extension-pairs.mjs'
import {
  EXTENDED_HANDSHAKE,
  announce,
  announced,
  extended,
  greet,
  sentBy
} from '../testkit/extensions.mjs'
import { pwp, settled } from '../testkit/wires.mjs'

/** A wire with the extension, and what is emitted. */
const using = () => {
  const wire = pwp()
  const extension = wire.use(pwp.extensions.uploadOnly())
  const events = []
  extension.on('change', (state) => events.push(state))
  extension.on('malformed', (bytes) => events.push(bytes.toString('hex')))
  return { wire, extension, events }
}

/** One whose peer has sent this extended handshake. */
const met = (handshake = { m: { upload_only: 3 } }) => {
  const all = using()
  greet(all.wire)
  all.wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce(handshake)]))
  sentBy(all.wire)
  return all
}

test('is a class for use(), of the name of its extension', (t) => {
  const { wire, extension } = using()
  t.is(pwp.extensions.uploadOnly().prototype.name, 'upload_only')
  t.is(wire.upload_only, extension)
  t.false(extension.isUploadOnly)
  t.is(extension.peerIsUploadOnly, null)
  t.is(extension.malformedMessages, 0)
})

for (const value of [undefined, null, 0, 1, 'true', {}]) {
  test(`refuses the state ${inspect(value)}`, (t) => {
    const { extension } = met()
    const expected = { instanceOf: TypeError, message: 'isUploadOnly must be a boolean' }
    t.throws(() => extension.set(value), expected)
    t.false(extension.isUploadOnly)
  })
}

test('says in the extended handshake what was set before it', (t) => {
  const { wire, extension } = using()
  extension.set(true)
  t.true(extension.isUploadOnly)
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(sentBy(wire), ['handshake', announced({ upload_only: 1 }, { upload_only: 1 })])
  wire.write(announce({ m: { upload_only: 3 } }))
  t.deepEqual(sentBy(wire), [])
})

test('says nothing about what was never set', (t) => {
  const { wire, extension } = using()
  extension.set(false)
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(sentBy(wire), ['handshake', announced({ upload_only: 1 })])
})

test('sends a message for each change to a peer that has the extension', (t) => {
  const { wire, extension } = met()
  for (const state of [false, true, true, false, true]) extension.set(state)
  t.deepEqual(sentBy(wire), [
    [3, '\x01'],
    [3, '\x00'],
    [3, '\x01']
  ])
})

test('sends another extended handshake to a peer that does not have it', (t) => {
  for (const { wire, extension } of [met({ m: { x: 3 } }), met({ m: { upload_only: 0 } })]) {
    wire.extendedHandshake.v = 'Client 1'
    for (const state of [true, false]) {
      extension.set(state)
      const handshake = { v: 'Client 1', upload_only: Number(state) }
      t.deepEqual(sentBy(wire), [announced({ upload_only: 1 }, handshake)])
    }
  }
})

test('sends another extended handshake before the peer has sent its own', (t) => {
  const { wire, extension } = using()
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  sentBy(wire)
  extension.set(true)
  t.deepEqual(sentBy(wire), [announced({ upload_only: 1 }, { upload_only: 1 })])
})

test('sends nothing before our handshakes, nor after the end', (t) => {
  const { wire, extension } = using()
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { upload_only: 3 } })]))
  extension.set(true)
  t.deepEqual(sentBy(wire), [])
  greet(wire)
  t.deepEqual(sentBy(wire)[1], announced({ upload_only: 1 }, { upload_only: 1 }))
  wire.destroy()
  extension.set(false)
  t.false(extension.isUploadOnly)
  t.deepEqual(sentBy(wire), [])
})

test('sends nothing before the handshakes of a wire of bittorrent-protocol', async (t) => {
  const wire = new BittorrentWire()
  wire.use(pwp.extensions.uploadOnly())
  const sent = []
  wire.on('data', (bytes) => sent.push(bytes))
  wire.upload_only.set(true)
  await settled()
  t.deepEqual(sent, [])
  t.is(wire.extendedHandshake.upload_only, 1)
  wire.destroy()
})

test('sends nothing to a peer without the extension protocol', (t) => {
  const { wire, extension } = using()
  greet(wire)
  sentBy(wire)
  extension.set(true)
  t.deepEqual(sentBy(wire), [])
})

test('reads the state in the extended handshakes of any peer', (t) => {
  for (const m of [{}, { upload_only: 3 }]) {
    const { wire, extension, events } = met({ m })
    t.is(extension.peerIsUploadOnly, null)
    for (const state of [0, 1, 1, 'x', 0]) wire.write(announce({ m, upload_only: state }))
    wire.write(announce({ m }))
    wire.write(extended(0, 'x'))
    t.deepEqual(events, [false, true, false])
    t.false(extension.peerIsUploadOnly)
  }
})

test('reads what the peer had announced before the extension was used', (t) => {
  const wire = pwp({ extensions: true })
  greet(wire)
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: {}, upload_only: 1 })]))
  t.true(wire.use(pwp.extensions.uploadOnly()).peerIsUploadOnly)
})

test('reads the state in messages, which a handshake without it does not undo', (t) => {
  const { wire, extension, events } = met({ m: { upload_only: 3 }, upload_only: 1 })
  t.true(extension.peerIsUploadOnly)
  wire.write(Buffer.concat([extended(1, '\x00'), extended(1, '\x00')]))
  wire.write(announce({ m: { x: 1 } }))
  t.false(extension.peerIsUploadOnly)
  wire.write(extended(1, '\xff'))
  t.deepEqual(events, [true, false, true])
})

test('counts messages that are malformed, and ignores them', (t) => {
  const { wire, extension, events } = met()
  for (const payload of ['', '\x01\x00', '\x00\x00\x00']) wire.write(extended(1, payload))
  t.deepEqual(events, ['', '0100', '000000'])
  t.is(extension.malformedMessages, 3)
  t.is(extension.peerIsUploadOnly, null)
  t.false(wire.destroyed)
})

const use = (wire) => wire.use(pwp.extensions.uploadOnly())

for (const kinds of PAIRS) {
  test(`tells of itself over TCP: ${kinds.join(' to ')}`, async (t) => {
    const wires = await connectPair(t, kinds, [use, use])
    const [one, other] = wires.map((wire) => wire.upload_only)
    t.is(other.peerIsUploadOnly, null)
    for (const state of [true, false]) {
      one.set(state)
      t.deepEqual(await once(other, 'change'), [state]) // oxlint-disable-line no-await-in-loop
      t.is(other.peerIsUploadOnly, state)
    }
    other.set(true)
    t.deepEqual(await once(one, 'change'), [true])
    for (const wire of wires) t.false(wire.destroyed)
  })

  test(`tells a side without the extension over TCP: ${kinds.join(' to ')}`, async (t) => {
    const wires = await connectPair(t, kinds, [
      use,
      (wire) => wire.use(pwp.makeExtension('x_other'))
    ])
    wires[0].upload_only.set(true)
    await once(wires[1], 'extended')
    const { m, upload_only: state } = wires[1].peerExtendedHandshake
    t.is(m.upload_only, 1)
    t.is(Number(state), 1)
  })
}
