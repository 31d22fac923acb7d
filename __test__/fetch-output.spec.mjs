// What fetches of wires that are streams send: how much at once, and how much a peer that does not read can cause.
import { Transform } from 'node:stream'
import test from 'ava'

import { CHOKE, UNCHOKE, fast, settled, unchoked } from '../testkit/wires.mjs'
import { frame } from '../testkit/messages.mjs'

const BLOCK = 4096
const COUNT = 50
const REQUEST_LENGTH = 17

const requests = Buffer.concat(
  Array.from({ length: COUNT }, (_, block) => frame(6, 0, block * BLOCK, BLOCK))
)

const rejects = Buffer.concat(
  Array.from({ length: COUNT }, (_, block) => frame(16, 0, block * BLOCK, BLOCK))
)

const begin = (wire) => {
  const fetching = wire.fetchPiece(0, { length: COUNT * BLOCK, blockLength: BLOCK })
  fetching.catch(() => {})
  return fetching
}

test('all requests of a fetch leave in one chunk, also after a choke', async (t) => {
  const wire = unchoked()
  const chunks = []
  wire.on('data', (chunk) => chunks.push(chunk))
  await settled()
  begin(wire)
  t.deepEqual(chunks.splice(0), [requests])
  wire.write(Buffer.concat([CHOKE, UNCHOKE]))
  t.deepEqual(chunks.splice(0), [requests])
  wire.destroy()
})

test('all requests of a fetch leave a pipe in one write', async (t) => {
  const wire = unchoked()
  const chunks = []
  wire.pipe(
    new Transform({
      transform(chunk, _, done) {
        chunks.push(chunk)
        done()
      }
    })
  )
  await settled()
  begin(wire)
  await settled()
  t.deepEqual(chunks.splice(0), [requests])
  wire.write(Buffer.concat([CHOKE, UNCHOKE]))
  await settled()
  t.deepEqual(chunks.splice(0), [requests])
  wire.destroy()
})

for (const [name, make] of Object.entries({ 'a wire': unchoked, 'a fast wire': fast })) {
  test(`the output of ${name} that is not read stays bounded while its peer chokes and unchokes`, async (t) => {
    const uploadBacklog = 10_000
    const wire = make({ uploadBacklog })
    if (make === fast) wire.write(UNCHOKE)
    const outcome = begin(wire)
    const pair = [CHOKE, ...(make === fast ? [rejects] : []), UNCHOKE]
    for (let n = 0; n < 200; n++) wire.write(Buffer.concat(pair))
    t.true(wire.readableLength <= uploadBacklog + 2 * REQUEST_LENGTH, `${wire.readableLength}`)
    t.true(wire.readableLength >= uploadBacklog)
    // What was held follows once it is read.
    const chunks = []
    wire.on('data', (chunk) => chunks.push(chunk))
    await settled()
    await settled()
    const sent = Buffer.concat(chunks)
    t.deepEqual(sent.subarray(-requests.length), requests)
    wire.destroy()
    await t.throwsAsync(outcome, { code: 'ERR_PWP_CLOSED' })
  })
}
