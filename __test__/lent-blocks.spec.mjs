// Memory of blocks that is detached or resized before they are sent: what leaves is what was sent, up to
// the block that was lost, and the wire says so.
import test from 'ava'
import { LOSSES, blockOf, blocks } from './helpers/losses.mjs'
import { frame } from './helpers/messages.mjs'
import { HANDSHAKE, UNCHOKE, pwp, settled } from './helpers/wires.mjs'

const HEAD = Buffer.concat([HANDSHAKE, UNCHOKE])

for (const [how, { lend, lose }] of Object.entries(LOSSES)) {
  test(`a block that is to be sent is ${how}`, async (t) => {
    for (const lost of [0, 1, 2]) {
      const wire = pwp()
      wire.write(HEAD)
      wire.unchoke()
      const output = []
      wire.on('data', (bytes) => output.push(Buffer.from(bytes)))
      wire.on('request', (piece, offset, length, respond) => {
        const block = lend(blockOf(piece, length))
        respond(null, block)
        if (piece === lost) lose(block)
      })
      wire.write(Buffer.concat([0, 1, 2].map((piece) => frame(6, piece, 0, 9000))))
      // oxlint-disable-next-line no-await-in-loop
      await settled()
      const whole = blocks(3, 9000).slice(0, lost)
      t.deepEqual(Buffer.concat(output), Buffer.concat([frame(1), ...whole]))
      t.is(wire.error.code, 'ERR_PWP_MEMORY_CHANGED')
    }
  })
}
