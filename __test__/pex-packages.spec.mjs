// Peer exchange with the npm package ut_pex over TCP: on our wires and on those of bittorrent-protocol, in both
// directions.
import { once } from 'node:events'
import test from 'ava'
import packaged from 'ut_pex'

import { PAIRS, connectPair } from '../testkit/extension-pairs.mjs'
import { pwp } from '../testkit/wires.mjs'

/** How each makes its class, and sends a message: ours does it by itself after a second. */
const MAKERS = { ours: () => pwp.extensions.utPex(), packaged }
const send = (pex) => (pex._sendMessage ? pex._sendMessage() : pex.start())

const COMBINATIONS = [
  ['ours', 'ours'],
  ['ours', 'packaged'],
  ['packaged', 'ours']
]

const use = (kind) => (wire) => wire.use(MAKERS[kind]())

for (const kinds of PAIRS) {
  for (const [sender, receiver] of COMBINATIONS) {
    test(`${kinds.join(' to ')}: ${sender} tells ${receiver} of peers`, async (t) => {
      const wires = await connectPair(t, kinds, [use(sender), use(receiver)])
      const [telling, told] = wires.map((wire) => wire.ut_pex)
      telling.addPeer('127.0.0.1:6881', { prefersEncryption: true, isSender: false })
      telling.addPeer('10.0.0.2:1', { isReachable: true, supportsUtp: true })
      telling.addPeer6('[::1]:6882', { isSender: true, supportsUtHolepunch: true })
      telling.addPeer6('2001:db8::2:6883')
      const peers = []
      const all = new Promise((resolve) => {
        told.on('peer', (address, flags) => {
          peers.push([address, Object.keys(flags).filter((name) => flags[name])])
          if (peers.length === 4) resolve()
        })
      })
      send(telling)
      await all
      t.deepEqual(peers, [
        ['127.0.0.1:6881', ['prefersEncryption']],
        ['10.0.0.2:1', ['supportsUtp', 'isReachable']],
        ['[::1]:6882', ['isSender', 'supportsUtHolepunch']],
        ['[2001:db8::2]:6883', []]
      ])
      for (const wire of wires) t.false(wire.destroyed)
    })
  }

  test(`${kinds.join(' to ')}: ours cuts off a flood of the package`, async (t) => {
    const wires = await connectPair(t, kinds, [use('packaged'), use('ours')])
    const [flooding, flooded] = wires.map((wire) => wire.ut_pex)
    const warnings = []
    flooded.on('warning', ({ message }) => warnings.push(message))
    const closed = Promise.all(wires.map((wire) => once(wire, 'close')))
    const dropped = once(flooded, 'dropped')
    for (let number = 0; number < 12; number++) {
      flooding.addPeer(`10.0.0.${number}:1`)
      if (number === 1) flooding.dropPeer('10.0.0.0:1')
      flooding._sendMessage()
    }
    t.deepEqual(await dropped, ['10.0.0.0:1'])
    await closed
    t.is(warnings.length, 10)
    t.regex(warnings.at(-1), /disconnected/)
    t.is(flooded.earlyMessages, 10)
  })
}
