// `pwp.MetadataFetcher` over TCP, where time goes on.
import test from 'ava'

import {
  PIECE,
  connect,
  greet,
  hashOf,
  honest,
  infoOf,
  stalling,
  wireTo
} from '../testkit/metadata.mjs'
import { pwp } from '../testkit/wires.mjs'

const { MetadataFetcher } = pwp

test('fetches 10 MiB from three wires over TCP, of which one lies and one stalls', async (t) => {
  const info = infoOf(10 * 1024 * 1024)
  const wrong = Buffer.from(info)
  for (let at = 0; at < wrong.length; at += PIECE) wrong[at] ^= 1
  const peers = [honest(wrong), stalling(info), honest(info)]
  const wires = peers.map(() => pwp())
  const fetcher = new MetadataFetcher(hashOf(info), { requestTimeout: 200 })
  const drops = []
  fetcher.on('drop', (wire, { code }) => drops.push([wires.indexOf(wire), code]))
  for (const [index, wire] of wires.entries()) {
    fetcher.add(wire)
    await connect(t, wire, peers[index]) // oxlint-disable-line no-await-in-loop
    greet(hashOf(info), wire, peers[index])
  }
  t.true((await fetcher.fetch()).equals(info))
  const liar = drops.find(([index]) => index === 0)
  t.deepEqual(liar, [0, 'ERR_PWP_METADATA_HASH'])
  t.false(drops.some(([index]) => index === 2))
  for (const wire of wires) t.false(wire.destroyed, 'the fetcher destroys no wire')
  t.is(fetcher.state(), null)
})

test('rejects after its timeout, while the fetcher goes on', async (t) => {
  const info = infoOf(100)
  const fetcher = new MetadataFetcher(hashOf(info))
  const error = await t.throwsAsync(fetcher.fetch({ timeout: 1 }))
  t.like(error, { code: 'ERR_PWP_METADATA_TIMEOUT', limit: 1 })
  fetcher.add(wireTo(honest(info), hashOf(info)))
  t.deepEqual(await fetcher.fetch(), info)
})
