// Metadata from peers that reject, or do not answer, on a clock that is turned by hand.
import { AsyncLocalStorage } from 'node:async_hooks'
import test from 'ava'

import {
  data,
  hashOf,
  infoOf,
  peerOf,
  reject,
  rejecting,
  settle,
  stalling,
  stopTime,
  wireTo
} from '../testkit/metadata.mjs'
import { pwp } from '../testkit/wires.mjs'

test.serial('asks a peer that rejects again, and takes data that come late', async (t) => {
  const info = infoOf(100)
  const answers = [reject(0), data(info, 0)]
  const peer = peerOf({ size: info.length, act: (send) => send(answers.shift()) })
  const clock = stopTime()
  t.teardown(() => clock.restore())
  const wire = wireTo(peer, hashOf(info))
  const fetched = wire.metadata()
  await settle()
  t.is(peer.got.length, 1)
  await clock.advance(59_000, settle)
  t.is(peer.got.length, 1)
  await clock.advance(2_000, settle)
  t.deepEqual(await fetched, info)
})

test.serial(
  'rejects after its timeout, and after many rejects or none of the answers',
  async (t) => {
    const info = infoOf(100)
    const clock = stopTime()
    t.teardown(() => clock.restore())
    const outcomes = []
    const watch = (name, promise) =>
      promise.catch((error) => outcomes.push([name, error.code, Math.round(clock.now / 1000)]))
    watch('timeout', wireTo(stalling(info), hashOf(info)).metadata({ timeout: 5_000 }))
    watch('no handshake', pwp().metadata({ timeout: 7_000 }))
    watch('stalls', wireTo(stalling(info), hashOf(info)).metadata())
    watch('rejects', wireTo(rejecting(info), hashOf(info)).metadata())
    await settle()
    // The timers do not keep the process alive.
    t.is(clock.pending, 0)
    for (let second = 0; second < 600; second += 1) await clock.advance(1_000, settle) // oxlint-disable-line no-await-in-loop
    t.deepEqual(outcomes, [
      ['timeout', 'ERR_PWP_METADATA_TIMEOUT', 5],
      ['no handshake', 'ERR_PWP_METADATA_TIMEOUT', 7],
      ['stalls', 'ERR_PWP_METADATA_UNANSWERED', 60],
      ['rejects', 'ERR_PWP_METADATA_REJECTED', 480]
    ])
  }
)

test.serial('requests that a timer sends leave in the async context of the wire', async (t) => {
  const info = infoOf(100)
  const storage = new AsyncLocalStorage()
  const clock = stopTime()
  t.teardown(() => clock.restore())
  const peer = stalling(info)
  const wire = storage.run('made', () => wireTo(peer, hashOf(info)))
  const seen = []
  storage.run('called', () => wire.metadata().catch(() => {}))
  await settle()
  wire.unpipe()
  wire.on('data', () => seen.push(storage.getStore())).resume()
  await clock.advance(11_000, settle)
  t.deepEqual(seen, ['made'])
})
